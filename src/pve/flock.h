/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One line of /proc/locks, as far as flock() goes. What is made of it is guest_locks_read() in
 * pve/task.h.
 */

#include "util/base.h"

struct flock_entry {
	uint64_t dev, ino; /* of the locked file, as stat() has them */
	pid_t pid;	   /* 0 or -1: not known */
};

/* False for every line but that of somebody who holds a flock. */
bool flock_parse(struct slice line, struct flock_entry *ret);
