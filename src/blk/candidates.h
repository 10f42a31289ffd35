/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which devices LVM may be told to read. One dead disk handed to an lvm process leaves it in the
 * kernel for good, holding LVM's global lock: so only devices that are known to answer, that are no
 * part of a live map, and that are not inside a guest's disk (decisions 7).
 */

#include "blk/sysblk.h"

struct candidate {
	const char *path; /* "/dev/sda3", "/dev/mapper/3624a9370..." */
	struct devno dev;
	const char *refused; /* NULL: may be read; otherwise why not */
};

struct candidates {
	struct candidate *items;
	size_t n, cap;
};

/* Pure: from what dm and /sys say. @guest_lv says by its name whether an LV is a guest's. */
void candidates_choose(struct candidates *ret, const struct dm_set *dm, const struct sysblk *sys,
		       bool (*guest_lv)(const char *lv), struct arena *a);
void candidates_done(struct candidates *c);
