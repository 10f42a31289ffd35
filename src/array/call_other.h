/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * While one array of a pod is waited for: whether the next one can be asked instead. A slow array
 * is as silent as one that is cut off until its answer comes, so it is not given up before the
 * other one is known to be any better. Nobody is asked while the first answers within its patience.
 */

#include <pthread.h>

#include "array/call.h"

/* What is silent so long is given up, whatever the other one says. */
enum { CALL_PATIENCE_MAX_MS = 6000 };

struct call_other {
	struct fa *array;
	const char *pod;
	struct fa_call fa;
	int64_t patience_ms;
	bool asked;
	pthread_t thread;
	_Atomic bool over, online;
};

/* Until call_other_end() @c's questions to an array are also bounded by what @next says; @c has its
 * patience_ms already. */
void call_other_begin(struct call_other *o, struct call *c, struct fa *next);
/* Whether @next has said by then that the pod is online there. */
bool call_other_end(struct call_other *o, struct call *c);
