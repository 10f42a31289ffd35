/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The recorded form of all device-mapper devices, a text that a person can read and write:
 *
 *	# pvewarden.dm-record/1
 *	device 253:7 open 1 event 0 flags -       (or: suspended,readonly,inactive)
 *	name vg-vm--100--disk--0
 *	uuid LVM-...                              (left out without one)
 *	deps 7:0 7:1                              (left out without any)
 *	target 0 32768 linear 7:0 67584
 *	paths 2                                   (of a multipath map)
 */

#include "blk/dmdev.h"

#define DMREC_PATH "capture/dm.txt"

void dmrec_write(const struct dm_set *set, struct buf *out);
int dmrec_parse(struct dm_set *ret, struct slice text, const char *file, struct arena *a,
		struct err *e);

/* Sorts by device number, as dm_set wants it. */
void dm_set_sort(struct dm_set *set);
