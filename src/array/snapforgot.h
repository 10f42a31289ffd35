/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A backup's snapshot that the container's config has forgotten. What vzdump cannot remove it
 * removes by force before its next run (PVE::VZDump::LXC::prepare): then the config loses it
 * whether or not the storage did, and the array keeps it, in the way of every backup to come.
 * Nobody but vzdump gives that name, so what the config cannot know any more is nobody's.
 */

#include "array/snapcalls.h"
#include "pve/guest.h"

/*
 * Removes the snapshots of that name of @volnames, of the guest of @a's volume. 1: nothing was
 * done, since they may be somebody's, or that cannot be told. -EBUSY: one is still being read here.
 * With the lock of the guest's sets held.
 */
int snapforgot_remove(struct call *c, const struct snap_args *a, const char *const *volnames,
		      size_t n, struct err *e);
