/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/lvmreport.h"

#include <ctype.h>
#include <errno.h>

#include "util/clock.h"
#include "util/buf.h"
#include "util/json.h"
#include "util/str.h"

/* Only what is used: each field costs time for each volume, in LVM and here. */
const char *const lvmreport_args[] = {
	"--reportformat",
	"json",
	"--units",
	"b",
	"--nosuffix",
	"-a",
	"--configreport",
	"vg",
	"-o",
	"vg_name,vg_uuid,vg_seqno,vg_extent_size,vg_exported,vg_lock_type,vg_systemid,"
	"vg_missing_pv_count,vg_autoactivation,vg_size,vg_free",
	"--configreport",
	"pv",
	"-o",
	"pv_name,pv_uuid,pv_major,pv_minor,pe_start,pv_missing,pv_duplicate",
	"--configreport",
	"lv",
	"-o",
	"lv_name,lv_uuid,lv_attr,lv_size,lv_tags,lv_time,lv_autoactivation,pool_lv_uuid",
	"--configreport",
	"seg",
	"-o",
	"lv_uuid,thin_id,segtype,seg_start,seg_size,stripe_size,seg_le_ranges",
	"--configreport",
	"pvseg",
	"-o",
	"pvseg_start",
	NULL,
};

/* What a report says of one VG, while it is taken apart. */
struct context {
	struct arena *arena;
	const char *what;
	struct err *err;
	struct duplicates {
		const char **items; /* ids of PVs that are seen on several devices */
		size_t n, cap;
	} * duplicates;
};

static int broken(const struct context *c, const char *which, const char *field)
{
	return err_set(c->err, -EBADMSG, "%s: %s without a usable %s", c->what, which, field);
}

static struct slice text_of(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);

	if (!json_is_string(v))
		return SLICE("");
	return (struct slice){ json_string_value(v), json_string_length(v) };
}

static const char *keep(const struct context *c, const json_t *row, const char *key)
{
	struct slice s = text_of(row, key);

	return slice_empty(s) ? "" : arena_str(c->arena, s);
}

/* LVM prints flags as their own name or "", and as 1 or 0 if lvm.conf wants binary values. */
static bool flag(const json_t *row, const char *key)
{
	struct slice s = text_of(row, key);

	return !slice_empty(s) && !slice_eq(s, "0");
}

static bool id_of(const json_t *row, const char *key, char ret[LVM_ID_LEN + 1])
{
	return lvm_id_parse(text_of(row, key), ret);
}

static int parse_pv(const struct context *c, struct lvm_pv *pv, const json_t *row)
{
	uint64_t dev_major, dev_minor;

	pv->name = keep(c, row, "pv_name");
	if (!id_of(row, "pv_uuid", pv->uuid))
		return broken(c, "a physical volume", "pv_uuid");
	pv->missing = flag(row, "pv_missing");
	pv->duplicate = flag(row, "pv_duplicate");
	/* A PV that is not there is said to be 0:0. */
	if (json_u64(row, "pv_major", &dev_major) && json_u64(row, "pv_minor", &dev_minor) &&
	    !pv->missing) {
		pv->have_dev = true;
		pv->dev = (struct devno){ (uint32_t)dev_major, (uint32_t)dev_minor };
	}
	if (!json_u64(row, "pe_start", &pv->pe_start))
		return broken(c, "a physical volume", "pe_start");
	return 0;
}

static int parse_lv(const struct context *c, struct lvm_lv *lv, const json_t *row)
{
	struct slice name = text_of(row, "lv_name");

	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']') {
		lv->internal = true;
		name = (struct slice){ name.p + 1, name.n - 2 };
	}
	lv->name = arena_str(c->arena, name);
	lv->attr = keep(c, row, "lv_attr");
	lv->tags = keep(c, row, "lv_tags");
	lv->autoactivation = flag(row, "lv_autoactivation");
	(void)clock_parse(text_of(row, "lv_time"), &lv->created);
	(void)id_of(row, "pool_lv_uuid", lv->pool_uuid);
	if (!id_of(row, "lv_uuid", lv->uuid))
		return broken(c, "a logical volume", "lv_uuid");
	if (strlen(lv->attr) < 6)
		return broken(c, "a logical volume", "lv_attr");
	if (!json_u64(row, "lv_size", &lv->size))
		return broken(c, "a logical volume", "lv_size");
	return 0;
}

static const struct lvm_pv *pv_named(const struct lvm_vg *vg, struct slice name)
{
	for (size_t i = 0; i < vg->n_pvs; i++)
		if (slice_eq(name, vg->pvs[i].name))
			return &vg->pvs[i];
	return NULL;
}

/* "/dev/sda3:8-11": the device, then first and last extent. */
static void parse_area(const struct lvm_vg *vg, struct lvm_area *area, struct slice text)
{
	size_t colon = text.n;
	struct slice extents;

	while (colon > 0 && text.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return;
	extents = slice_from(text, colon);
	extents.n = slice_find(extents, '-');
	if (str_to_u64(extents, &area->first_extent))
		area->pv = pv_named(vg, (struct slice){ text.p, colon - 1 });
}

static void parse_areas(const struct context *c, const struct lvm_vg *vg, struct lvm_seg *seg,
			struct slice ranges)
{
	struct slice count = ranges, piece;

	while (slice_split(&count, ' ', &piece))
		seg->n_areas++;
	seg->areas = arena_alloc(c->arena, seg->n_areas * sizeof(*seg->areas));
	for (size_t i = 0; slice_split(&ranges, ' ', &piece); i++)
		parse_area(vg, &seg->areas[i], piece);
}

static int parse_seg(const struct context *c, const struct lvm_vg *vg, struct lvm_seg *seg,
		     const json_t *row)
{
	seg->type = keep(c, row, "segtype");
	if (!json_u64(row, "seg_start", &seg->start) || !json_u64(row, "seg_size", &seg->size))
		return broken(c, "a segment", "place and size");
	(void)json_u64(row, "stripe_size", &seg->stripe_size);
	(void)json_u64(row, "thin_id", &seg->thin_id);
	parse_areas(c, vg, seg, text_of(row, "seg_le_ranges"));
	return 0;
}

static int by_lv_uuid(const void *a, const void *b)
{
	return memcmp(((const struct lvm_lv *)a)->uuid, ((const struct lvm_lv *)b)->uuid,
		      LVM_ID_LEN);
}

static int by_vg_uuid(const void *a, const void *b)
{
	return memcmp(((const struct lvm_vg *)a)->uuid, ((const struct lvm_vg *)b)->uuid,
		      LVM_ID_LEN);
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct lvm_seg *)a)->start, y = ((const struct lvm_seg *)b)->start;

	return x < y ? -1 : x > y;
}

static struct lvm_lv *lv_of_row(const struct lvm_vg *vg, const json_t *row)
{
	struct lvm_lv key;

	if (!vg->n_lvs || !id_of(row, "lv_uuid", key.uuid))
		return NULL;
	return bsearch(&key, vg->lvs, vg->n_lvs, sizeof(key), by_lv_uuid);
}

/* Segments arrive in LVM's order, not grouped: count them for each LV, then place them. */
static int parse_segs(const struct context *c, struct lvm_vg *vg, const json_t *rows)
{
	json_t *row;
	size_t i;
	int r;

	json_array_foreach(rows, i, row)
	{
		struct lvm_lv *lv = lv_of_row(vg, row);

		if (!lv)
			return broken(c, "a segment", "lv_uuid");
		lv->n_segs++;
	}
	for (i = 0; i < vg->n_lvs; i++) {
		vg->lvs[i].segs = arena_alloc(c->arena, vg->lvs[i].n_segs * sizeof(struct lvm_seg));
		vg->lvs[i].n_segs = 0;
	}
	json_array_foreach(rows, i, row)
	{
		struct lvm_lv *lv = lv_of_row(vg, row);

		r = parse_seg(c, vg, &lv->segs[lv->n_segs++], row);
		if (r < 0)
			return r;
	}
	for (i = 0; i < vg->n_lvs; i++)
		if (vg->lvs[i].n_segs > 1)
			qsort(vg->lvs[i].segs, vg->lvs[i].n_segs, sizeof(struct lvm_seg), by_start);
	return 0;
}

static int parse_vg_row(const struct context *c, struct lvm_vg *vg, const json_t *row)
{
	vg->name = keep(c, row, "vg_name");
	vg->lock_type = keep(c, row, "vg_lock_type");
	vg->system_id = keep(c, row, "vg_systemid");
	vg->exported = flag(row, "vg_exported");
	vg->autoactivation = flag(row, "vg_autoactivation");
	if (!json_u64(row, "vg_seqno", &vg->seqno) ||
	    !json_u64(row, "vg_extent_size", &vg->extent_size) || !vg->extent_size)
		return broken(c, "a volume group", "vg_seqno and vg_extent_size");
	/* Absent in recordings of older versions. */
	vg->have_size = json_u64(row, "vg_size", &vg->size) &&
			json_u64(row, "vg_free", &vg->free) && vg->free <= vg->size;
	if (!json_u64(row, "vg_missing_pv_count", &vg->missing_pvs))
		return broken(c, "a volume group", "vg_missing_pv_count");
	return 0;
}

static int parse_pvs(const struct context *c, struct lvm_vg *vg, const json_t *rows)
{
	json_t *row;
	size_t i;

	vg->pvs = arena_alloc(c->arena, json_array_size(rows) * sizeof(*vg->pvs));
	json_array_foreach(rows, i, row)
	{
		struct lvm_pv *pv = &vg->pvs[vg->n_pvs++];
		int r = parse_pv(c, pv, row);

		if (r < 0)
			return r;
		vg->missing_pvs += pv->missing && !vg->missing_pvs;
		vg->duplicate_pvs |= pv->duplicate;
	}
	return 0;
}

static int parse_lvs(const struct context *c, struct lvm_vg *vg, const json_t *rows)
{
	json_t *row;
	size_t i;

	vg->lvs = arena_alloc(c->arena, json_array_size(rows) * sizeof(*vg->lvs));
	json_array_foreach(rows, i, row)
	{
		struct lvm_lv *lv = &vg->lvs[vg->n_lvs++];
		int r = parse_lv(c, lv, row);

		if (r < 0)
			return r;
		lv->vg = vg;
	}
	if (vg->n_lvs)
		qsort(vg->lvs, vg->n_lvs, sizeof(*vg->lvs), by_lv_uuid);
	return 0;
}

/* LVM lists the device that it did not choose of two with one PV outside of any VG. */
static void note_duplicates(const struct context *c, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		char id[LVM_ID_LEN + 1];

		if (flag(row, "pv_duplicate") && id_of(row, "pv_uuid", id))
			*vec_push(c->duplicates) = arena_strndup(c->arena, id, LVM_ID_LEN);
	}
}

static void mark_duplicates(struct lvm_report *report, const struct duplicates *found)
{
	for (size_t i = 0; i < report->n_vgs; i++)
		for (size_t k = 0; k < report->vgs[i].n_pvs; k++)
			vec_each (id, found)
				if (strcmp(*id, report->vgs[i].pvs[k].uuid) == 0)
					report->vgs[i].duplicate_pvs = true;
}

/* One element of "report". PVs that belong to no VG come in one without a VG's UUID: skipped. */
static int parse_vg(const struct context *c, struct lvm_report *report, const json_t *obj)
{
	const json_t *row = json_array_get(json_arr(obj, "vg"), 0);
	struct lvm_vg *vg = &report->vgs[report->n_vgs];
	int r;

	if (!row || !id_of(row, "vg_uuid", vg->uuid)) {
		note_duplicates(c, json_arr(obj, "pv"));
		return 0;
	}
	if (!json_arr(obj, "pv") || !json_arr(obj, "lv") || !json_arr(obj, "seg"))
		return err_set(c->err, -EBADMSG, "%s: the report ends early", c->what);
	report->n_vgs++;
	r = parse_vg_row(c, vg, row);
	if (r == 0)
		r = parse_pvs(c, vg, json_arr(obj, "pv"));
	if (r == 0)
		r = parse_lvs(c, vg, json_arr(obj, "lv"));
	return r < 0 ? r : parse_segs(c, vg, json_arr(obj, "seg"));
}

int lvmreport_parse(struct lvm_report *ret, struct slice text, const char *what, struct arena *a,
		    struct err *e)
{
	struct duplicates duplicates = {};
	struct context c = { .arena = a, .what = what, .err = e, .duplicates = &duplicates };
	json_t *doc = NULL, *list, *obj;
	size_t i;
	int r = json_parse_bulk(text, what, &doc, e);

	if (r < 0)
		return r;
	*ret = (struct lvm_report){};
	list = json_arr(doc, "report");
	if (!list)
		r = err_set(e, -EBADMSG, "%s: no \"report\" in it", what);
	ret->vgs = arena_alloc(a, json_array_size(list) * sizeof(*ret->vgs));
	json_array_foreach(list, i, obj)
	{
		r = parse_vg(&c, ret, obj);
		if (r < 0)
			break;
	}
	json_decref(doc);
	mark_duplicates(ret, &duplicates);
	vec_free(&duplicates);
	if (r < 0)
		return r;
	if (ret->n_vgs)
		qsort(ret->vgs, ret->n_vgs, sizeof(*ret->vgs), by_vg_uuid);
	/* LVs point back at their VG, which the sort has moved. */
	for (i = 0; i < ret->n_vgs; i++)
		for (size_t k = 0; k < ret->vgs[i].n_lvs; k++)
			ret->vgs[i].lvs[k].vg = &ret->vgs[i];
	return 0;
}

const struct lvm_vg *lvm_find_vg(const struct lvm_report *r, struct slice uuid)
{
	struct lvm_vg key;

	if (!r->n_vgs || !lvm_id_parse(uuid, key.uuid))
		return NULL;
	return bsearch(&key, r->vgs, r->n_vgs, sizeof(key), by_vg_uuid);
}

const struct lvm_lv *lvm_find_lv(const struct lvm_vg *vg, struct slice uuid)
{
	struct lvm_lv key;

	if (!vg->n_lvs || !lvm_id_parse(uuid, key.uuid))
		return NULL;
	return bsearch(&key, vg->lvs, vg->n_lvs, sizeof(key), by_lv_uuid);
}

const char *lvm_vg_doubt(const struct lvm_vg *vg)
{
	/* A VG with another host's system ID needs no question: LVM leaves it out of the report,
	 * and so it counts as not seen. */
	if (vg->missing_pvs)
		return "physical volumes of it are missing";
	if (vg->duplicate_pvs)
		return "a physical volume of it is seen on several devices";
	if (vg->exported)
		return "it is exported";
	if (*vg->lock_type && strcmp(vg->lock_type, "none") != 0)
		return "it is locked by lvmlockd, which this program does not ask";
	return NULL;
}

bool lvm_lv_is_changing(const struct lvm_lv *lv)
{
	/* 1: pvmove, conversion, merging; 3: upper case while changes of the allocation are barred.
	 */
	return strchr("pcOS", lv->attr[0]) || isupper((unsigned char)lv->attr[2]);
}

bool lvm_lv_has_tag(const struct lvm_lv *lv, const char *tag)
{
	struct slice rest = slice_of(lv->tags), one;

	while (slice_split(&rest, ',', &one))
		if (slice_eq(one, tag))
			return true;
	return false;
}

const char *lvm_pv_list(const struct lvm_vg *vg, struct arena *a)
{
	CLEANUP(buf_done) struct buf list = {};

	for (size_t i = 0; i < vg->n_pvs; i++)
		buf_addf(&list, "%s%s", i ? "," : "", vg->pvs[i].name);
	return arena_str(a, buf_slice(&list));
}

const char *lvm_lv_selection(const struct lvm_lv *lv, struct arena *a)
{
	char vg_id[LVM_ID_LEN + 7], lv_id[LVM_ID_LEN + 7];

	lvm_id_format(vg_id, lv->vg->uuid);
	lvm_id_format(lv_id, lv->uuid);
	return arena_fmt(a, "vg_uuid=\"%s\" && lv_uuid=\"%s\"", vg_id, lv_id);
}
