/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* One look at a node, joined and judged: what the check shows and what cleaning goes by. */

#include "dm/judge.h"

struct dm_look {
	struct dm_scan scan;
	struct dm_model model;
	struct dm_verdict *verdicts; /* by mapping */
};

/* A new look in *@ret, which the caller frees. Fails as dm_scan_read(). */
int dm_look_take(struct dm_look **ret, const struct root *root, const struct dm_options *o,
		 struct err *e);

/*
 * A new look at all that answers at once: device-mapper, /etc/pve, who works on guests. What LVM
 * and /sys said is taken from @before, which must outlive the new look.
 */
int dm_look_again(struct dm_look **ret, const struct dm_look *before, const struct root *root,
		  const struct dm_options *o, struct err *e);
void dm_look_free(struct dm_look *l);

/* Index of the mapping that has @d's device number, name and UUID, or DM_NONE. */
size_t dm_look_find(const struct dm_look *l, const struct dm_dev *d);

/* Mapping @i concerns guest @vmid, by reference or by its name. */
bool dm_concerns(const struct dm_look *l, size_t i, uint32_t vmid);
