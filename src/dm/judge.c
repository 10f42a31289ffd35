/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/judge.h"

#include "util/str.h"

#define FLASHARRAY_WWID "3624a9370"

/* One mapping before the bench. */
struct hearing {
	const struct dm_model *m;
	const struct dm_options *options;
	const struct dm_mapping *map;
	struct dm_verdict *v;
	/* What its references came to. */
	const struct dm_ref *here; /* from a guest of this node; one that runs, if any does */
	const struct dm_ref
		*elsewhere;	   /* from another node, through a storage shared with this one */
	const struct dm_ref *copy; /* from another node, not provably to this VG */
	const struct dm_ref *undefined; /* through a storage that is not in storage.cfg */
};

static bool verdict(struct hearing *h, enum dm_class class, enum dm_severity severity,
		    enum dm_cause cause)
{
	h->v->class = class;
	h->v->severity = severity;
	h->v->cause = cause;
	return true;
}

bool dm_blind(const struct dm_model *m)
{
	return m->scan->dm_failed || m->scan->lvm_failed || m->scan->work_failed ||
	       m->scan->cluster.n_blind;
}

static bool runs_here(const struct dm_model *m, const struct guest *g)
{
	const struct running_guest *r = running_find(&m->scan->running, g->vmid);

	return r && r->type == g->type && strcmp(g->node, m->node) == 0;
}

/* The same volume group on both nodes: shared, and this node is among those that may use it. */
static bool is_shared_with_us(const struct dm_model *m, const struct dm_ref *ref)
{
	return ref->storage && ref->storage->shared && storage_on_node(ref->storage, m->node);
}

static void sort_reference(struct hearing *h, const struct dm_ref *ref)
{
	if (!ref->vg && ref->volume->storage)
		h->undefined = ref;
	else if (strcmp(ref->guest->node, h->m->node) == 0)
		h->here = h->here && runs_here(h->m, h->here->guest) ? h->here : ref;
	else if (is_shared_with_us(h->m, ref))
		h->elsewhere = ref;
	else
		h->copy = ref;
}

/* To a hand-made entry by its path alone: a volume id means LVM's volume, never this. */
static void sort_references(struct hearing *h)
{
	struct dm_ref_run by_path = dm_refs_path(&h->m->refs, h->map->dev->name);
	struct dm_ref_iter it = {};
	const struct dm_ref *ref;

	for (size_t i = 0; h->map->kind == DM_MAP_HANDMADE && i < by_path.n; i++)
		sort_reference(h, &by_path.items[i]);
	while (h->map->kind == DM_MAP_LVM && (ref = dm_model_next_ref(h->m, h->map, &it)))
		sort_reference(h, ref);
}

static void hear_references(struct hearing *h)
{
	sort_references(h);

	h->v->ref = h->here	   ? h->here
		    : h->elsewhere ? h->elsewhere
		    : h->copy	   ? h->copy
				   : h->undefined;
	h->v->vmid = h->v->ref ? h->v->ref->guest->vmid : h->map->shape.vmid;
	h->v->guest =
		h->v->ref ? h->v->ref->guest : cluster_guest(&h->m->scan->cluster, h->v->vmid);
	h->v->running = h->here && runs_here(h->m, h->here->guest);
}

static bool is_array_gone(struct hearing *h)
{
	const struct array_map *a;

	if (h->map->id.kind != DM_UUID_MPATH || !slice_starts(h->map->id.rest, FLASHARRAY_WWID))
		return false;
	a = array_state_find(&h->m->scan->array, h->map->id.rest);
	if (!a || a->state == ARRAY_MAP_CONNECTED)
		return false;
	h->v->array = a;
	return verdict(
		h, DM_ARRAY_GONE, DM_SEVERITY_WARNING,
		a->state == ARRAY_MAP_GONE ? DM_CAUSE_VOLUME_GONE : DM_CAUSE_VOLUME_NOT_CONNECTED);
}

/* Proxmox' volume by its present name, or a config refers to it through a storage of this node. */
static bool is_guests_volume(const struct hearing *h)
{
	const struct dm_mapping *map = h->map;
	bool named = map->shape.kind != VOLNAME_NONE;

	/* A ghost, or nothing that can be told from storage.cfg and configs: by its name. */
	if (!map->lv || dm_blind(h->m))
		return named;
	if (dm_model_listed(h->m, map->lv) || h->here || h->elsewhere || h->copy)
		return dm_model_vg_served(h->m, map->vg->name);
	/* Renamed away from a guest's name, or being wiped: the mapping still has that place. */
	if (volname_parse(slice_of(map->lv->name)).kind == VOLNAME_DEL ||
	    (named && strcmp(map->lv->name, map->lv_name) != 0))
		return dm_model_vg_served(h->m, map->vg->name);
	return false;
}

static bool is_infrastructure(struct hearing *h)
{
	if (h->map->host != DM_NONE) {
		h->v->as_child_of = &h->m->mappings[h->map->host];
		return verdict(h, DM_INFRASTRUCTURE, DM_SEVERITY_NONE, DM_CAUSE_NONE);
	}
	if (h->map->kind == DM_MAP_OTHER) {
		if (is_array_gone(h))
			return true;
		return verdict(h, DM_INFRASTRUCTURE, DM_SEVERITY_NONE, DM_CAUSE_NONE);
	}
	hear_references(h);
	if (h->map->kind == DM_MAP_LVM && !is_guests_volume(h))
		return verdict(h, DM_INFRASTRUCTURE, DM_SEVERITY_NONE, DM_CAUSE_NONE);
	return false;
}

static bool unknown(struct hearing *h, enum dm_cause cause)
{
	const char *vg = h->map->vg ? h->map->vg->name : h->map->vg_name;

	h->v->counts = cause == DM_CAUSE_BLIND || dm_model_vg_served(h->m, vg);
	return verdict(h, DM_UNKNOWN, h->v->counts ? DM_SEVERITY_UNKNOWN : DM_SEVERITY_NOTICE,
		       cause);
}

static bool is_unknown(struct hearing *h)
{
	const struct dm_mapping *map = h->map;

	if (dm_blind(h->m))
		return unknown(h, DM_CAUSE_BLIND);
	if (map->kind != DM_MAP_LVM)
		return false;
	if (!map->vg)
		return unknown(h, DM_CAUSE_VG_NOT_SEEN);
	if (lvm_vg_doubt(map->vg))
		return unknown(h, DM_CAUSE_VG_DOUBTFUL);
	/* A ghost is told by UUID alone; whose an existing LV is goes by the VG's name. */
	if (map->lv && dm_model_ambiguous(h->m, map->lv))
		return unknown(h, DM_CAUSE_VG_NAME_TWICE);
	return false;
}

/* Somebody works on the guest: the one that refers to the volume, or the one its name was made for.
 */
static bool guest_is_busy(struct hearing *h, uint32_t vmid)
{
	const struct dm_scan *s = h->m->scan;
	const struct running_guest *r = running_find(&s->running, vmid);
	const struct guest *g = cluster_guest(&s->cluster, vmid);

	if (!vmid)
		return false;
	if (g && g->lock) {
		h->v->guest = g;
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_GUEST_LOCKED);
	}
	/* A QEMU keeps its -incoming for life: once the config is here, the guest has arrived. */
	if (r && r->incoming && (!g || strcmp(g->node, h->m->node) != 0))
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_INCOMING);
	h->v->task = tasks_find(&s->tasks, vmid);
	if (h->v->task)
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_TASK);
	if (guest_locks_find(&s->locks, vmid))
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_FLOCK);
	return false;
}

static bool any_guest_is_busy(struct hearing *h)
{
	struct dm_ref_iter it = {};
	const struct dm_ref *ref;

	while ((ref = dm_model_next_ref(h->m, h->map, &it)))
		if (guest_is_busy(h, ref->guest->vmid))
			return true;
	return guest_is_busy(h, h->map->shape.vmid);
}

static bool is_busy(struct hearing *h)
{
	const struct dm_mapping *map = h->map;

	if (map->dev->suspended)
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_SUSPENDED);
	if (map->dev->inactive_table)
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_INACTIVE_TABLE);
	if (map->lv && volname_parse(slice_of(map->lv->name)).kind == VOLNAME_DEL)
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_WIPING);
	if (map->lv && lvm_lv_is_changing(map->lv))
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_CHANGING);
	return any_guest_is_busy(h);
}

static bool is_ghost(struct hearing *h)
{
	const struct dm_mapping *map = h->map;

	if (map->kind != DM_MAP_LVM || map->lv)
		return false;
	if (map->namesake)
		return verdict(h, DM_GHOST, DM_SEVERITY_CRITICAL, DM_CAUSE_NAMESAKE);
	if (map->n_owners)
		return verdict(h, DM_GHOST, DM_SEVERITY_CRITICAL, DM_CAUSE_EXTENTS_REUSED);
	return verdict(h, DM_GHOST, DM_SEVERITY_WARNING, DM_CAUSE_DELETED);
}

static bool is_renamed(struct hearing *h)
{
	char expected[DM_NAME_SIZE];

	if (!h->map->lv || !dmname_build(expected, h->map->vg->name, h->map->lv->name) ||
	    strcmp(expected, h->map->dev->name) == 0)
		return false;
	return verdict(h, DM_RENAMED, DM_SEVERITY_CRITICAL, DM_CAUSE_NONE);
}

static bool is_stale(struct hearing *h)
{
	bool in_use = h->map->dev->open_count || h->v->running;

	if (!h->map->lv || h->map->table == DM_TABLE_AGREES)
		return false;
	if (h->map->table == DM_TABLE_MOVED)
		return verdict(h, DM_STALE_TABLE, DM_SEVERITY_CRITICAL, DM_CAUSE_MOVED);
	return verdict(h, DM_STALE_TABLE, in_use ? DM_SEVERITY_CRITICAL : DM_SEVERITY_WARNING,
		       DM_CAUSE_GROWN);
}

static bool is_handmade(struct hearing *h)
{
	if (h->map->kind != DM_MAP_HANDMADE)
		return false;
	if (h->map->n_overlaps || h->map->n_owners)
		return verdict(h, DM_DUPLICATE, DM_SEVERITY_CRITICAL, DM_CAUSE_SAME_SECTORS);
	/* A guest that uses it by its path wants it: somebody's own, deliberate setup. A volume id
	 * means LVM's volume, never this. */
	if (dm_refs_path(&h->m->refs, h->map->dev->name).n)
		return verdict(h, DM_OK, DM_SEVERITY_NONE, DM_CAUSE_NONE);
	if (h->map->namesake)
		return verdict(h, DM_DUPLICATE, DM_SEVERITY_CRITICAL, DM_CAUSE_CLAIMS_NAME);
	return verdict(h, DM_MANUAL, DM_SEVERITY_WARNING, DM_CAUSE_NONE);
}

static bool is_wanted_elsewhere(struct hearing *h)
{
	if (h->here)
		return false;
	if (h->elsewhere)
		return verdict(h, DM_FOREIGN, DM_SEVERITY_WARNING, DM_CAUSE_NONE);
	if (h->copy)
		return verdict(h, DM_COPY, DM_SEVERITY_NOTICE, DM_CAUSE_NONE);
	return false;
}

static bool is_unreferenced(struct hearing *h)
{
	int64_t now = h->m->scan->cluster.node.now;

	if (h->here)
		return false;
	if (h->undefined)
		return unknown(h, DM_CAUSE_STORAGE_UNDEFINED);
	/* `qm disk import` makes the volume first and writes the config last, without any lock. An
	 * unknown time of creation counts as young. */
	if (h->options->min_age > 0 &&
	    (!h->map->lv->created || now - h->map->lv->created < h->options->min_age))
		return verdict(h, DM_BUSY, DM_SEVERITY_NOTICE, DM_CAUSE_YOUNG);
	return verdict(h, DM_UNREFERENCED, DM_SEVERITY_WARNING, DM_CAUSE_NONE);
}

static bool is_leftover(struct hearing *h)
{
	if (h->v->running || lvm_lv_is_thin(h->map->lv))
		return false;
	return verdict(h, DM_LEFTOVER,
		       h->options->policy_running ? DM_SEVERITY_WARNING : DM_SEVERITY_NOTICE,
		       DM_CAUSE_NONE);
}

/*
 * What covers sectors that belong to somebody else is critical whatever else it is. The one that
 * its metadata agrees with is the rightful one and stays untouched.
 */
static void mark_duplicate(struct hearing *h)
{
	const struct dm_mapping *map = h->map;

	if (!map->n_overlaps || (map->lv && map->table == DM_TABLE_AGREES) ||
	    !dm_is_finding(h->v) || h->v->class == DM_UNKNOWN || h->v->class == DM_BUSY)
		return;
	h->v->duplicate = true;
	h->v->severity = DM_SEVERITY_CRITICAL;
}

static void hear(struct hearing *h)
{
	static bool (*const rules[])(struct hearing * h) = {
		is_infrastructure, is_unknown,	is_busy,     is_ghost,
		is_renamed,	   is_stale,	is_handmade, is_wanted_elsewhere,
		is_unreferenced,   is_leftover,
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i](h))
			return;
	(void)verdict(h, DM_OK, DM_SEVERITY_NONE, DM_CAUSE_NONE);
}

void dm_judge(const struct dm_model *m, const struct dm_options *o, struct dm_verdict *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		struct hearing h = { .m = m, .options = o, .map = &m->mappings[i], .v = &ret[i] };

		ret[i] = (struct dm_verdict){};
		hear(&h);
		mark_duplicate(&h);
	}
}

const char *dm_class_name(enum dm_class c)
{
	static const char *const names[DM_CLASS_MAX] = {
		[DM_INFRASTRUCTURE] = "infrastructure",
		[DM_UNKNOWN] = "unknown",
		[DM_BUSY] = "busy",
		[DM_GHOST] = "ghost",
		[DM_RENAMED] = "renamed",
		[DM_STALE_TABLE] = "stale-table",
		[DM_DUPLICATE] = "duplicate",
		[DM_MANUAL] = "manual",
		[DM_FOREIGN] = "foreign",
		[DM_COPY] = "copy",
		[DM_UNREFERENCED] = "unreferenced",
		[DM_LEFTOVER] = "leftover",
		[DM_ARRAY_GONE] = "array-gone",
		[DM_OK] = "ok",
	};

	return names[c];
}

const char *dm_severity_name(enum dm_severity s)
{
	static const char *const names[] = {
		[DM_SEVERITY_NONE] = "ok",	     [DM_SEVERITY_NOTICE] = "notice",
		[DM_SEVERITY_WARNING] = "warning",   [DM_SEVERITY_UNKNOWN] = "unknown",
		[DM_SEVERITY_CRITICAL] = "critical",
	};

	return names[s];
}
