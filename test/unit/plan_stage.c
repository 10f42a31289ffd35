/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "plan_stage.h"

void by_hand(struct stage *s)
{
	s->map = fixture_raw(&s->f, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
	fixture_dep(s->map, (struct devno){ 8, 4000 });
}

void handmade_over(struct stage *s)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	stopped(s);
	s->map = fixture_raw(&s->f, "vg-vm--100--disk--0-copy", "");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048", DEVNO_ARG(pv->dev));
	fixture_dep(s->map, pv->dev);
}

void handmade_stopped_uses_it(struct stage *s)
{
	handmade_over(s);
	vm(s, 101, "scsi1: /dev/mapper/vg-vm--100--disk--0-copy\n");
}

static void options_of(const struct trial *t, const struct stage *s, struct dm_options *judge,
		       struct dm_plan_options *ret)
{
	*judge = fixture_options;
	judge->policy_running = t->flags & RUNNING;
	if (t->flags & ANY_AGE)
		judge->min_age = 0;
	*ret = (struct dm_plan_options){ .policy_running = judge->policy_running,
					 .min_age = judge->min_age,
					 .seen = &s->seen };
	for (unsigned int i = 0; i < DM_CLASS_MAX; i++)
		ret->only[i] = t->flags & ONLY(i);
	if (t->flags & (VMID_100 | VMID_101))
		ret->vmid = t->flags & VMID_100 ? 100 : 101;
}

static const struct dm_plan_item *item_of(const struct dm_plan *p, const struct stage *s)
{
	const struct dm_mapping *map = fixture_mapping(&s->f, s->map);

	for (size_t i = 0; i < p->n; i++)
		if (&s->f.check.look->model.mappings[p->items[i].mapping] == map)
			return &p->items[i];
	return NULL;
}

static bool planned_as(const struct trial *t, const struct dm_plan_item *item)
{
	if (t->flags & LEFT_OUT || !item)
		return !item && t->flags & LEFT_OUT;
	if (t->why)
		return item->why_not && strstr(item->why_not, t->why) && item->step == DM_STEP_NONE;
	return !item->why_not && item->step == t->step;
}

static bool run_trial(const struct trial *t)
{
	const struct dm_plan_item *item;
	struct dm_plan_options o;
	struct dm_options judge;
	struct dm_plan plan;
	struct stage s;
	bool good;

	stage_make(&s);
	t->make(&s);
	options_of(t, &s, &judge, &o);
	(void)fixture_check(&s.f, &judge);
	dm_plan_make(&plan, s.f.check.look, &o);
	item = item_of(&plan, &s);
	good = planned_as(t, item);
	if (!good)
		print_error("%s (%s): %s, step %d, why not: %s\n", t->what,
			    dm_class_name(fixture_verdict(&s.f, s.map)->class),
			    item ? "planned" : "left out", item ? (int)item->step : -1,
			    item && item->why_not ? item->why_not : "-");
	dm_plan_done(&plan);
	fixture_done(&s.f);
	return good;
}

void plan_try_all(const struct trial *trials, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += !run_trial(&trials[i]);
	if (bad)
		fail_msg("%zu of %zu trials", bad, n);
}

void plan_of(struct stage *s, struct dm_plan *plan, struct dm_plan_options o)
{
	(void)fixture_check(&s->f, NULL);
	dm_plan_make(plan, s->f.check.look, &o);
}

const char *name_at(const struct stage *s, size_t mapping)
{
	return s->f.check.look->model.mappings[mapping].dev->name;
}
