/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "restore_stage.h"

#include "util/str.h"

#define BOOT "6f1d1b8e-52a2"

static void stage_make(struct stage *s)
{
	*s = (struct stage){ .run = { .id = "1", .node = FX_NODE, .boot_id = BOOT } };
	fixture_make(&s->f);
	fixture_storage(&s->f, "lvm: thick\n\tvgname vg\n");
	s->vg = fixture_vg(&s->f, "vg");
	s->pv = s->vg->pvs.items[0];
	s->second = fixture_pv(&s->f, s->vg);
	s->pv->dev = (struct devno){ 8, 16 };
	s->second->dev = (struct devno){ 8, 32 };
	tree_write(&s->f.tree, "proc/sys/kernel/random/boot_id", BOOT "\n");
}

void volume(struct stage *s)
{
	s->lv = fixture_lv(&s->f, s->vg, DISK, 4);
	(void)fixture_map(&s->f, s->lv);
}

void striped_volume(struct stage *s)
{
	s->lv = fixture_bare_lv(&s->f, s->vg, DISK);
	fixture_striped(s->lv, s->pv, 10, s->second, 20, 8, 65536);
	(void)fixture_map(&s->f, s->lv);
}

void thin_volume(struct stage *s)
{
	struct fx_lv *pool = fixture_pool(&s->f, s->vg, "data");

	s->lv = fixture_thin(&s->f, pool, DISK, 4);
	(void)fixture_map(&s->f, s->lv);
}

struct fx_map *last_map(struct stage *s)
{
	return s->f.maps.items[s->f.maps.n - 1];
}

static struct dm_target target_of(struct fixture *f, const char *line)
{
	struct slice rest = slice_of(line), start, length, type;
	struct dm_target t = {};

	assert_true(slice_split(&rest, ' ', &start) && str_to_u64(start, &t.start));
	assert_true(slice_split(&rest, ' ', &length) && str_to_u64(length, &t.length));
	assert_true(slice_split(&rest, ' ', &type));
	t.type = arena_str(&f->arena, type);
	t.params = arena_str(&f->arena, rest);
	return t;
}

static void mark_parent(struct stage *s, struct blk_identity *p)
{
	vec_each (vg, &s->f.vgs)
		vec_each (pv, &(*vg)->pvs)
			if (devno_eq((*pv)->dev, p->dev))
				p->pv_uuid = (*pv)->uuid;
	vec_each (map, &s->f.maps)
		if (devno_eq((*map)->dev, p->dev))
			p->dm_uuid = (*map)->uuid;
}

void remember(struct stage *s, const struct fx_map *map, enum dm_step step, const char *class)
{
	struct dm_undo_entry *e = &s->entry;

	*e = (struct dm_undo_entry){ .n = 1,
				     .step = step,
				     .class = class,
				     .vmid = 100,
				     .state = DM_UNDO_DONE,
				     .dev = { .name = map->name,
					      .uuid = map->uuid,
					      .dev = map->dev,
					      .n_targets = map->targets.n } };
	e->dev.targets = arena_alloc(&s->f.arena, map->targets.n * sizeof(struct dm_target));
	for (size_t i = 0; i < map->targets.n; i++)
		e->dev.targets[i] = target_of(&s->f, map->targets.items[i]);
	e->n_parents = map->deps.n;
	e->parents = arena_alloc(&s->f.arena, map->deps.n * sizeof(*e->parents));
	for (size_t i = 0; i < map->deps.n; i++) {
		e->parents[i].dev = map->deps.items[i];
		mark_parent(s, &e->parents[i]);
	}
	if (strncmp(map->uuid, "LVM-", 4) != 0)
		return;
	e->vg_name = s->vg->name;
	e->vg_uuid = s->vg->uuid;
	e->lv_name = s->lv->name;
	e->lv_uuid = s->lv->uuid;
}

void take_away(struct stage *s)
{
	struct fx_map *map = s->f.maps.items[--s->f.maps.n];

	vec_free(&map->targets);
	vec_free(&map->deps);
}

static const char *first_line(struct arena *a, const struct dm_dev *d)
{
	return arena_fmt(a, "%llu %llu %s %s", (unsigned long long)d->targets[0].start,
			 (unsigned long long)d->targets[0].length, d->targets[0].type,
			 d->targets[0].params);
}

/* Everything but the device numbers in the table is as it was. */
static bool is_as_it_was(const struct dm_restore_plan *p, const struct dm_undo_entry *e)
{
	return strcmp(p->dev.name, e->dev.name) == 0 && strcmp(p->dev.uuid, e->dev.uuid) == 0 &&
	       p->dev.read_only == e->dev.read_only && p->dev.n_targets == e->dev.n_targets;
}

static bool planned_as(const struct trial *t, const struct stage *s,
		       const struct dm_restore_plan *p, struct arena *a)
{
	if (t->why ? !p->why_not || !strstr(p->why_not, t->why) : p->why_not != NULL)
		return false;
	if (p->there != !!(t->flags & THERE) || p->half != !!(t->flags & HALF) ||
	    !p->lv != !(t->flags & LV))
		return false;
	return !t->table ||
	       (is_as_it_was(p, &s->entry) && strcmp(first_line(a, &p->dev), t->table) == 0);
}

static bool run_trial(const struct trial *t)
{
	struct dm_restore_facts facts = { .ghosts_allowed = t->flags & GHOST_TOO };
	struct dm_restore_plan plan;
	struct arena a = {};
	struct stage s;
	bool good;

	stage_make(&s);
	t->make(&s);
	if (t->flags & OTHER_BOOT)
		s.run.boot_id = "0000-another";
	(void)fixture_check(&s.f, NULL);
	facts.boot_id = dm_boot_id(&s.f.tree.root, &a);
	dm_restore_find_parents(&facts, &s.entry, s.f.check.look, &s.f.tree.root, &a);
	dm_restore_plan(&plan, s.f.check.look, &s.run, &s.entry, &facts, &a);
	good = planned_as(t, &s, &plan, &a);
	if (!good)
		print_error("%s: %s,%s%s%s %s\n", t->what,
			    plan.why_not ? plan.why_not : "comes back", plan.there ? " there," : "",
			    plan.half ? " half," : "", plan.lv ? " LV," : "",
			    plan.dev.n_targets && plan.dev.targets[0].params
				    ? first_line(&a, &plan.dev)
				    : "no table");
	arena_done(&a);
	fixture_done(&s.f);
	return good;
}

void restore_try_all(const struct trial *trials, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += !run_trial(&trials[i]);
	if (bad)
		fail_msg("%zu of %zu trials", bad, n);
}
