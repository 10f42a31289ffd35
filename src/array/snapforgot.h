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
 * Proxmox writes the section of a snapshot, with its time, just before it asks for the first
 * volume's, and only where there is none of that name. So what is older than that section is of
 * none. The Unix time of that section while it is being made, of a container; 0: not so. Pure.
 */
int64_t snapforgot_since(const struct guest *g, const char *snap);

/*
 * Removes the snapshots of that name of @volnames, of the guest of @a's volume. 1: nothing was
 * done, since they may be somebody's, or that cannot be told. -EBUSY: one is still being read here.
 * With the lock of the guest's sets held.
 */
int snapforgot_remove(struct call *c, const struct snap_args *a, const char *const *volnames,
		      size_t n, struct err *e);
