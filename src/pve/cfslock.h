/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Proxmox' own lock of a file of /etc/pve (PVE::Cluster::cfs_lock_file): a folder below
 * priv/lock, for all nodes. pmxcfs lets one go by itself when its holder has been silent for two
 * minutes, so what is done under it has to be short.
 */

#include "pve/root.h"

struct cfs_lock {
	const struct root *root; /* NULL: not held */
	char path[128];
};

/* @file as Proxmox names it: "storage.cfg". -ETIMEDOUT: somebody else holds it all the time. */
int cfs_lock_take(struct cfs_lock *ret, const struct root *root, const char *file, int wait_ms,
		  struct err *e);
void cfs_lock_done(struct cfs_lock *l);
