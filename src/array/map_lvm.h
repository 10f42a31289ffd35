/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * LVM on a guest's volume. As soon as its device appears the node's own LVM activates what the
 * guest keeps there, unless its filter forbids that, and nobody ever uses it: no reason to keep the
 * volume here (facts D3).
 */

#include "blk/dmdev.h"

enum { MAP_LVM_MAX = 64 };

/* Memory is the set's that it was found in. */
struct map_lvm {
	const struct dm_dev *items[MAP_LVM_MAX]; /* what stands on another before that */
	size_t n;
	bool writes; /* something stands there that writes when it goes: an old state over the
		      * guest's */
};

struct map_numbers {
	struct devno *items; /* VEC() */
	size_t n, cap;
};

/* What it stands on. */
struct map_lvm_base {
	const char *uuid;	    /* of the map; NULL: disks without one */
	struct map_numbers disks;   /* those, and their partitions */
	struct map_numbers holders; /* what stands on them: by /sys, so not only device-mapper's */
	struct map_numbers volumes; /* all disks of this node that are FlashArray volumes, and their
				     * partitions */
};

/*
 * What LVM has made on @base. True only if there is some, and all that stands there, directly or
 * not, is LVM's or a partition, lies on FlashArray volumes alone, is opened by nothing but what
 * stands on it, and writes nothing when it goes. Who else has a disk without a map open
 * device-mapper does not know: that is for the caller to find out. Pure.
 */
bool map_lvm_idle(const struct dm_set *all, const struct map_lvm_base *base, struct map_lvm *ret);
