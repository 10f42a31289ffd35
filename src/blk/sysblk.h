/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Block devices that are not device-mapper's, from /sys/class/block: what may carry a physical
 * volume and whether it can be read at this moment. A device that would hang its reader must never
 * be handed to LVM (decisions 7).
 */

#include "blk/dmdev.h"

struct sysblk_dev {
	const char *name; /* as in /dev: "sda3", "cciss/c0d0" */
	struct devno dev;
	bool partition;
	struct devno whole;   /* of a partition: its disk, and where it begins there */
	uint64_t start;	      /* sectors */
	struct devno *slaves; /* of an md array: what it is made of */
	size_t n_slaves;
	const char *ill; /* NULL: may be read; otherwise why not */
	bool component;	 /* of an md array, or a path below a multipath NVMe device */
};

struct sysblk {
	struct sysblk_dev *items; /* VEC(), sorted by device number */
	size_t n, cap;
};

/* Loop, RAM, zvol and similar devices without content or that cannot carry a PV are left out. On a
 * recorded node an absent /sys is an empty list. */
int sysblk_read(struct sysblk *ret, const struct root *root, struct arena *a, struct err *e);
void sysblk_done(struct sysblk *s);

const struct sysblk_dev *sysblk_find(const struct sysblk *s, struct devno dev);
