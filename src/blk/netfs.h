/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which paths lie on a file system that another machine serves, told from /proc/self/mountinfo
 * without touching them: a server that is gone holds whoever touches a file of its.
 */

#include "pve/root.h"

struct netfs {
	struct buf mountinfo;
};

/* Without a mountinfo no path is said to lie on one. */
void netfs_read(struct netfs *ret, const struct root *root);
void netfs_done(struct netfs *n);

/* The mount point that @path (absolute) lies under is a network or FUSE file system. */
bool netfs_holds(const struct netfs *n, const char *path);
