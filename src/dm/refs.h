/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who refers to a logical volume: every volume id of every section of every guest of the cluster,
 * resolved through storage.cfg to (volume group, LV name) and sorted, so that a volume finds its
 * guests in O(log n). Names are what storage.cfg and configs have; that a VG name may stand for two
 * groups, or for another node's group, is for the judge.
 */

#include "pve/cluster.h"

struct dm_ref {
	const char *vg; /* NULL: the storage is not in storage.cfg, so any VG may be meant */
	const char *lv;
	const struct guest *guest;
	const struct guest_volume *volume;
	const struct storage *storage; /* NULL: by path, or undefined */
};

struct dm_refs {
	struct dm_ref *items; /* VEC(), sorted by lv, then vg */
	size_t n, cap;
	struct {
		struct dm_ref *items; /* lv = a device-mapper name: /dev/mapper/NAME in a config */
		size_t n, cap;
	} by_path;
};

void dm_refs_build(struct dm_refs *ret, const struct cluster *c, struct arena *a);
void dm_refs_done(struct dm_refs *r);

/* A run of references; its items are contiguous in the index they come from. */
struct dm_ref_run {
	const struct dm_ref *items;
	size_t n;
};

/* All references to an LV of that name in whatever VG; the caller looks at each one's vg. */
struct dm_ref_run dm_refs_named(const struct dm_refs *r, struct slice lv);

/* References by the path /dev/mapper/NAME. */
struct dm_ref_run dm_refs_path(const struct dm_refs *r, const char *dm_name);
