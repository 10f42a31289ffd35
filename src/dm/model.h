/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The joined picture of a node: each mapping with its LV and VG by UUID, whether its table says
 * what the metadata says, who else covers its sectors, what it stands on, and who refers to it.
 * Built from one scan without asking anything more; pure.
 */

#include "dm/extents.h"
#include "dm/refs.h"
#include "dm/scan.h"
#include "pve/volname.h"

/* The live table beside the metadata of its LV (decisions 16). */
enum dm_table_state {
	DM_TABLE_AGREES, /* or there is nothing to compare */
	DM_TABLE_GROWN,	 /* a prefix of what the metadata has now */
	DM_TABLE_MOVED,	 /* some sector of it lies elsewhere now */
};

enum dm_map_kind {
	DM_MAP_LVM,	 /* a visible LV, or what was one */
	DM_MAP_HANDMADE, /* no subsystem's UUID and a name like a guest disk's */
	DM_MAP_OTHER,	 /* LVM's internals, partitions, multipath, crypt, everything else */
};

struct dm_mapping {
	const struct dm_dev *dev;
	enum dm_map_kind kind;
	struct dm_uuid id;
	const char *vg_name, *lv_name; /* as the dm name says; "" if it says nothing */
	struct volname shape;	       /* what that name would be in Proxmox */
	const struct lvm_vg *vg;       /* by UUID; NULL: not in the report */
	const struct lvm_lv *lv;       /* by UUID; NULL: not in that VG */
	const struct lvm_lv *namesake; /* another LV that has the place which the name claims */
	enum dm_table_state table;
	size_t host; /* the guest's mapping that this one stands on, DM_NONE without */
	size_t first_child, next_child; /* those that stand on this one; DM_NONE ends the list */
	size_t overlaps[OVERLAPS_MAX];	/* mappings that cover sectors of it */
	size_t n_overlaps;
	const struct lvm_lv *owners[OVERLAPS_MAX]; /* LVs that today's metadata gives them to */
	size_t n_owners;
};

#define DM_NONE SIZE_MAX

struct dm_model {
	const struct dm_scan *scan;
	const char *node;
	struct dm_mapping *mappings; /* as scan->dm.items */
	size_t n;
	struct dm_refs refs;
	struct segments *tables;	   /* by mapping */
	const struct lvm_lv **lvs_by_name; /* all, by VG's and own name */
	size_t n_lvs;
	const struct lvm_lv **thin_lvs; /* by pool and thin id */
	size_t n_thin_lvs;
	struct arena arena;
};

/* @scan must outlive the model. */
void dm_model_build(struct dm_model *m, const struct dm_scan *scan);
void dm_model_done(struct dm_model *m);

/* An enabled lvm or lvmthin storage of this node names that VG. */
bool dm_model_vg_served(const struct dm_model *m, const char *vg_name);

/*
 * Proxmox' VG/LV may mean another volume than @lv: a second VG of that name is active here, or has
 * an LV of that name. One that is neither is no doubt: it may be inside a guest's disk, hidden by a
 * filter that --devices passes over.
 */
bool dm_model_ambiguous(const struct dm_model *m, const struct lvm_lv *lv);

/* Proxmox would list @lv as a volume of a storage of this node (decisions 11). */
bool dm_model_listed(const struct dm_model *m, const struct lvm_lv *lv);

/* The LV of that name, in the VG of that UUID (vg_uuid not NULL) or of that name. */
const struct lvm_lv *dm_model_lv_named(const struct dm_model *m, const char *vg_uuid,
				       const char *vg_name, const char *lv_name);

/*
 * Next reference to the mapping's volume, also as the snapshot of a volume that a config refers to;
 * *state begins at zero. Includes references through undefined storages (vg NULL).
 */
struct dm_ref_iter {
	struct dm_ref_run run;
	size_t at;
	int phase;
	size_t split;
	struct slice snap;
};
const struct dm_ref *dm_model_next_ref(const struct dm_model *m, const struct dm_mapping *map,
				       struct dm_ref_iter *state);
