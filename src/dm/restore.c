/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/restore.h"

#include "dm/tablecmp.h"
#include "util/str.h"

#define SECTOR 512

/* One entry on its way back. */
struct draft {
	const struct dm_look *l;
	const struct dm_undo_run *run;
	const struct dm_undo_entry *entry;
	const struct dm_restore_facts *facts;
	struct dm_restore_plan *plan;
	struct arena *a;
};

static bool refuse(struct draft *d, const char *why)
{
	d->plan->why_not = why;
	return true;
}

#define REFUSE(d, ...) refuse(d, arena_fmt((d)->a, __VA_ARGS__))

void dm_restore_find_parents(struct dm_restore_facts *ret, const struct dm_undo_entry *entry,
			     const struct dm_look *l, const struct root *root, struct arena *a)
{
	struct devno *now = arena_alloc(a, entry->n_parents * sizeof(*now));
	bool *found = arena_alloc(a, entry->n_parents * sizeof(*found));

	for (size_t i = 0; i < entry->n_parents; i++)
		found[i] = blk_resolve(&entry->parents[i], &l->scan.dm, &l->scan.sys, &l->scan.lvm,
				       root, &now[i]);
	ret->now = now;
	ret->found = found;
}

/* A device number among the words of a table line, as it is today. */
static bool translate(const struct draft *d, struct devno then, struct devno *ret)
{
	for (size_t i = 0; i < d->entry->n_parents; i++)
		if (devno_eq(d->entry->parents[i].dev, then) && d->facts->found[i]) {
			*ret = d->facts->now[i];
			return true;
		}
	return false;
}

static const char *translate_params(const struct draft *d, const char *params)
{
	CLEANUP(buf_done) struct buf out = {};
	struct slice rest = slice_of(params), word;

	while (slice_split(&rest, ' ', &word)) {
		struct devno dev;

		if (out.len)
			buf_addc(&out, ' ');
		if (!devno_parse(word, &dev))
			buf_add(&out, word.p, word.n);
		else if (translate(d, dev, &dev))
			buf_addf(&out, DEVNO_FMT, DEVNO_ARG(dev));
		else
			return NULL;
	}
	return arena_str(d->a, buf_slice(&out));
}

static bool refuse_old_boot(struct draft *d)
{
	if (!*d->run->boot_id || strcmp(d->run->boot_id, d->facts->boot_id) != 0)
		return refuse(d, "the node was rebooted since: what it stood on may be another "
				 "device now");
	return false;
}

static bool refuse_blind(struct draft *d)
{
	if (dm_blind(&d->l->model))
		return refuse(d, "something that it takes to judge could not be read: nothing is "
				 "touched");
	return false;
}

static bool refuse_untouched(struct draft *d)
{
	if (d->entry->state == DM_UNDO_SKIPPED)
		return refuse(d, "it was not touched");
	return false;
}

static bool refuse_lost_parents(struct draft *d)
{
	struct dm_dev *dev = &d->plan->dev;
	const struct dm_dev *then = &d->entry->dev;

	*dev = *then;
	dev->targets = arena_alloc(d->a, then->n_targets * sizeof(*dev->targets));
	for (size_t i = 0; i < then->n_targets; i++) {
		dev->targets[i] = then->targets[i];
		dev->targets[i].params = translate_params(d, then->targets[i].params);
		if (!dev->targets[i].params)
			return REFUSE(d,
				      "the disk that it stood on cannot be told for certain among "
				      "today's devices (%s)",
				      then->targets[i].params);
	}
	return false;
}

/* Ours, made by a restore that was killed before it loaded the table. */
static bool is_half(const struct draft *d, const struct dm_dev *other)
{
	return d->entry->state == DM_UNDO_RESTORING && !other->n_targets && !other->open_count;
}

/* Name and UUID must be free; where both are taken by the very same thing, it is there. */
static bool refuse_taken(struct draft *d)
{
	const struct dm_set *set = &d->l->scan.dm;
	const struct dm_dev *dev = &d->plan->dev;

	for (size_t i = 0; i < set->n; i++) {
		const struct dm_dev *other = &set->items[i];
		bool name = strcmp(other->name, dev->name) == 0;
		bool uuid = strcmp(other->uuid, dev->uuid) == 0 && (*dev->uuid || name);

		if (!name && !uuid)
			continue;
		if (name && uuid && dm_same_table(other, dev)) {
			d->plan->there = true;
			return true;
		}
		if (name && uuid && is_half(d, other)) {
			d->plan->half = true;
			continue;
		}
		return name ? REFUSE(d, "the name is taken (" DEVNO_FMT ")", DEVNO_ARG(other->dev))
			    : REFUSE(d, "its UUID is taken by %s", other->name);
	}
	return false;
}

static const struct lvm_vg *vg_of(const struct draft *d)
{
	return d->entry->vg_uuid ? lvm_find_vg(&d->l->scan.lvm, slice_of(d->entry->vg_uuid)) : NULL;
}

/* Whose sectors they are today is only known while the whole group can be read. */
static bool refuse_doubtful_group(struct draft *d)
{
	const struct lvm_vg *vg = vg_of(d);

	if (!d->entry->vg_uuid)
		return false;
	if (!vg)
		return REFUSE(d, "volume group %s cannot be seen", d->entry->vg_name);
	if (lvm_vg_doubt(vg))
		return REFUSE(d, "volume group %s: %s", vg->name, lvm_vg_doubt(vg));
	return false;
}

/* Groups on the disks below, of which the entry itself says nothing. */
static bool refuse_doubtful_disk(struct draft *d)
{
	for (size_t i = 0; i < d->l->scan.lvm.n_vgs; i++) {
		const struct lvm_vg *vg = &d->l->scan.lvm.vgs[i];

		for (size_t k = 0; lvm_vg_doubt(vg) && k < vg->n_pvs; k++)
			for (size_t p = 0; p < d->entry->n_parents; p++)
				if (vg->pvs[k].have_dev &&
				    devno_eq(vg->pvs[k].dev, d->facts->now[p]))
					return REFUSE(d, "volume group %s: %s", vg->name,
						      lvm_vg_doubt(vg));
	}
	return false;
}

static bool refuse_ghost(struct draft *d)
{
	if (strcmp(d->entry->class, "ghost") == 0 && !d->facts->ghosts_allowed)
		return refuse(d, "a ghost endangers data while it is there: only with "
				 "--yes-restore-ghost");
	return false;
}

/* The pieces of a segment that lie on disks, whatever kind of segment it is. */
static void add_areas(struct extents *list, const struct resolver *r, const struct lvm_lv *lv,
		      const struct lvm_seg *seg, size_t owner)
{
	bool striped = strcmp(seg->type, "striped") == 0;
	uint64_t length = seg->size / SECTOR / (striped && seg->n_areas ? seg->n_areas : 1);

	for (size_t i = 0; i < seg->n_areas; i++) {
		const struct lvm_area *area = &seg->areas[i];
		struct leg leg;

		if (!area->pv || !area->pv->have_dev)
			continue;
		leg.dev = area->pv->dev;
		leg.offset =
			(area->pv->pe_start + area->first_extent * lv->vg->extent_size) / SECTOR;
		leg = resolve(r, leg, length);
		*vec_push(list) = (struct extent){ .dev = leg.dev,
						   .start = leg.offset,
						   .end = leg.offset + length,
						   .owner = owner };
	}
}

/* Every sector that today's metadata gives to anybody. Nothing is left out because it is not
 * understood whole: who judges by it must not take what is missing for free. */
static void add_all_areas(const struct draft *d, const struct resolver *r, struct extents *list)
{
	const struct dm_model *m = &d->l->model;

	for (size_t i = 0; i < m->n_lvs; i++)
		for (size_t k = 0; k < m->lvs_by_name[i]->n_segs; k++)
			add_areas(list, r, m->lvs_by_name[i], &m->lvs_by_name[i]->segs[k], i);
}

static const struct extent *overlapping(const struct extents *list, const struct extent *with)
{
	for (size_t i = 0; i < list->n; i++)
		if (devno_eq(list->items[i].dev, with->dev) && list->items[i].start < with->end &&
		    with->start < list->items[i].end)
			return &list->items[i];
	return NULL;
}

/* A volume that is mapped among the devices below: its sectors are its own. */
static const struct lvm_lv *lv_below(const struct draft *d, const struct dm_dev *dev)
{
	const struct dm_model *m = &d->l->model;

	for (int depth = 0; dev && depth < 16; depth++) {
		const struct dm_dev *next = NULL;

		for (size_t i = 0; i < dev->n_deps; i++) {
			const struct dm_dev *below = dm_set_find(&m->scan->dm, dev->deps[i]);
			size_t at = below ? (size_t)(below - m->scan->dm.items) : 0;

			if (below && m->mappings[at].lv)
				return m->mappings[at].lv;
			next = below ? below : next;
		}
		dev = next;
	}
	return NULL;
}

static bool refuse_volume_below(struct draft *d)
{
	struct dm_dev top = { .deps = (struct devno *)d->facts->now,
			      .n_deps = d->entry->n_parents };
	const struct lvm_lv *lv = lv_below(d, &top);

	return lv && REFUSE(d, "its sectors belong to %s/%s now", lv->vg->name, lv->name);
}

static bool refuse_while_moving(struct draft *d)
{
	const struct dm_model *m = &d->l->model;

	for (size_t i = 0; i < m->n_lvs; i++)
		if (lvm_lv_is_changing(m->lvs_by_name[i]))
			return REFUSE(d,
				      "LVM is moving or converting %s/%s: whose sectors are whose "
				      "cannot be told",
				      m->lvs_by_name[i]->vg->name, m->lvs_by_name[i]->name);
	return false;
}

/* Zeroes and errors lie nowhere. False: a type that its line alone does not make again. */
static bool add_sectors(struct extents *list, const struct resolver *r, const struct dm_target *t,
			struct arena *a)
{
	struct segment seg;

	if (strcmp(t->type, "zero") == 0 || strcmp(t->type, "error") == 0)
		return true;
	if (segment_parse(&seg, t, a) < 0)
		return false;
	extents_add(list, r, &seg, 1, 0);
	return true;
}

/* There is a table, without a gap, and its lengths add up. */
static bool is_whole(const struct dm_dev *dev)
{
	uint64_t at = 0;

	for (size_t i = 0; i < dev->n_targets; i++)
		if (dev->targets[i].start != at || !dev->targets[i].length ||
		    __builtin_add_overflow(at, dev->targets[i].length, &at))
			return false;
	return at > 0;
}

/*
 * Today's metadata gives none of its sectors to any volume. What stood on another entry of the run
 * covers that one's sectors, and that one was asked about before it.
 */
static bool refuse_owned_sectors(struct draft *d)
{
	CLEANUP(resolver_done) struct resolver r = {};
	CLEANUP(extents_done) struct extents ours = {};
	CLEANUP(extents_done) struct extents theirs = {};
	const struct dm_dev *dev = &d->plan->dev;

	if (!is_whole(dev))
		return refuse(d, "it has no whole table that could be brought back");
	resolver_init(&r, &d->l->scan.dm, &d->l->scan.sys, d->l->model.tables);
	for (size_t i = 0; i < dev->n_targets; i++)
		if (!add_sectors(&ours, &r, &dev->targets[i], d->a))
			return REFUSE(d, "a table of type %s cannot be brought back exactly",
				      dev->targets[i].type);
	if (d->entry->of)
		return false;
	if (refuse_volume_below(d) || refuse_while_moving(d))
		return true;
	add_all_areas(d, &r, &theirs);
	for (size_t i = 0; i < ours.n; i++) {
		const struct extent *owned = overlapping(&theirs, &ours.items[i]);
		const struct lvm_lv *lv = owned ? d->l->model.lvs_by_name[owned->owner] : NULL;

		if (lv)
			return REFUSE(d, "its sectors belong to %s/%s now", lv->vg->name, lv->name);
	}
	return false;
}

static bool same_segments(const struct segments *a, const struct segments *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct segment *x = &a->items[i], *y = &b->items[i];

		if (x->start != y->start || x->length != y->length || x->chunk != y->chunk ||
		    x->n_legs != y->n_legs)
			return false;
		for (uint32_t k = 0; k < x->n_legs; k++)
			if (!devno_eq(x->legs[k].dev, y->legs[k].dev) ||
			    x->legs[k].offset != y->legs[k].offset)
				return false;
	}
	return true;
}

/* The thin volume's pool is the same device, and so are its id there and its size. */
static bool same_thin(const struct draft *d, const struct lvm_lv *lv)
{
	const struct dm_dev *dev = &d->plan->dev, *pool;
	struct devno pool_dev;
	uint64_t id;
	struct dm_uuid uuid;

	if (dev->n_targets != 1 || !lv->n_segs ||
	    dmtable_thin(&dev->targets[0], &pool_dev, &id) < 0)
		return false;
	pool = dm_set_find(&d->l->scan.dm, pool_dev);
	uuid = dmuuid_parse(pool ? pool->uuid : "");
	return slice_eq(uuid.vg, lv->vg->uuid) && slice_eq(uuid.lv, lv->pool_uuid) &&
	       lv->segs[0].thin_id == id &&
	       dmtable_length(dev->targets, dev->n_targets) == lv->size / SECTOR;
}

/* LVM would map the volume just as it was mapped. */
static bool lvm_would_agree(const struct draft *d, const struct lvm_lv *lv)
{
	CLEANUP(segments_done) struct segments then = {};
	CLEANUP(segments_done) struct segments now = {};
	const struct dm_dev *dev = &d->plan->dev;

	if (lvm_lv_is_thin(lv))
		return same_thin(d, lv);
	return lv->attr[0] == '-' && dm_table_expected(lv, &now, d->a) &&
	       segments_of_table(&then, dev->targets, dev->n_targets, d->a) == 0 &&
	       same_segments(&then, &now);
}

static bool refuse_other_volume(struct draft *d)
{
	const struct lvm_vg *vg = vg_of(d);
	const struct lvm_lv *lv =
		vg && d->entry->lv_uuid ? lvm_find_lv(vg, slice_of(d->entry->lv_uuid)) : NULL;
	char name[DM_NAME_SIZE];

	if (!lv)
		return refuse(d, "the volume does not exist any more");
	d->plan->lv = lv;
	if (!dmname_build(name, vg->name, lv->name) || strcmp(name, d->entry->dev.name) != 0)
		return REFUSE(d, "the volume is named %s/%s and would come back as that", vg->name,
			      lv->name);
	if (lv->attr[0] != '-' && !lvm_lv_is_thin(lv))
		return REFUSE(
			d,
			"whether a volume of this kind comes back exactly cannot be told: use "
			"%s/%s by starting its guest",
			vg->name, lv->name);
	if (!lvm_would_agree(d, lv))
		return REFUSE(d,
			      "LVM would map %s/%s otherwise than it was mapped: use it by "
			      "starting its guest",
			      vg->name, lv->name);
	return false;
}

void dm_restore_plan(struct dm_restore_plan *ret, const struct dm_look *l,
		     const struct dm_undo_run *run, const struct dm_undo_entry *entry,
		     const struct dm_restore_facts *facts, struct arena *a)
{
	static bool (*const common[])(struct draft * d) = {
		refuse_untouched,    refuse_old_boot, refuse_blind,
		refuse_lost_parents, refuse_taken,    refuse_doubtful_group,
	};
	static bool (*const of_removed[])(struct draft * d) = { refuse_doubtful_disk, refuse_ghost,
								refuse_owned_sectors };
	struct draft d = {
		.l = l, .run = run, .entry = entry, .facts = facts, .plan = ret, .a = a
	};

	*ret = (struct dm_restore_plan){};
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (common[i](&d))
			return;
	if (entry->step == DM_STEP_DEACTIVATE) {
		(void)refuse_other_volume(&d);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_removed); i++)
		if (of_removed[i](&d))
			return;
}
