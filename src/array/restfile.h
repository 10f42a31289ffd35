/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The files of session tokens. /etc/pve is a file system of Proxmox that can be read-only, or not
 * answer at all, while the cluster has no majority: whatever touches it runs in a thread of its
 * own, which is waited for a moment only. A thread that hangs keeps what it works on, and until it
 * is back the folder is not touched again; /run serves instead.
 */

#include "array/resttoken.h"

struct restfiles;

/* As in struct fa_options; either may be NULL. */
struct restfiles *restfiles_open(const char *shared_dir, const char *private_dir);
void restfiles_close(struct restfiles *f);

/* The newest token called @name of both folders. -ENOENT: none there, or none that can be read; a
 * file that holds none counts as absent (and the next write replaces it). */
int restfiles_read(struct restfiles *f, const char *name, struct resttoken *ret, struct err *e);

/* Into the shared folder, or the private one when that takes nothing; not over a file that is
 * younger than 5 s (another node's login). 0: shared; 1: private; 2: left as it was; -errno with a
 * sentence: nowhere. */
int restfiles_write(struct restfiles *f, const char *name, const struct resttoken *t,
		    struct err *e);

/* A lock of this node for getting a token, so that several processes log in once. A descriptor, to
 * be closed; -errno when there is none until @deadline (CLOCK_MONOTONIC, ms): go on without. */
int restfiles_lock(struct restfiles *f, const char *name, int64_t deadline);
