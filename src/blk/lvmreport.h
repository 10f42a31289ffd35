/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * LVM's metadata as `lvm fullreport --reportformat json` prints it: volume groups, their physical
 * volumes, logical volumes and segments, joined by UUID. Activation is not read here: device-mapper
 * knows it. Ids are the 32 characters without hyphens; sizes are bytes.
 */

#include "blk/dmname.h"
#include "blk/dmtable.h"
#include "util/err.h"

struct lvm_pv {
	const char *name; /* "/dev/sda3" */
	char uuid[LVM_ID_LEN + 1];
	bool have_dev;
	struct devno dev;
	uint64_t pe_start;
	bool missing, duplicate;
};

/* One leg of a segment: extents of a physical volume. */
struct lvm_area {
	const struct lvm_pv *pv; /* NULL: lies on another LV, or on a PV that is not there */
	uint64_t first_extent;
};

struct lvm_seg {
	const char *type; /* "linear", "striped", "thin", ... */
	uint64_t start, size;
	uint64_t stripe_size;
	uint64_t thin_id;
	struct lvm_area *areas;
	size_t n_areas;
};

struct lvm_lv {
	const struct lvm_vg *vg;
	const char *name; /* without the brackets of an internal LV */
	char uuid[LVM_ID_LEN + 1];
	bool internal;
	const char *attr, *tags;
	uint64_t size;
	int64_t created; /* Unix seconds, 0 if unknown */
	bool autoactivation;
	char pool_uuid[LVM_ID_LEN + 1]; /* of a thin LV; "" otherwise */
	struct lvm_seg *segs;		/* in order */
	size_t n_segs;
};

struct lvm_vg {
	const char *name;
	char uuid[LVM_ID_LEN + 1];
	uint64_t seqno, extent_size;
	bool have_size;
	uint64_t size, free; /* bytes */
	bool exported, autoactivation;
	const char *lock_type, *system_id;
	uint64_t missing_pvs;
	bool duplicate_pvs;
	struct lvm_pv *pvs;
	size_t n_pvs;
	struct lvm_lv *lvs; /* sorted by uuid */
	size_t n_lvs;
};

struct lvm_report {
	struct lvm_vg *vgs; /* sorted by uuid */
	size_t n_vgs;
};

/* The fields that lvmreport_parse() needs, as arguments of `lvm fullreport`; NULL terminated. */
extern const char *const lvmreport_args[];

/* -EBADMSG with a sentence if @text is not such a report, whole. */
int lvmreport_parse(struct lvm_report *ret, struct slice text, const char *what, struct arena *a,
		    struct err *e);

const struct lvm_vg *lvm_find_vg(const struct lvm_report *r, struct slice uuid);
const struct lvm_lv *lvm_find_lv(const struct lvm_vg *vg, struct slice uuid);

/* NULL when nothing speaks against believing what this VG's report says; otherwise what does. */
const char *lvm_vg_doubt(const struct lvm_vg *vg);

/* Thin, as against thick: its blocks come from a pool. */
static inline bool lvm_lv_is_thin(const struct lvm_lv *lv)
{
	return lv->attr[0] == 'V';
}

/* A move or conversion of it is under way (lv_attr of lvs(8)). */
bool lvm_lv_is_changing(const struct lvm_lv *lv);

/* Has @tag among its comma separated tags. */
bool lvm_lv_has_tag(const struct lvm_lv *lv, const char *tag);

/* How lvchange is told which volume is meant: the group's disks, comma separated, for --devices,
 * and both UUIDs for --select. */
const char *lvm_pv_list(const struct lvm_vg *vg, struct arena *a);
const char *lvm_lv_selection(const struct lvm_lv *lv, struct arena *a);
