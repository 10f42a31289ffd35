/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * LVM on a guest's volume. As soon as its map appears the node's own LVM activates what the guest
 * keeps there, unless its filter forbids that, and nobody ever uses it: no reason to keep the
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

/*
 * What LVM has made on the map @uuid. True only if there is some, and all that stands on the map,
 * directly or not, is LVM's or a partition, lies on FlashArray volumes alone, is opened by nothing
 * but what stands on it, and writes nothing when it goes. Pure.
 */
bool map_lvm_idle(const struct dm_set *all, const char *uuid, struct map_lvm *ret);
