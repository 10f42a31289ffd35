/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which name a new disk gets: the lowest free number of its guest, as Proxmox counts them
 * (PVE::Storage::Plugin get_next_vm_diskname), with one difference: a destroyed volume holds its
 * name on the array until it is eradicated, and so takes its number. Pure.
 */

#include "array/name.h"

enum {
	DISKNAME_COUNT = 1024, /* disks a guest; Proxmox' $MAX_VOLUMES_PER_GUEST */
	DISKNAME_MAX = 32,     /* "vm-999999999-disk-1023" and its NUL */
};

/* The numbers of one guest. */
struct diskname_taken {
	uint32_t vmid;
	uint64_t bits[DISKNAME_COUNT / 64];
};

/* "vm-N-disk-M" and "base-N-disk-M" of that guest take M; other names take nothing. */
void diskname_take(struct diskname_taken *t, const char *volname);

/* -ENOSPC, with a sentence, when all are taken. */
int diskname_next(const struct diskname_taken *t, char ret[DISKNAME_MAX], struct err *e);

/* A name that somebody asks for: "vm-N-..." of that guest. -EINVAL with the form. */
int diskname_given(const char *volname, uint32_t vmid, struct err *e);

/* Made again under the same name, so that a destroyed one must not hold it: cloud-init drive, RAM
 * of a snapshot, fleecing image (facts F6). */
bool diskname_is_remade(const char *volname);
