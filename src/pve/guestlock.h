/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Proxmox' own lock of a guest, taken as Proxmox takes it: flock() on a file that is opened for
 * appending, made if it is missing, and never removed (PVE::Tools::lock_file_full; paths of
 * PVE::QemuConfig::config_file_lock and PVE::LXC::Config). While it is held nothing of Proxmox
 * starts, stops, migrates, clones or deletes that guest on this node. Creating a guest waits only
 * one second for it, so it may be held for moments only (decisions 25).
 */

#include "pve/guestconf.h"
#include "pve/root.h"

enum { GUEST_LOCKS_MAX = 8 };

/* The locks of one action; a zeroed struct holds none. */
struct held_locks {
	struct held_lock {
		uint32_t vmid;
		enum guest_type type;
		int fd;
	} items[GUEST_LOCKS_MAX];
	size_t n;
	int64_t since; /* clock_boot_ms() of the first one */
};

/* What Proxmox itself waits for a lock, except where it makes a guest. */
enum { GUEST_LOCK_WAIT_MS = 10000 };

/*
 * Takes both locks that a guest of that id can have, the VM's and the container's: an id without a
 * config may become either. Waits @wait_ms at most, holding none of the two meanwhile. 0 also when
 * @l has them already. -EBUSY: somebody else has one, with a sentence. Live machine only.
 */
int guest_lock_take(struct held_locks *l, const struct root *r, uint32_t vmid, int wait_ms,
		    struct err *e);

/* Both locks of that guest are among them. */
bool guest_lock_held(const struct held_locks *l, uint32_t vmid);

/* Releases all, also for processes that inherited a descriptor. */
void guest_lock_release(struct held_locks *l);
