/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/tablecmp.h"

#include "util/str.h"

#define SECTOR 512

static bool expected_segment(const struct lvm_lv *lv, const struct lvm_seg *from,
			     struct segment *ret, struct arena *a)
{
	if ((strcmp(from->type, "linear") != 0 && strcmp(from->type, "striped") != 0) ||
	    !from->n_areas)
		return false;
	*ret = (struct segment){ .start = from->start / SECTOR,
				 .length = from->size / SECTOR,
				 .n_legs = (uint32_t)from->n_areas,
				 .chunk = from->n_areas > 1 ? from->stripe_size / SECTOR : 0,
				 .legs = arena_alloc(a, from->n_areas * sizeof(struct leg)) };
	for (size_t i = 0; i < from->n_areas; i++) {
		const struct lvm_area *area = &from->areas[i];

		if (!area->pv || !area->pv->have_dev)
			return false;
		ret->legs[i].dev = area->pv->dev;
		ret->legs[i].offset =
			(area->pv->pe_start + area->first_extent * lv->vg->extent_size) / SECTOR;
	}
	return true;
}

bool dm_table_expected(const struct lvm_lv *lv, struct segments *ret, struct arena *a)
{
	for (size_t i = 0; i < lv->n_segs; i++) {
		struct segment seg;

		if (!expected_segment(lv, &lv->segs[i], &seg, a))
			return false;
		segments_add(ret, &seg);
	}
	return ret->n > 0;
}

static bool same_place(const struct resolver *r, const struct segment *live,
		       const struct segment *meta)
{
	if (live->start != meta->start || live->chunk != meta->chunk ||
	    live->n_legs != meta->n_legs)
		return false;
	for (uint32_t i = 0; i < live->n_legs; i++) {
		uint64_t length = live->length / live->n_legs;
		struct leg x = resolve(r, live->legs[i], length);
		struct leg y = resolve(r, meta->legs[i], length);

		if (!devno_eq(x.dev, y.dev) || x.offset != y.offset)
			return false;
	}
	return true;
}

static enum dm_table_state compare_segments(const struct resolver *r, const struct segments *live,
					    const struct segments *meta)
{
	for (size_t i = 0; i < live->n; i++) {
		const struct segment *x = &live->items[i];
		const struct segment *y = &meta->items[i];

		if (i >= meta->n || x->length > y->length || !same_place(r, x, y))
			return DM_TABLE_MOVED;
		if (x->length < y->length)
			return i + 1 == live->n ? DM_TABLE_GROWN : DM_TABLE_MOVED;
	}
	return live->n < meta->n ? DM_TABLE_GROWN : DM_TABLE_AGREES;
}

static enum dm_table_state compare_length(const struct dm_dev *dev, const struct lvm_lv *lv)
{
	uint64_t live = dmtable_length(dev->targets, dev->n_targets), meta = lv->size / SECTOR;

	if (live > meta)
		return DM_TABLE_MOVED;
	return live < meta ? DM_TABLE_GROWN : DM_TABLE_AGREES;
}

static enum dm_table_state compare_thin(const struct dm_model *m, const struct dm_dev *dev,
					const struct lvm_lv *lv)
{
	const struct dm_dev *pool;
	struct devno pool_dev;
	struct dm_uuid id;
	uint64_t thin_id;

	if (dev->n_targets != 1 || dmtable_thin(&dev->targets[0], &pool_dev, &thin_id) < 0)
		return DM_TABLE_MOVED;
	pool = dm_set_find(&m->scan->dm, pool_dev);
	id = dmuuid_parse(pool ? pool->uuid : "");
	if (!slice_eq(id.vg, lv->vg->uuid) || !slice_eq(id.lv, lv->pool_uuid) || !lv->n_segs ||
	    lv->segs[0].thin_id != thin_id)
		return DM_TABLE_MOVED;
	return compare_length(dev, lv);
}

/* The device that holds an origin's own blocks while it has thick snapshots. */
static const struct dm_dev *real_of(const struct dm_model *m, const struct dm_dev *top)
{
	struct dm_uuid id = dmuuid_parse(top->uuid);

	for (size_t i = 0; i < top->n_deps; i++) {
		const struct dm_dev *d = dm_set_find(&m->scan->dm, top->deps[i]);
		struct dm_uuid below = dmuuid_parse(d ? d->uuid : "");

		if (below.kind == DM_UUID_LVM_INTERNAL && slice_eq(below.rest, "-real") &&
		    slice_eq2(below.lv, id.lv))
			return d;
	}
	return NULL;
}

static bool is_snapshot_origin(const struct dm_dev *dev)
{
	return dev->n_targets == 1 && strcmp(dev->targets[0].type, "snapshot-origin") == 0;
}

enum dm_table_state dm_table_compare(const struct dm_model *m, const struct resolver *r,
				     const struct dm_dev *dev, const struct lvm_lv *lv)
{
	CLEANUP(segments_done) struct segments meta = {};
	CLEANUP(arena_done) struct arena scratch = {};
	const struct segments *live;

	if (lvm_lv_is_thin(lv))
		return compare_thin(m, dev, lv);
	/* A thick snapshot is as long as its origin; its own size is that of its store. */
	if (lv->attr[0] == 's')
		return DM_TABLE_AGREES;
	if (lv->attr[0] == 'o' && is_snapshot_origin(dev)) {
		dev = real_of(m, dev);
		if (!dev)
			return DM_TABLE_AGREES;
	}
	if ((lv->attr[0] != '-' && lv->attr[0] != 'o') || !dm_table_expected(lv, &meta, &scratch))
		return compare_length(dev, lv);
	/* A live table that is not all linear or striped has no segments: another type. */
	live = &m->tables[dev - m->scan->dm.items];
	if (!live->n && dev->n_targets)
		return DM_TABLE_MOVED;
	return compare_segments(r, live, &meta);
}
