/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * How much a storage has and how much of it is taken, by what limits it: `purestorage-quota` of its
 * section (against the provisioned size of its volume group, or of the volumes with its prefix),
 * else the pod's quota, else the array itself.
 */

#include "array/call.h"

enum {
	SPACE_KEEP_MS = 10000,
	SPACE_KEEP_FAILURE_MS = 2000,
	SPACE_HALF_MS = 25000, /* of two answers that belong together the older one is not older */
};

/* One answer in SPACE_KEEP_MS whatever the number of callers and of storages that it is the same
 * for; a failure serves for SPACE_KEEP_FAILURE_MS. Arrays that were silent have a second to say
 * that they are there. used is at most total. */
int space_get(struct call *c, struct fa_space *ret, struct err *e);

/* 0 when @more bytes fit under the section's quota, or it has none. -EDQUOT with the numbers. */
int space_room_for(struct call *c, uint64_t more, struct err *e);
