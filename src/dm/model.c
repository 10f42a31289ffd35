/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/model.h"

#include <stdio.h>

#include "dm/tablecmp.h"
#include "util/str.h"

enum { ANCESTORS_MAX = 64 };

/* The name's parts are worth keeping only where they can be an LV's. */
static void take_name(struct dm_model *m, struct dm_mapping *map)
{
	struct dm_lvm_name name;

	dmname_split(&name, map->dev->name);
	map->vg_name = arena_str(&m->arena, slice_of(name.vg));
	map->lv_name = arena_str(&m->arena, slice_of(name.lv));
	map->shape = volname_parse(slice_of(name.lv));
}

static void identify(struct dm_model *m, struct dm_mapping *map)
{
	struct volname by_hand;

	map->vg_name = map->lv_name = "";
	map->id = dmuuid_parse(map->dev->uuid);
	map->kind = DM_MAP_OTHER;
	if (map->id.kind == DM_UUID_LVM) {
		map->kind = DM_MAP_LVM;
		take_name(m, map);
		map->vg = lvm_find_vg(&m->scan->lvm, map->id.vg);
		map->lv = map->vg ? lvm_find_lv(map->vg, map->id.lv) : NULL;
		return;
	}
	by_hand = volname_in_dm_name(map->dev->name);
	if (by_hand.kind == VOLNAME_NONE || dmuuid_is_managed(map->dev->uuid))
		return;
	map->kind = DM_MAP_HANDMADE;
	take_name(m, map);
	if (map->shape.kind == VOLNAME_NONE)
		map->shape = by_hand;
}

static const struct dm_dev *find_dev(const struct dm_model *m, struct devno dev)
{
	return dm_set_find(&m->scan->dm, dev);
}

/*
 * Calls @visit with each device-mapper device below @dev until it returns true. Layers are walked
 * with a list of our own, so that a strange stack cannot exhaust anything.
 */
static bool walk_down(const struct dm_model *m, const struct dm_dev *dev,
		      bool (*visit)(const struct dm_model *m, const struct dm_dev *below,
				    void *ctx),
		      void *ctx)
{
	const struct dm_dev *list[ANCESTORS_MAX] = { dev };
	size_t n = 1;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < list[i]->n_deps; k++) {
			const struct dm_dev *below = find_dev(m, list[i]->deps[k]);
			bool seen = !below;

			for (size_t j = 0; j < n && !seen; j++)
				seen = list[j] == below;
			if (seen)
				continue;
			if (visit(m, below, ctx))
				return true;
			if (n < ANCESTORS_MAX)
				list[n++] = below;
		}
	}
	return false;
}

struct host_search {
	const struct dm_mapping *of;
	size_t host;
};

static bool is_host(const struct dm_model *m, const struct dm_dev *below, void *ctx)
{
	struct host_search *s = ctx;
	const struct dm_mapping *map = &m->mappings[below - m->scan->dm.items];

	if (map->kind == DM_MAP_OTHER || map->shape.kind == VOLNAME_NONE)
		return false;
	/* LVs of one VG stand on each other without one being inside the other. */
	if (s->of->kind == DM_MAP_LVM && slice_eq2(s->of->id.vg, map->id.vg))
		return false;
	s->host = (size_t)(map - m->mappings);
	return true;
}

static size_t host_of(const struct dm_model *m, const struct dm_mapping *map)
{
	struct host_search s = { .of = map, .host = DM_NONE };

	/* A hand-made map is judged for itself, whatever it was laid over. */
	if (map->kind != DM_MAP_HANDMADE && map->id.kind != DM_UUID_LVM_INTERNAL)
		(void)walk_down(m, map->dev, is_host, &s);
	return s.host;
}

static bool is_this(const struct dm_model *m, const struct dm_dev *below, void *ctx)
{
	(void)m;
	return below == ctx;
}

static bool stands_on(const struct dm_model *m, size_t upper, size_t lower)
{
	return walk_down(m, m->mappings[upper].dev, is_this, (void *)m->mappings[lower].dev);
}

static int by_vg_and_name(const void *a, const void *b)
{
	const struct lvm_lv *x = *(const struct lvm_lv *const *)a;
	const struct lvm_lv *y = *(const struct lvm_lv *const *)b;
	int r = strcmp(x->vg->name, y->vg->name);

	if (r == 0)
		r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->vg->uuid, y->vg->uuid);
}

static void index_lvs(struct dm_model *m)
{
	const struct lvm_report *report = &m->scan->lvm;
	size_t n = 0;

	for (size_t i = 0; i < report->n_vgs; i++)
		n += report->vgs[i].n_lvs;
	m->lvs_by_name = arena_alloc(&m->arena, n * sizeof(struct lvm_lv *));
	for (size_t i = 0; i < report->n_vgs; i++)
		for (size_t k = 0; k < report->vgs[i].n_lvs; k++)
			m->lvs_by_name[m->n_lvs++] = &report->vgs[i].lvs[k];
	if (n)
		qsort(m->lvs_by_name, n, sizeof(struct lvm_lv *), by_vg_and_name);
}

const struct lvm_lv *dm_model_lv_named(const struct dm_model *m, const char *vg_uuid,
				       const char *vg_name, const char *lv_name)
{
	size_t low = 0, high = m->n_lvs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct lvm_lv *lv = m->lvs_by_name[mid];
		int r = strcmp(lv->vg->name, vg_name);

		if (r == 0)
			r = strcmp(lv->name, lv_name);
		if (r < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < m->n_lvs; low++) {
		const struct lvm_lv *lv = m->lvs_by_name[low];

		if (strcmp(lv->vg->name, vg_name) != 0 || strcmp(lv->name, lv_name) != 0)
			return NULL;
		if (!vg_uuid || strncmp(lv->vg->uuid, vg_uuid, LVM_ID_LEN) == 0)
			return lv;
	}
	return NULL;
}

static bool may_overlap(const struct dm_mapping *map)
{
	return map->kind == DM_MAP_HANDMADE ||
	       (map->kind == DM_MAP_LVM && map->shape.kind != VOLNAME_NONE);
}

static void note_overlap(struct dm_mapping *map, size_t other)
{
	for (size_t i = 0; i < map->n_overlaps; i++)
		if (map->overlaps[i] == other)
			return;
	if (map->n_overlaps < OVERLAPS_MAX)
		map->overlaps[map->n_overlaps++] = other;
}

static void two_mappings(void *ctx, const struct extent *a, const struct extent *b)
{
	struct dm_model *m = ctx;

	if (stands_on(m, a->owner, b->owner) || stands_on(m, b->owner, a->owner))
		return;
	note_overlap(&m->mappings[a->owner], b->owner);
	note_overlap(&m->mappings[b->owner], a->owner);
}

struct owner_search {
	struct dm_model *m;
	const struct lvm_lv **lvs; /* by the metadata extents' owner */
};

static bool maps_lv(const struct dm_model *m, const struct dm_dev *below, void *ctx)
{
	return m->mappings[below - m->scan->dm.items].lv == ctx;
}

/* What stands on an LV's own mapping covers its sectors by right. */
static void mapping_and_lv(void *ctx, const struct extent *with, const struct extent *other)
{
	struct owner_search *s = ctx;
	struct dm_mapping *map = &s->m->mappings[with->owner];
	const struct lvm_lv *lv = s->lvs[other->owner];

	if (lv == map->lv || walk_down(s->m, map->dev, maps_lv, (void *)lv))
		return;
	for (size_t i = 0; i < map->n_owners; i++)
		if (map->owners[i] == lv)
			return;
	if (map->n_owners < OVERLAPS_MAX)
		map->owners[map->n_owners++] = lv;
}

static void add_metadata_extents(const struct dm_model *m, const struct resolver *r,
				 struct extents *list)
{
	for (size_t i = 0; i < m->n_lvs; i++) {
		CLEANUP(arena_done) struct arena scratch = {};
		CLEANUP(segments_done) struct segments segs = {};

		if (dm_table_expected(m->lvs_by_name[i], &segs, &scratch))
			extents_add(list, r, segs.items, segs.n, i);
	}
	extents_sort(list);
}

/* Only a mapping that is not simply its LV's own can cover somebody else's sectors; if there is
 * none of them, nothing needs to be swept. */
static bool is_suspect(const struct dm_mapping *map)
{
	return may_overlap(map) && (!map->lv || map->table != DM_TABLE_AGREES);
}

static void find_overlaps(struct dm_model *m, const struct resolver *r)
{
	CLEANUP(extents_done) struct extents live = {};
	CLEANUP(extents_done) struct extents metadata = {};
	struct owner_search owners = { m, m->lvs_by_name };
	bool any = false;

	for (size_t i = 0; i < m->n && !any; i++)
		any = is_suspect(&m->mappings[i]);
	if (!any)
		return;
	for (size_t i = 0; i < m->n; i++)
		if (may_overlap(&m->mappings[i]))
			extents_add(&live, r, m->tables[i].items, m->tables[i].n, i);
	extents_sort(&live);
	extents_sweep(&live, two_mappings, m);

	add_metadata_extents(m, r, &metadata);
	for (size_t i = 0; i < live.n; i++)
		if (is_suspect(&m->mappings[live.items[i].owner]))
			extents_overlapping(&metadata, &live.items[i], mapping_and_lv, &owners);
}

static int by_thin_id(const void *a, const void *b)
{
	const struct lvm_lv *x = *(const struct lvm_lv *const *)a;
	const struct lvm_lv *y = *(const struct lvm_lv *const *)b;
	int r = strcmp(x->pool_uuid, y->pool_uuid);

	if (r)
		return r;
	return (x->segs[0].thin_id > y->segs[0].thin_id) -
	       (x->segs[0].thin_id < y->segs[0].thin_id);
}

static void index_thin_lvs(struct dm_model *m)
{
	m->thin_lvs = arena_alloc(&m->arena, m->n_lvs * sizeof(struct lvm_lv *));
	for (size_t i = 0; i < m->n_lvs; i++)
		if (lvm_lv_is_thin(m->lvs_by_name[i]) && m->lvs_by_name[i]->n_segs)
			m->thin_lvs[m->n_thin_lvs++] = m->lvs_by_name[i];
	if (m->n_thin_lvs)
		qsort(m->thin_lvs, m->n_thin_lvs, sizeof(struct lvm_lv *), by_thin_id);
}

/* A ghost's thin id may have been given to another LV of the pool. */
static void find_thin_owner(const struct dm_model *m, struct dm_mapping *map)
{
	struct lvm_lv key = {}, *key_at = &key;
	struct lvm_seg seg = {};
	const struct lvm_lv **found;
	const struct dm_dev *pool;
	struct devno pool_dev;
	struct dm_uuid id;

	if (!map->vg || map->lv || map->dev->n_targets != 1 || !m->n_thin_lvs ||
	    dmtable_thin(&map->dev->targets[0], &pool_dev, &seg.thin_id) < 0)
		return;
	pool = find_dev(m, pool_dev);
	id = dmuuid_parse(pool ? pool->uuid : "");
	if (id.kind != DM_UUID_LVM_INTERNAL)
		return;
	memcpy(key.pool_uuid, id.lv.p, LVM_ID_LEN);
	key.segs = &seg;
	found = bsearch(&key_at, m->thin_lvs, m->n_thin_lvs, sizeof(*m->thin_lvs), by_thin_id);
	if (found)
		map->owners[map->n_owners++] = *found;
}

static void find_namesake(struct dm_model *m, struct dm_mapping *map)
{
	const struct lvm_lv *lv;

	if (map->kind == DM_MAP_OTHER || map->lv || !*map->lv_name)
		return;
	if (map->kind == DM_MAP_LVM && !map->vg)
		return;
	lv = dm_model_lv_named(m, map->vg ? map->vg->uuid : NULL,
			       map->vg ? map->vg->name : map->vg_name, map->lv_name);
	map->namesake = lv;
}

static void read_tables(struct dm_model *m)
{
	m->tables = arena_alloc(&m->arena, m->n * sizeof(*m->tables));
	for (size_t i = 0; i < m->n; i++) {
		const struct dm_dev *d = m->mappings[i].dev;

		if (segments_of_table(&m->tables[i], d->targets, d->n_targets, &m->arena) < 0)
			m->tables[i].n = 0;
	}
}

/* In order of device numbers, as the mappings are. */
static void link_children(struct dm_model *m)
{
	for (size_t i = m->n; i > 0; i--) {
		struct dm_mapping *map = &m->mappings[i - 1];

		if (map->host == DM_NONE)
			continue;
		map->next_child = m->mappings[map->host].first_child;
		m->mappings[map->host].first_child = i - 1;
	}
}

void dm_model_build(struct dm_model *m, const struct dm_scan *scan)
{
	CLEANUP(resolver_done) struct resolver r = {};

	*m = (struct dm_model){ .scan = scan, .node = scan->cluster.node.name, .n = scan->dm.n };
	m->mappings = arena_alloc(&m->arena, m->n * sizeof(*m->mappings));
	for (size_t i = 0; i < m->n; i++) {
		m->mappings[i].dev = &scan->dm.items[i];
		m->mappings[i].first_child = m->mappings[i].next_child = DM_NONE;
		identify(m, &m->mappings[i]);
	}
	read_tables(m);
	index_lvs(m);
	index_thin_lvs(m);
	dm_refs_build(&m->refs, &scan->cluster, &m->arena);
	resolver_init(&r, &scan->dm, &scan->sys, m->tables);
	for (size_t i = 0; i < m->n; i++) {
		struct dm_mapping *map = &m->mappings[i];

		map->host = host_of(m, map);
		if (map->lv)
			map->table = dm_table_compare(m, &r, map->dev, map->lv);
		find_namesake(m, map);
		find_thin_owner(m, map);
	}
	link_children(m);
	find_overlaps(m, &r);
}

void dm_model_done(struct dm_model *m)
{
	for (size_t i = 0; i < m->n; i++)
		segments_done(&m->tables[i]);
	dm_refs_done(&m->refs);
	arena_done(&m->arena);
}

static bool serves(const struct dm_model *m, const struct storage *s, const char *vg_name)
{
	return s->vgname && !s->disabled && strcmp(s->vgname, vg_name) == 0 &&
	       storage_on_node(s, m->node);
}

bool dm_model_vg_served(const struct dm_model *m, const char *vg_name)
{
	const struct storage_cfg *cfg = &m->scan->cluster.storages;

	for (size_t i = 0; i < cfg->n; i++)
		if (serves(m, &cfg->storages[i], vg_name))
			return true;
	return false;
}

/* Some LV of it is mapped here. */
static bool is_active(const struct dm_model *m, const struct lvm_vg *vg)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->mappings[i].vg == vg)
			return true;
	return false;
}

bool dm_model_ambiguous(const struct dm_model *m, const struct lvm_lv *lv)
{
	const struct lvm_report *report = &m->scan->lvm;

	for (size_t i = 0; i < report->n_vgs; i++) {
		const struct lvm_vg *twin = &report->vgs[i];

		if (twin != lv->vg && strcmp(twin->name, lv->vg->name) == 0 &&
		    (is_active(m, twin) || dm_model_lv_named(m, twin->uuid, twin->name, lv->name)))
			return true;
	}
	return false;
}

/* LVMPlugin::list_images and LvmThinPlugin::list_images of pve-storage. */
static bool lists(const struct storage *s, const struct lvm_lv *lv, struct volname shape)
{
	if (strcmp(s->type, "lvmthin") == 0) {
		const struct lvm_lv *pool;
		char id[LVM_ID_LEN + 1];

		if (!lvm_lv_is_thin(lv) || !s->thinpool ||
		    (shape.kind != VOLNAME_VM && shape.kind != VOLNAME_BASE))
			return false;
		memcpy(id, lv->pool_uuid, sizeof(id));
		pool = lvm_find_lv(lv->vg, slice_of(id));
		return pool && strcmp(pool->name, s->thinpool) == 0;
	}
	if (shape.kind != VOLNAME_VM || !strchr("-mMrR", lv->attr[0]))
		return false;
	if (s->tagged_only) {
		char tag[32];

		(void)snprintf(tag, sizeof(tag), "pve-vm-%u", shape.vmid);
		return lvm_lv_has_tag(lv, tag);
	}
	return true;
}

bool dm_model_listed(const struct dm_model *m, const struct lvm_lv *lv)
{
	const struct storage_cfg *cfg = &m->scan->cluster.storages;
	struct volname shape = volname_parse(slice_of(lv->name));

	for (size_t i = 0; shape.kind != VOLNAME_NONE && i < cfg->n; i++)
		if (serves(m, &cfg->storages[i], lv->vg->name) &&
		    lists(&cfg->storages[i], lv, shape))
			return true;
	return false;
}

static bool means_vg(const struct dm_ref *ref, const char *vg_name)
{
	return !ref->vg || strcmp(ref->vg, vg_name) == 0;
}

static bool has_snapshot(const struct guest *g, struct slice name)
{
	/* Containers' backups take a snapshot of that name and write no section for it. */
	return guest_snapshot(g, name) || (g->type == GUEST_LXC && slice_eq(name, "vzdump"));
}

enum { PHASE_START, PHASE_NAME, PHASE_SNAP, PHASE_PATH_START, PHASE_PATH, PHASE_UUID, PHASE_END };

/* The run of references for the next way in which a snapshot's name can be split. */
static bool next_split(const struct dm_model *m, const char *lv_name, struct dm_ref_iter *it)
{
	CLEANUP(buf_done) struct buf volume = {};
	struct slice base;
	bool qcow2;

	if (!volname_split_snap(slice_of(lv_name), &it->split, &base, &it->snap, &qcow2))
		return false;
	buf_add(&volume, base.p, base.n);
	if (qcow2)
		buf_adds(&volume, ".qcow2");
	it->run = dm_refs_named(&m->refs, buf_slice(&volume));
	it->at = 0;
	return true;
}

const struct dm_ref *dm_model_next_ref(const struct dm_model *m, const struct dm_mapping *map,
				       struct dm_ref_iter *it)
{
	const char *vg = map->vg ? map->vg->name : map->vg_name;
	const char *lv = map->lv ? map->lv->name : map->lv_name;

	for (;;) {
		while (it->at < it->run.n) {
			const struct dm_ref *ref = &it->run.items[it->at++];

			if (it->phase == PHASE_PATH || it->phase == PHASE_UUID ||
			    (means_vg(ref, vg) &&
			     (it->phase != PHASE_SNAP || has_snapshot(ref->guest, it->snap))))
				return ref;
		}
		switch (it->phase) {
		case PHASE_START:
			it->run = dm_refs_named(&m->refs, slice_of(lv));
			it->at = 0;
			it->phase = PHASE_NAME;
			break;
		case PHASE_NAME:
			it->phase = PHASE_SNAP;
			break;
		case PHASE_SNAP:
			if (!next_split(m, lv, it))
				it->phase = PHASE_PATH_START;
			break;
		case PHASE_PATH_START:
			it->run = dm_refs_path(&m->refs, map->dev->name);
			it->at = 0;
			it->phase = PHASE_PATH;
			break;
		case PHASE_PATH:
			it->run = dm_refs_path(&m->refs, map->dev->uuid);
			it->at = 0;
			it->phase = PHASE_UUID;
			break;
		default:
			it->phase = PHASE_END;
			return NULL;
		}
	}
}
