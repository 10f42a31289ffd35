/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What cleaning would do about each finding that it is asked for, and in which order. */

#include "plan_stage.h"

/* The step of each class */

static void ghost_with_namesake(struct stage *s)
{
	struct fx_map *old;

	ghost(s);
	old = s->map;
	(void)fixture_lv(&s->f, s->vg, DISK, 4);
	s->map = old;
}

static void vg_not_seen(struct stage *s)
{
	stopped(s);
	s->vg->hidden = true;
}

static void vg_of_nobody_not_seen(struct stage *s)
{
	vg_of_nobody(s);
	s->lv->vg->hidden = true;
}

static void array_gone(struct stage *s)
{
	s->map = fixture_raw(&s->f, "3624a93700001", "mpath-3624a93700001");
	fixture_target(&s->f, s->map, "0 8192 multipath 0 0 1 1 round-robin 0 1 1 8:16 1");
	tree_write(&s->f.tree, "run/pvewarden/array/array.json",
		   "{\"schema\": \"pvewarden.array/1\", \"time\": \"2026-11-21T04:04:00Z\", "
		   "\"maps\": [{\"wwid\": \"3624a93700001\", \"state\": \"gone\", \"volume\": "
		   "\"v\"}]}");
}

static void array_gone_not_ours(struct stage *s)
{
	array_gone(s);
	tree_write(&s->f.tree, "run/pvewarden/array/array.json",
		   "{\"schema\": \"pvewarden.array/1\", \"time\": \"2026-11-21T04:04:00Z\", "
		   "\"maps\": [{\"wwid\": \"3624a93700001\", \"state\": \"gone\", "
		   "\"registered\": false}]}");
}

/* Unreferenced */

static void seen_since(struct stage *s, int64_t age)
{
	thick(s, DISK);
	s->seen_entry =
		(struct dm_seen_entry){ .uuid = fixture_uuid(&s->f, s->lv, ""), .since = 1000 };
	s->seen = (struct dm_seen){ .items = &s->seen_entry, .n = 1, .now = 1000 + age };
}

static void seen_just_now(struct stage *s)
{
	seen_since(s, 0);
}

static void seen_599(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH - 1);
}

static void seen_600(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
}

static void seen_600_open(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
	s->map->open = 1;
}

static void another_one_seen(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
	s->seen_entry.uuid = "LVM-somebody-else";
}

static void ghost_seen_for_the_first_time(struct stage *s)
{
	seen_since(s, 0);
	delete_lv(s);
}

static const struct trial trials[] = {
	{ "ok", healthy, NOTHING, LEFT_OUT },
	{ "infrastructure", root_volume, NOTHING, LEFT_OUT },
	{ "ghost", ghost, REMOVE },
	{ "ghost, a volume has its name", ghost_with_namesake, REMOVE },
	{ "renamed", renamed, DEACTIVATE },
	{ "stale table, grown", grown, DEACTIVATE },
	{ "stale table, moved", moved, NOT("its sectors lie elsewhere now") },
	{ "duplicate", handmade_over, REMOVE },
	{ "manual", by_hand, REMOVE },
	{ "foreign", foreign, DEACTIVATE },
	{ "leftover", stopped, NOTHING, LEFT_OUT },
	{ "leftover, asked for without the policy", stopped, NOTHING,
	  ONLY(DM_LEFTOVER) | LEFT_OUT },
	{ "leftover, policy running", stopped, DEACTIVATE, RUNNING },
	{ "leftover, policy running, asked for", stopped, DEACTIVATE, RUNNING | ONLY(DM_LEFTOVER) },
	{ "copy", copy, NOTHING, LEFT_OUT },
	{ "copy, asked for", copy, NOTHING, ONLY(DM_COPY) | LEFT_OUT },
	{ "busy", guest_locked, NOTHING, LEFT_OUT },
	{ "busy, asked for", guest_locked, NOT("backup"), ONLY(DM_BUSY) },
	{ "unknown", vg_not_seen, NOT("volume group") },
	{ "unknown, nobody's", vg_of_nobody_not_seen, NOTHING, LEFT_OUT },
	{ "array-gone", array_gone, NOT("pvewarden array reap") },
	{ "array-gone, not ours", array_gone_not_ours, NOT("multipath -f") },
	{ "array-gone, asked for", array_gone, NOT("array reap"), ONLY(DM_ARRAY_GONE) },

	{ "unreferenced", unreferenced, NOT("only on demand") },
	{ "unreferenced, seen long ago", seen_600, NOT("only on demand") },
	{ "asked for, never seen", unreferenced, NOT("for the first time"), ONLY(DM_UNREFERENCED) },
	{ "asked for, seen just now", seen_just_now, NOT("0 s only: ask again in 600 s"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 599 s", seen_599, NOT("599 s only: ask again in 1 s"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 600 s", seen_600, DEACTIVATE, ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 600 s, open", seen_600_open, NOT(OPEN), ONLY(DM_UNREFERENCED) },
	{ "asked for, another was seen", another_one_seen, NOT("for the first time"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, any age", unreferenced, DEACTIVATE, ONLY(DM_UNREFERENCED) | ANY_AGE },
	{ "any age, not asked for", unreferenced, NOT("only on demand"), ANY_AGE },
	{ "a ghost need not have been seen", ghost_seen_for_the_first_time, REMOVE },

	{ "class asked for", ghost, REMOVE, ONLY(DM_GHOST) },
	{ "another class asked for", ghost, NOTHING, ONLY(DM_RENAMED) | LEFT_OUT },
	{ "one of two classes", renamed, DEACTIVATE, ONLY(DM_GHOST) | ONLY(DM_RENAMED) },
	{ "guest asked for", ghost, REMOVE, VMID_100 },
	{ "another guest asked for", ghost, NOTHING, VMID_101 | LEFT_OUT },
	{ "the name's guest asked for", handmade_stopped_uses_it, REMOVE, VMID_100 },
	{ "the referring guest asked for", handmade_stopped_uses_it, REMOVE, VMID_101 },
};

static void every_rule(void **state)
{
	(void)state;
	plan_try_all(trials, ARRAY_SIZE(trials));
}

static void gone(struct stage *s, struct fx_vg *vg, const char *name)
{
	s->lv = fixture_lv(&s->f, vg, name, 4);
	(void)fixture_map(&s->f, s->lv);
	delete_lv(s);
}

/* Critical first, then by guest, group, disk, device. */
static void order_of_the_plan(void **state)
{
	static const char *const expected[] = {
		"vg-vm--300--disk--0",	 /* critical: a volume has its name */
		"san-vm--101--disk--9",	 /* guest 101, group san */
		"vg-vm--101--disk--0",	 /* group vg */
		"vg-vm--101--disk--1",	 /* two of one name: by number */
		"vg-vm--101--disk--1-x", /* by hand */
		"san-vm--102--disk--0",	 /* a guest before a group */
	};
	struct dm_plan plan;
	struct stage s;

	(void)state;
	stage_make(&s);
	gone(&s, s.san, "vm-102-disk-0");
	gone(&s, s.vg, "vm-101-disk-1");
	s.map = fixture_raw(&s.f, "vg-vm--101--disk--1-x", "");
	fixture_target(&s.f, s.map, "0 8192 linear 8:4000 2048");
	gone(&s, s.vg, "vm-101-disk-0");
	gone(&s, s.san, "vm-101-disk-9");
	gone(&s, s.vg, "vm-300-disk-0");
	(void)fixture_lv(&s.f, s.vg, "vm-300-disk-0", 4);
	plan_of(&s, &plan, (struct dm_plan_options){ .min_age = 86400 });
	assert_int_equal(plan.n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < plan.n; i++)
		assert_string_equal(name_at(&s, plan.items[i].mapping), expected[i]);
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

/* A removal names the UUID where there is one, a deactivation both of LVM's. */
static void commands(void **state)
{
	struct arena a = {};
	struct stage s;
	const struct dm_mapping *map;
	const char *text;

	(void)state;
	stage_make(&s);
	stopped(&s);
	(void)fixture_check(&s.f, NULL);
	map = fixture_mapping(&s.f, s.map);
	text = dm_step_command(DM_STEP_REMOVE, map, &a);
	assert_non_null(strstr(text, map->dev->uuid));
	text = dm_step_command(DM_STEP_DEACTIVATE, map, &a);
	assert_non_null(strstr(text, "lvchange -aln"));
	assert_non_null(strstr(text, "vg_uuid="));
	assert_non_null(strstr(text, "lv_uuid="));
	assert_null(dm_step_command(DM_STEP_NONE, map, &a));
	arena_done(&a);
	fixture_done(&s.f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
		cmocka_unit_test(order_of_the_plan),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
