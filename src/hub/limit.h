/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Token buckets by name: a token, an org, an address. The table has a fixed size; where it is full,
 * the bucket that was asked for longest ago gives way, so that strangers cost no memory. Time is a
 * parameter; safe for several threads.
 */

#include "util/base.h"

enum { LIMIT_NAME_MAX = 80 };

struct limit_rate {
	uint32_t burst;	     /* what a full bucket holds; 0: no limit */
	uint32_t per_second; /* what flows in */
};

struct limit;
struct limit *limit_new(size_t buckets);
void limit_free(struct limit *l);

/* Takes one out of @name's bucket. False: it is empty, and *ret_wait seconds (at least 1) will
 * help.
 */
bool limit_take(struct limit *l, const char *name, struct limit_rate rate, int64_t now_ms,
		unsigned int *ret_wait);
