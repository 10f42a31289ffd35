/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A connection before and between its requests: how many one address has, and how long one may be
 * silent that has not shown a token. What a proxy forwards does not count for its address.
 */

#include "hub/budget.h"
#include "hub/late.h"

struct sockaddr;

struct visitors {
	struct late *late;
	struct budget *seats;
};

struct visitor {
	struct late_item late;
	struct visitors *all;
	bool seated; /* counted */
	bool known;  /* it may be silent as long as idle_timeout has it */
	char network[64];
};

/* @most: connections of one address, 0: any number. */
void visitors_begin(struct visitors *v, struct late *late, size_t most);
void visitors_done(struct visitors *v);

/* One more from there? */
bool visitors_have_room(struct visitors *v, const struct sockaddr *address);

/* A connection is there, and has until @until_ms to ask something. */
struct visitor *visitor_new(struct visitors *v, const struct sockaddr *address, int fd,
			    int64_t until_ms);

/* It asks; then it was answered, and may be silent until @until_ms or, once known, longer. */
void visitor_asks(struct visitor *v);
void visitor_answered(struct visitor *v, bool known, bool forwarded, int64_t until_ms);

/* It is about to be closed. */
void visitor_free(struct visitor *v);
