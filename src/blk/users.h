/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who holds an open device: processes, mounts in any mount namespace, swap, loop devices, and other
 * devices that stand on it. Asked only for devices that are open, all of them in one pass, because
 * the pass walks all of /proc. A recorded node answers from capture/users.txt.
 */

#include "blk/dmdev.h"

#define USERS_RECORD_PATH "capture/users.txt"

struct dm_user {
	struct devno dev;
	pid_t pid;	     /* 0: no process, the kernel holds it */
	const char *command; /* comm of the process, never its arguments; NULL without one */
	const char *via;     /* "open file", "mounted on /mnt/x", "swap", "loop3", "device vg-lv" */
};

struct dm_users {
	struct dm_user *items; /* VEC(), sorted by device */
	size_t n, cap;
	bool blind; /* a process's open files could not be looked at: who is not found may be there
		     */
};

/* @devs: the open devices in question, sorted. Never fails: what cannot be read is not there, and
 * what we have no right to read makes it blind. */
void users_read(struct dm_users *ret, const struct root *root, const struct dm_set *dm,
		const struct devno *devs, size_t n_devs, struct arena *a);
void users_done(struct dm_users *u);

/* "253:7 4711 kvm open file" lines, as recorded. */
void users_write(const struct dm_users *u, struct buf *out);
