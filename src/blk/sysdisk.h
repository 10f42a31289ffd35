/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One whole disk of /sys/block by its kernel name: what the kernel keeps in memory about it.
 * Reading these files never touches the disk.
 */

#include "blk/dmname.h"
#include "blk/devno.h"
#include "pve/root.h"

enum { SYSDISK_NAME_MAX = 32 };

struct sysdisk_name {
	char text[SYSDISK_NAME_MAX];
};

struct sysdisk_names {
	struct sysdisk_name *items; /* VEC() */
	size_t n, cap;
};

/* An attribute's first line without blanks around it; "" where there is none. */
void sysdisk_attr(const struct root *root, const char *name, const char *attr, char *ret,
		  size_t size);

/* Bytes. -ENOENT: no such disk. */
int sysdisk_size(const struct root *root, const char *name, uint64_t *ret);
int sysdisk_dev(const struct root *root, const char *name, struct devno *ret);

/* The kernel's name of a device number, from /sys/dev/block. */
int sysdisk_name_of(const struct root *root, struct devno dev, char ret[SYSDISK_NAME_MAX]);

/* Names in /sys/block that begin with @prefix. */
void sysdisk_list(const struct root *root, const char *prefix, struct sysdisk_names *ret);

/* Devices that stand on the disk or on one of its partitions. */
void sysdisk_holders(const struct root *root, const char *name, struct sysdisk_names *ret);

/* Numbers of the disk and of its partitions are added to @ret, 64 at most. Returns how many. */
size_t sysdisk_numbers(const struct root *root, const char *name, struct devno ret[64]);

static inline void sysdisk_names_done(struct sysdisk_names *names)
{
	vec_free(names);
}
