/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/plan.h"

#include "dm/explain.h"
#include "dm/undo.h"
#include "util/str.h"

/* One finding on its way into the plan. */
struct draft {
	const struct dm_look *l;
	const struct dm_plan_options *o;
	const struct dm_mapping *map;
	const struct dm_verdict *v;
	struct dm_plan_item *item;
	struct arena *a;
};

static bool refuse(struct draft *d, const char *why)
{
	d->item->why_not = why;
	return true;
}

#define REFUSE(d, ...) refuse(d, arena_fmt((d)->a, __VA_ARGS__))

static bool any_class_asked(const struct dm_plan_options *o)
{
	for (size_t i = 0; i < DM_CLASS_MAX; i++)
		if (o->only[i])
			return true;
	return false;
}

static bool is_selected(const struct draft *d)
{
	const struct dm_verdict *v = d->v;

	if (!dm_is_finding(v) || v->class == DM_COPY)
		return false;
	if (any_class_asked(d->o) && !d->o->only[v->class])
		return false;
	/* A stopped guest's volume is no fault of its own. */
	if (v->class == DM_LEFTOVER && !d->o->policy_running)
		return false;
	/* Without a class asked for, notices are not for cleaning. */
	if (v->severity == DM_SEVERITY_NOTICE && !any_class_asked(d->o))
		return false;
	return !d->o->vmid || dm_concerns(d->l, d->item->mapping, d->o->vmid);
}

static enum dm_step step_for(const struct dm_verdict *v)
{
	switch (v->class) {
	case DM_GHOST:
	case DM_DUPLICATE:
	case DM_MANUAL:
		return DM_STEP_REMOVE;
	case DM_RENAMED:
	case DM_STALE_TABLE:
	case DM_FOREIGN:
	case DM_UNREFERENCED:
	case DM_LEFTOVER:
		return DM_STEP_DEACTIVATE;
	case DM_INFRASTRUCTURE:
	case DM_UNKNOWN:
	case DM_BUSY:
	case DM_COPY:
	case DM_ARRAY_GONE:
	case DM_OK:
	case DM_CLASS_MAX:
	default:
		return DM_STEP_NONE;
	}
}

static bool refuse_by_class(struct draft *d)
{
	const struct dm_verdict *v = d->v;

	if (dm_blind(&d->l->model))
		return refuse(d, "something that it takes to judge could not be read: nothing is "
				 "touched");
	if (v->class == DM_ARRAY_GONE)
		return REFUSE(d, "maps of the array are not cleaned here: %s",
			      v->array->registered ? "pvewarden array reap" : ARRAY_MAP_BY_HAND);
	if (step_for(v) == DM_STEP_NONE) {
		struct dm_explanation text;

		dm_explain(&text, &d->l->model, d->map, v, d->a);
		return refuse(d, text.reason);
	}
	if (v->running)
		return REFUSE(d, "%s runs here and refers to it",
			      dm_guest_phrase(v->guest->vmid, v->guest, d->a));
	if (v->class == DM_STALE_TABLE && v->cause != DM_CAUSE_GROWN)
		return refuse(d, "its sectors lie elsewhere now: compare the data first, see "
				 "pvewarden-dm(8)");
	return false;
}

static bool refuse_unreferenced(struct draft *d)
{
	int64_t age;

	if (d->v->class != DM_UNREFERENCED)
		return false;
	if (!d->o->only[DM_UNREFERENCED])
		return refuse(d, "only on demand: look what it is, then --only unreferenced");
	if (d->o->min_age == 0)
		return false;
	age = dm_seen_age(d->o->seen, d->map->dev->uuid);
	if (age < 0)
		return refuse(d, "seen without a reference for the first time: ask again in ten "
				 "minutes (an import writes the config last)");
	if (age < DM_SEEN_LONG_ENOUGH)
		return REFUSE(d,
			      "seen without a reference for %lld s only: ask again in %lld s (an "
			      "import writes the config last)",
			      (long long)age, (long long)(DM_SEEN_LONG_ENOUGH - age));
	return false;
}

/* Nothing but sectors of other devices, or none at all: what the undo journal can hold whole. */
static bool is_plain_table(const struct dm_dev *dev)
{
	static const char *const plain[] = { "linear", "striped", "zero", "error" };

	for (size_t i = 0; i < dev->n_targets; i++) {
		bool known = false;

		for (size_t k = 0; k < ARRAY_SIZE(plain); k++)
			known |= strcmp(dev->targets[i].type, plain[k]) == 0;
		if (!known)
			return false;
	}
	return true;
}

static bool is_thin(const struct dm_dev *dev)
{
	return dev->n_targets == 1 && strcmp(dev->targets[0].type, "thin") == 0;
}

/* What removing or deactivating would drag along, or lose for good. */
static bool refuse_by_kind(struct draft *d)
{
	const struct dm_mapping *map = d->map;

	if (!dm_undo_can_hold(map->dev))
		return refuse(d, "its name or table is no text: it cannot be written down exactly "
				 "for its return");
	if (d->item->step == DM_STEP_REMOVE && !is_plain_table(map->dev) &&
	    !(map->kind == DM_MAP_LVM && is_thin(map->dev)))
		return REFUSE(
			d,
			"it is the top of a stack (%s), whose other layers would stay behind: "
			"dmsetup ls --tree shows them",
			map->dev->targets[0].type);
	if (d->item->step == DM_STEP_DEACTIVATE &&
	    (!map->lv || !strchr("-VmMrRC", map->lv->attr[0])))
		return refuse(d, "other volumes hang on it (a snapshot or its origin): deactivate "
				 "them together by hand");
	return false;
}

static const struct lvm_vg *vg_named(const struct lvm_report *report, const char *name)
{
	for (size_t i = 0; i < report->n_vgs; i++)
		if (strcmp(report->vgs[i].name, name) == 0)
			return &report->vgs[i];
	return NULL;
}

static bool any_disk_was_refused(const struct dm_scan *s)
{
	for (size_t i = 0; i < s->candidates.n; i++)
		if (s->candidates.items[i].refused)
			return true;
	return false;
}

/* A group of this node that is not whole, which @g has a volume in; NULL: none. */
static const char *broken_vg_of(const struct draft *d, const struct guest *g)
{
	const struct dm_scan *s = &d->l->scan;

	for (size_t i = 0; i < g->n_volumes; i++) {
		const char *storage = g->volumes[i].storage;
		const struct storage *st =
			storage ? storage_find(&s->cluster.storages, slice_of(storage)) : NULL;
		const struct lvm_vg *vg;

		if (!st || !st->vgname || !dm_model_vg_served(&d->l->model, st->vgname))
			continue;
		vg = vg_named(&s->lvm, st->vgname);
		if (vg ? lvm_vg_doubt(vg) != NULL : any_disk_was_refused(s))
			return st->vgname;
	}
	return NULL;
}

static bool refuse_broken_guest(struct draft *d, const struct guest *g)
{
	const char *vg = g ? broken_vg_of(d, g) : NULL;

	return vg && REFUSE(d, "volume group %s, which guest %u uses, is not whole", vg, g->vmid);
}

/* Each guest that refers to it, and the one that its name was made for. */
static bool refuse_by_guest(struct draft *d)
{
	struct dm_ref_iter it = {};
	const struct dm_ref *ref;

	if (refuse_broken_guest(d, cluster_guest(&d->l->scan.cluster, d->map->shape.vmid)))
		return true;
	while ((ref = dm_model_next_ref(&d->l->model, d->map, &it)))
		if (refuse_broken_guest(d, ref->guest))
			return true;
	return false;
}

static bool disk_answers(const struct dm_scan *s, const struct lvm_pv *pv)
{
	for (size_t i = 0; pv->have_dev && i < s->candidates.n; i++)
		if (devno_eq(s->candidates.items[i].dev, pv->dev))
			return !s->candidates.items[i].refused;
	return false;
}

/* No LVM command while a disk of the group would hang it. A recorded node may have no disks. */
static bool refuse_by_disk(struct draft *d)
{
	const struct lvm_vg *vg = d->map->vg;

	if (d->item->step != DM_STEP_DEACTIVATE || !vg || !d->l->scan.candidates.n)
		return false;
	for (size_t i = 0; i < vg->n_pvs; i++)
		if (!disk_answers(&d->l->scan, &vg->pvs[i]))
			return REFUSE(d, "%s, a disk of volume group %s, does not answer",
				      vg->pvs[i].name, vg->name);
	return false;
}

static bool depends_on(const struct dm_dev *upper, const struct dm_dev *lower)
{
	for (size_t i = 0; i < upper->n_deps; i++)
		if (devno_eq(upper->deps[i], lower->dev))
			return true;
	return false;
}

static const struct dm_dev *dev_at(const struct draft *d, size_t i)
{
	return d->l->model.mappings[i].dev;
}

/* Everything that stands on the mapping, unordered. False: more than anybody would clean at once.
 */
static bool gather_children(struct draft *d)
{
	const struct dm_model *m = &d->l->model;

	for (size_t i = d->map->first_child; i != DM_NONE; i = m->mappings[i].next_child) {
		if (d->item->n_children == DM_PLAN_CHILDREN_MAX)
			return false;
		d->item->children[d->item->n_children++] = i;
	}
	return true;
}

/* It stands on nothing but the mapping and its other children. */
static bool stands_here_only(const struct draft *d, const struct dm_dev *child)
{
	size_t known = depends_on(child, d->map->dev);

	for (size_t i = 0; i < d->item->n_children; i++)
		known += depends_on(child, dev_at(d, d->item->children[i]));
	return known == child->n_deps;
}

static bool refuse_child(struct draft *d, size_t at)
{
	const struct dm_dev *child = dev_at(d, at);
	enum dm_uuid_kind kind = d->l->model.mappings[at].id.kind;

	if (!*child->uuid)
		return REFUSE(d, "%s stands on it and has no UUID: remove that first", child->name);
	if (!is_plain_table(child) ||
	    (kind != DM_UUID_PART && kind != DM_UUID_LVM && kind != DM_UUID_LVM_INTERNAL))
		return REFUSE(d, "%s stands on it: close that first (%s)", child->name,
			      child->n_targets ? child->targets[0].type : "no table");
	if (!dm_undo_can_hold(child))
		return REFUSE(d,
			      "%s, which stands on it, cannot be written down exactly for its "
			      "return",
			      child->name);
	if (child->suspended || child->inactive_table)
		return REFUSE(d, "%s, which stands on it, is being changed", child->name);
	if (dm_refs_path(&d->l->model.refs, child->name).n ||
	    dm_refs_path(&d->l->model.refs, child->uuid).n)
		return REFUSE(d, "a guest refers to %s, which stands on it", child->name);
	if (!stands_here_only(d, child))
		return REFUSE(d, "%s stands on it and on other disks as well", child->name);
	return false;
}

static size_t holders_among(const struct draft *d, const struct dm_dev *of)
{
	size_t n = 0;

	for (size_t i = 0; i < d->item->n_children; i++)
		n += depends_on(dev_at(d, d->item->children[i]), of);
	return n;
}

static bool refuse_open(struct draft *d, const struct dm_dev *dev)
{
	if (dev->open_count <= holders_among(d, dev))
		return false;
	return dev == d->map->dev
		       ? refuse(d, "[DEVICE IS CURRENTLY OPEN/IN USE] close what holds it first")
		       : REFUSE(d, "[IN USE] %s, which stands on it, is open", dev->name);
}

/* Topmost first: nothing that is still to be removed stands on what is removed. */
static bool order_children(struct draft *d)
{
	size_t *list = d->item->children, n = d->item->n_children;

	for (size_t done = 0; done < n; done++) {
		size_t next = n, moved;

		for (size_t i = done; i < n && next == n; i++) {
			bool carries = false;

			for (size_t k = done; k < n; k++)
				carries |= depends_on(dev_at(d, list[k]), dev_at(d, list[i]));
			if (!carries)
				next = i;
		}
		if (next == n)
			return false;
		moved = list[next];
		list[next] = list[done];
		list[done] = moved;
	}
	return true;
}

static bool refuse_by_children(struct draft *d)
{
	if (!gather_children(d))
		return refuse(d, "too much stands on it: dmsetup ls --tree shows it");
	for (size_t i = 0; i < d->item->n_children; i++)
		if (refuse_child(d, d->item->children[i]) ||
		    refuse_open(d, dev_at(d, d->item->children[i])))
			return true;
	if (refuse_open(d, d->map->dev))
		return true;
	return !order_children(d) && refuse(d, "what stands on it stands on itself");
}

bool dm_plan_one(struct dm_plan_item *ret, const struct dm_look *l, size_t mapping,
		 const struct dm_plan_options *o, struct arena *a)
{
	static bool (*const rules[])(struct draft * d) = {
		refuse_by_class, refuse_unreferenced, refuse_by_kind,
		refuse_by_guest, refuse_by_disk,      refuse_by_children,
	};
	struct draft d = { .l = l,
			   .o = o,
			   .map = &l->model.mappings[mapping],
			   .v = &l->verdicts[mapping],
			   .item = ret,
			   .a = a };

	*ret = (struct dm_plan_item){ .mapping = mapping, .step = step_for(d.v) };
	if (!is_selected(&d))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i](&d))
			break;
	if (ret->why_not)
		ret->step = DM_STEP_NONE;
	return true;
}

static int in_order(const void *a, const void *b, void *ctx)
{
	const struct dm_look *l = ctx;
	size_t i = ((const struct dm_plan_item *)a)->mapping;
	size_t k = ((const struct dm_plan_item *)b)->mapping;
	const struct dm_verdict *x = &l->verdicts[i], *y = &l->verdicts[k];
	const struct dm_mapping *m = &l->model.mappings[i], *n = &l->model.mappings[k];
	int r;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	r = strcmp(m->vg_name, n->vg_name);
	if (r == 0)
		r = strcmp(m->lv_name, n->lv_name);
	return r ? r : devno_cmp(m->dev->dev, n->dev->dev);
}

void dm_plan_make(struct dm_plan *ret, const struct dm_look *l, const struct dm_plan_options *o)
{
	*ret = (struct dm_plan){};
	for (size_t i = 0; i < l->model.n; i++) {
		struct dm_plan_item item;

		if (dm_plan_one(&item, l, i, o, &ret->arena))
			*vec_push(ret) = item;
	}
	if (ret->n > 1)
		qsort_r(ret->items, ret->n, sizeof(*ret->items), in_order, (void *)l);
}

void dm_plan_done(struct dm_plan *p)
{
	vec_free(p);
	arena_done(&p->arena);
}

const char *dm_step_command(enum dm_step step, const struct dm_mapping *map, struct arena *a)
{
	switch (step) {
	case DM_STEP_REMOVE:
		return dm_command_remove(map, a);
	case DM_STEP_DEACTIVATE:
		return dm_command_deactivate(map, a);
	case DM_STEP_NONE:
	default:
		return NULL;
	}
}
