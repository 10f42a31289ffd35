/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "node_fixture.h"

const struct dm_options fixture_options = { .min_age = 86400 };

void fixture_make(struct fixture *f)
{
	*f = (struct fixture){ .quorate = "true" };
	tree_make(&f->tree);
}

void fixture_done(struct fixture *f)
{
	if (f->checked)
		dm_check_done(&f->check);
	for (size_t i = 0; i < f->vgs.n; i++) {
		for (size_t k = 0; k < f->vgs.items[i]->lvs.n; k++)
			vec_free(&f->vgs.items[i]->lvs.items[k]->segs);
		vec_free(&f->vgs.items[i]->lvs);
		vec_free(&f->vgs.items[i]->pvs);
	}
	for (size_t i = 0; i < f->maps.n; i++) {
		vec_free(&f->maps.items[i]->targets);
		vec_free(&f->maps.items[i]->deps);
	}
	vec_free(&f->vgs);
	vec_free(&f->maps);
	buf_done(&f->storages);
	buf_done(&f->unix_sockets);
	buf_done(&f->tasks);
	buf_done(&f->flocks);
	buf_done(&f->users);
	tree_done(&f->tree);
	arena_done(&f->arena);
}

static const char *keep(struct fixture *f, const char *text)
{
	return arena_str(&f->arena, slice_of(text));
}

static void new_id(struct fixture *f, char kind, char ret[LVM_ID_LEN + 1])
{
	char text[LVM_ID_LEN + 1];

	(void)snprintf(text, sizeof(text), "%c%031u", kind, ++f->serial);
	memcpy(ret, text, sizeof(text));
}

struct fx_pv *fixture_pv(struct fixture *f, struct fx_vg *vg)
{
	struct fx_pv *pv = arena_alloc(&f->arena, sizeof(*pv));

	new_id(f, 'P', pv->uuid);
	pv->dev = (struct devno){ 8, 16 * f->serial };
	pv->name = arena_fmt(&f->arena, "/dev/sd%u", f->serial);
	*vec_push(&vg->pvs) = pv;
	return pv;
}

struct fx_vg *fixture_vg(struct fixture *f, const char *name)
{
	struct fx_vg *vg = arena_alloc(&f->arena, sizeof(*vg));

	vg->name = keep(f, name);
	vg->exported = vg->lock_type = vg->system_id = "";
	new_id(f, 'G', vg->uuid);
	*vec_push(&f->vgs) = vg;
	(void)fixture_pv(f, vg);
	return vg;
}

struct fx_lv *fixture_bare_lv(struct fixture *f, struct fx_vg *vg, const char *name)
{
	struct fx_lv *lv = arena_alloc(&f->arena, sizeof(*lv));

	lv->vg = vg;
	lv->name = keep(f, name);
	lv->attr = "-wi-XX----";
	lv->tags = "";
	lv->time = "2026-10-01 10:00:00 +0000";
	lv->role = "public";
	lv->layout = "linear";
	new_id(f, 'L', lv->uuid);
	*vec_push(&vg->lvs) = lv;
	return lv;
}

void fixture_segment(struct fx_lv *lv, struct fx_pv *pv, uint64_t first, uint64_t extents)
{
	struct fx_seg *seg = vec_push(&lv->segs);

	*seg = (struct fx_seg){ .type = "linear", .start = lv->extents, .size = extents };
	seg->n_areas = 1;
	seg->areas[0].pv = pv;
	seg->areas[0].first = first;
	lv->extents += extents;
	if (first + extents > pv->next_extent)
		pv->next_extent = first + extents;
}

void fixture_striped(struct fx_lv *lv, struct fx_pv *a, uint64_t first_a, struct fx_pv *b,
		     uint64_t first_b, uint64_t extents, uint64_t stripe)
{
	struct fx_seg *seg = vec_push(&lv->segs);

	*seg = (struct fx_seg){
		.type = "striped", .start = lv->extents, .size = extents, .stripe = stripe
	};
	seg->n_areas = 2;
	seg->areas[0].pv = a;
	seg->areas[0].first = first_a;
	seg->areas[1].pv = b;
	seg->areas[1].first = first_b;
	lv->extents += extents;
}

struct fx_lv *fixture_lv(struct fixture *f, struct fx_vg *vg, const char *name, uint64_t extents)
{
	struct fx_lv *lv = fixture_bare_lv(f, vg, name);

	fixture_segment(lv, vg->pvs.items[0], vg->pvs.items[0]->next_extent, extents);
	return lv;
}

struct fx_lv *fixture_pool(struct fixture *f, struct fx_vg *vg, const char *name)
{
	struct fx_lv *pool = fixture_bare_lv(f, vg, name);

	pool->attr = "twi-XXtz--";
	pool->layout = "thin,pool";
	pool->extents = 16;
	*vec_push(&pool->segs) = (struct fx_seg){
		.type = "thin-pool",
		.size = 16,
		.ranges = arena_fmt(&f->arena, "[%s_tdata]:0-15", name),
	};
	return pool;
}

struct fx_lv *fixture_thin(struct fixture *f, struct fx_lv *pool, const char *name,
			   uint64_t extents)
{
	struct fx_lv *lv = fixture_bare_lv(f, pool->vg, name);

	lv->attr = "Vwi-XXtz--";
	lv->layout = "thin,sparse";
	lv->pool = pool;
	lv->thin_id = ++f->thin_ids;
	lv->extents = extents;
	*vec_push(&lv->segs) = (struct fx_seg){ .type = "thin", .size = extents, .ranges = "" };
	return lv;
}

uint64_t fixture_sector(uint64_t extent)
{
	return FX_PE_START + extent * FX_EXTENT;
}

const char *fixture_uuid(struct fixture *f, const struct fx_lv *lv, const char *suffix)
{
	return arena_fmt(&f->arena, "LVM-%s%s%s", lv->vg->uuid, lv->uuid, suffix);
}

struct fx_map *fixture_raw(struct fixture *f, const char *name, const char *uuid)
{
	struct fx_map *map = arena_alloc(&f->arena, sizeof(*map));

	map->name = keep(f, name);
	map->uuid = keep(f, uuid);
	map->flags = "-";
	map->dev = (struct devno){ 253, (uint32_t)f->maps.n };
	*vec_push(&f->maps) = map;
	return map;
}

void fixture_dep(struct fx_map *map, struct devno dev)
{
	vec_each (old, &map->deps)
		if (devno_eq(*old, dev))
			return;
	*vec_push(&map->deps) = dev;
}

void fixture_target(struct fixture *f, struct fx_map *map, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*vec_push(&map->targets) = keep(f, text);
}

struct fx_map *fixture_find(struct fixture *f, const char *name)
{
	vec_each (map, &f->maps)
		if (strcmp((*map)->name, name) == 0)
			return *map;
	return NULL;
}

static struct fx_map *map_pool(struct fixture *f, struct fx_lv *pool)
{
	const char *uuid = fixture_uuid(f, pool, "-tpool");
	char name[DM_NAME_SIZE];
	struct fx_map *map;

	vec_each (old, &f->maps)
		if (strcmp((*old)->uuid, uuid) == 0)
			return *old;
	assert_true(dmname_build(name, pool->vg->name, pool->name));
	map = fixture_raw(f, arena_fmt(&f->arena, "%s-tpool", name), uuid);
	fixture_target(f, map, "0 %d thin-pool 253:90 253:91 128 0 0", 16 * FX_EXTENT);
	return map;
}

static void map_segment(struct fixture *f, struct fx_map *map, const struct fx_seg *seg)
{
	unsigned long long start = seg->start * FX_EXTENT, length = seg->size * FX_EXTENT;
	char legs[256] = "";

	for (size_t i = 0; i < seg->n_areas; i++) {
		const struct fx_pv *pv = seg->areas[i].pv;
		size_t n = strlen(legs);

		(void)snprintf(legs + n, sizeof(legs) - n, " " DEVNO_FMT " %llu",
			       DEVNO_ARG(pv->dev),
			       (unsigned long long)fixture_sector(seg->areas[i].first));
		fixture_dep(map, pv->dev);
	}
	if (seg->n_areas == 1)
		fixture_target(f, map, "%llu %llu linear%s", start, length, legs);
	else
		fixture_target(f, map, "%llu %llu striped %zu %llu%s", start, length, seg->n_areas,
			       (unsigned long long)seg->stripe / 512, legs);
}

struct fx_map *fixture_map(struct fixture *f, struct fx_lv *lv)
{
	char name[DM_NAME_SIZE];
	struct fx_map *map, *pool = lv->pool ? map_pool(f, lv->pool) : NULL;

	assert_true(dmname_build(name, lv->vg->name, lv->name));
	map = fixture_raw(f, name, fixture_uuid(f, lv, ""));
	if (pool) {
		fixture_target(f, map, "0 %llu thin " DEVNO_FMT " %u",
			       (unsigned long long)lv->extents * FX_EXTENT, DEVNO_ARG(pool->dev),
			       lv->thin_id);
		fixture_dep(map, pool->dev);
	}
	for (size_t i = 0; !pool && i < lv->segs.n; i++)
		map_segment(f, map, &lv->segs.items[i]);
	return map;
}

const struct dm_mapping *fixture_mapping(const struct fixture *f, const struct fx_map *map)
{
	const struct dm_model *m = &f->check.look->model;

	for (size_t i = 0; i < m->n; i++)
		if (devno_eq(m->mappings[i].dev->dev, map->dev))
			return &m->mappings[i];
	fail_msg("%s is not in the model", map->name);
	return NULL;
}

const struct dm_verdict *fixture_verdict(const struct fixture *f, const struct fx_map *map)
{
	const struct dm_mapping *m = fixture_mapping(f, map);

	return &f->check.look->verdicts[m - f->check.look->model.mappings];
}

const struct dm_check *fixture_check(struct fixture *f, const struct dm_options *o)
{
	struct err e = {};

	fixture_write(f);
	if (dm_check_run(&f->check, &f->tree.root, o ? o : &fixture_options, &e) < 0)
		fail_msg("dm_check_run: %s", e.text);
	f->checked = true;
	return &f->check;
}
