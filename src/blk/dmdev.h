/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What device-mapper says, asked by list, table (which answers info as well) and deps alone, always
 * without flushing: these answer at once even when a disk below has died (decisions 6). The only
 * file that knows libdevmapper. On a recorded node the same comes from capture/dm.txt.
 */

#include "blk/dmname.h"
#include "blk/dmtable.h"
#include "pve/root.h"
#include "util/err.h"

struct dm_dev {
	const char *name, *uuid; /* uuid "" without one */
	struct devno dev;
	uint32_t open_count, event_nr;
	bool suspended, read_only;
	bool inactive_table; /* a second table waits to become live */
	struct dm_target *targets;
	size_t n_targets;
	struct devno *deps;
	size_t n_deps;
	unsigned int active_paths; /* of a multipath map */
};

struct dm_set {
	struct dm_dev *items; /* sorted by device number */
	size_t n;
};

/*
 * All devices. A device that goes away while we read is left out. -ENODEV: this kernel has no
 * device-mapper. Memory is @a's.
 */
int dmdev_read(struct dm_set *ret, const struct root *root, struct arena *a, struct err *e);

/*
 * One device of the live machine, found by its UUID, or by its name where it has none. -ENXIO:
 * there is none. -EAGAIN: what answered has another name or UUID than @like.
 */
int dmdev_read_one(struct dm_dev *ret, const struct dm_dev *like, struct arena *a, struct err *e);

/* The same by UUID alone, whatever its name. -ENXIO: there is none. */
int dmdev_find(struct dm_dev *ret, const char *uuid, struct arena *a, struct err *e);

const struct dm_dev *dm_set_find(const struct dm_set *set, struct devno dev);

/* The same mode and the same table, word by word. */
bool dm_same_table(const struct dm_dev *a, const struct dm_dev *b);

/* Version of the driver and the library, for `capture`; "" if unknown. Live only. */
void dmdev_versions(char driver[64], char library[64]);
