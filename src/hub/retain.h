/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The thread for what can wait: in small steps beside the writers it lets old rows go, empties the
 * log, and puts down which tokens were used.
 */

#include "hub/auth.h"

/* How long a clock has to go on without a leap until what is old by it goes. */
enum { RETAIN_BELIEVE_S = 600 };

/* One that a hub has begun with, or that has leapt, may be a wrong one that somebody sets in a
 * moment: a month ahead for a minute would cost all agents their tokens. @now: Unix seconds. Zeroed
 * at first. */
struct retain_clock {
	bool begun;
	int64_t lead; /* of the clock, over the time since the machine began */
	int64_t from_ms;
};
bool retain_believes(struct retain_clock *c, int64_t now, int64_t boot_ms);

struct retain;
int retain_start(struct retain **ret, const char *where, struct auth *auth, struct err *e);
void retain_stop(struct retain *r);
