/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The two fields of /proc/PID/stat that say whether a process lives and which one it is. */

#include "pve/root.h"

struct procstat {
	char state;	/* 'R', 'S', 'D', 'Z', ... */
	uint64_t start; /* field 22, ticks since boot */
};

/* False when there is no such process, or its line does not hold. */
bool procstat_read(const struct root *r, pid_t pid, struct procstat *ret);

/* The same on the text of the file. */
bool procstat_parse(struct slice text, struct procstat *ret);

/* Unix time of the boot from /proc/stat (btime), 0 if not known. */
int64_t procstat_boot_time(const struct root *r);
