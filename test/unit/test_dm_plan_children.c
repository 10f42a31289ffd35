/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What stands on a mapping goes with it, topmost first, or keeps it. */

#include "plan_stage.h"

static struct fx_map *upon(struct stage *s, struct fx_map *below, const char *name,
			   const char *uuid)
{
	struct fx_map *map = fixture_raw(&s->f, name, uuid);

	if (s->downwards)
		map->dev.minor = 200 - map->dev.minor;
	fixture_target(&s->f, map, "0 8192 linear " DEVNO_FMT " 0", DEVNO_ARG(below->dev));
	fixture_dep(map, below->dev);
	below->open++;
	return map;
}

static struct fx_map *part(struct stage *s, unsigned int n)
{
	return upon(s, s->map, arena_fmt(&s->f.arena, "%sp%u", s->map->name, n),
		    arena_fmt(&s->f.arena, "part%u-%s", n, s->map->uuid));
}

/* A volume of a group inside the guest, of which LVM sees nothing here. */
static struct fx_map *inner(struct stage *s, struct fx_map *below, const char *name, int vg, int lv)
{
	return upon(s, below, name, arena_fmt(&s->f.arena, "LVM-%032d%032d", vg, lv));
}

static void with_partition(struct stage *s)
{
	ghost(s);
	(void)part(s, 1);
}

static void renamed_with_partition(struct stage *s)
{
	renamed(s);
	(void)part(s, 1);
}

static void with_inner_volume(struct stage *s)
{
	ghost(s);
	(void)inner(s, s->map, "inner-root", 1, 1);
}

static void partition_and_more(struct stage *s)
{
	with_partition(s);
	s->map->open++;
}

static void partition_open(struct stage *s)
{
	ghost(s);
	part(s, 1)->open = 1;
}

static void child_without_uuid(struct stage *s)
{
	ghost(s);
	(void)upon(s, s->map, "rescue", "");
}

static void child_not_utf8(struct stage *s)
{
	ghost(s);
	part(s, 1)->name = "part-\xff";
}

static void child_crypt(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = upon(s, s->map, "inside", "CRYPT-LUKS2-0123-inside");
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 crypt");
}

static void child_of_unknown_kind(struct stage *s)
{
	ghost(s);
	(void)upon(s, s->map, "rescue", "somebodys-own");
}

static void child_thin(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = inner(s, s->map, "inner-root", 1, 1);
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 thin " DEVNO_FMT " 1", DEVNO_ARG(s->map->dev));
}

static void child_partition_not_linear(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = part(s, 1);
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 delay " DEVNO_FMT " 0 500", DEVNO_ARG(s->map->dev));
}

static void child_suspended(struct stage *s)
{
	ghost(s);
	part(s, 1)->flags = "suspended";
}

static void child_inactive(struct stage *s)
{
	ghost(s);
	part(s, 1)->flags = "inactive";
}

static void child_on_two_disks(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = inner(s, s->map, "inner-root", 1, 1);
	fixture_target(&s->f, map, "8192 8192 linear 8:4000 2048");
	fixture_dep(map, (struct devno){ 8, 4000 });
}

static void child_on_two_partitions(struct stage *s)
{
	struct fx_map *one, *two, *map;

	ghost(s);
	one = part(s, 1);
	two = part(s, 2);
	map = inner(s, one, "inner-root", 1, 1);
	fixture_target(&s->f, map, "8192 8192 linear " DEVNO_FMT " 0", DEVNO_ARG(two->dev));
	fixture_dep(map, two->dev);
	two->open++;
}

static void child_of_child_open(struct stage *s)
{
	ghost(s);
	inner(s, part(s, 1), "inner-root", 1, 1)->open = 1;
}

static void children_many(struct stage *s, unsigned int n)
{
	ghost(s);
	for (unsigned int i = 1; i <= n; i++)
		(void)part(s, i);
}

static void children_as_many_as_may_be(struct stage *s)
{
	children_many(s, DM_PLAN_CHILDREN_MAX);
}

static void children_too_many(struct stage *s)
{
	children_many(s, DM_PLAN_CHILDREN_MAX + 1);
}

/* The kernel has no such thing; a spoilt record may. */
static void children_in_a_circle(struct stage *s)
{
	struct fx_map *one, *two;

	ghost(s);
	one = part(s, 1);
	two = part(s, 2);
	fixture_dep(one, two->dev);
	fixture_dep(two, one->dev);
	one->open = two->open = 1;
}

static const struct trial trials[] = {
	{ "partition on it", with_partition, REMOVE },
	{ "renamed, partition on it", renamed_with_partition, DEACTIVATE },
	{ "volume of an inner group on it", with_inner_volume, REMOVE },
	{ "partition, and somebody else", partition_and_more, NOT(OPEN) },
	{ "partition, open", partition_open,
	  NOT("[IN USE] vg-vm--100--disk--0p1, which stands on it, is open") },
	{ "child without UUID", child_without_uuid, NOT("rescue stands on it and has no UUID") },
	{ "child, name not UTF-8", child_not_utf8, NOT("cannot be written down exactly") },
	{ "child, crypt", child_crypt, NOT("inside stands on it: close that first (crypt)") },
	{ "child of unknown kind", child_of_unknown_kind, NOT("close that first (linear)") },
	{ "child, thin", child_thin, NOT("close that first (thin)") },
	{ "partition that is not linear", child_partition_not_linear,
	  NOT("close that first (delay)") },
	{ "child, suspended", child_suspended, NOT("is being changed") },
	{ "child with an inactive table", child_inactive, NOT("is being changed") },
	{ "child on another disk too", child_on_two_disks, NOT("and on other disks as well") },
	{ "child on two partitions", child_on_two_partitions, REMOVE },
	{ "child of a child, open", child_of_child_open, NOT("[IN USE] inner-root, which") },
	{ "64 children", children_as_many_as_may_be, REMOVE },
	{ "65 children", children_too_many, NOT("too much stands on it") },
	{ "children in a circle", children_in_a_circle, NOT("stands on itself") },
};

static void every_rule(void **state)
{
	(void)state;
	plan_try_all(trials, ARRAY_SIZE(trials));
}

static size_t place_of(const struct stage *s, const struct dm_plan_item *item, const char *name)
{
	for (size_t i = 0; i < item->n_children; i++)
		if (strcmp(name_at(s, item->children[i]), name) == 0)
			return i;
	fail_msg("%s is no child", name);
	return 0;
}

/* disk <- p1 <- a, disk <- p2 <- b <- top: nothing goes before what stands on it. */
static void check_order(bool downwards)
{
	static const char *const pairs[][2] = {
		{ "inner-a", "vg-vm--100--disk--0p1" },
		{ "inner-b", "vg-vm--100--disk--0p2" },
		{ "outer-top", "inner-b" },
	};
	struct fx_map *one, *two;
	struct dm_plan plan;
	struct stage s;

	stage_make(&s);
	ghost(&s);
	s.downwards = downwards;
	one = part(&s, 1);
	two = part(&s, 2);
	(void)inner(&s, one, "inner-a", 1, 1);
	(void)inner(&s, inner(&s, two, "inner-b", 1, 2), "outer-top", 2, 1);
	plan_of(&s, &plan, (struct dm_plan_options){ .min_age = 86400 });
	assert_int_equal(plan.n, 1);
	assert_int_equal(plan.items[0].step, DM_STEP_REMOVE);
	assert_int_equal(plan.items[0].n_children, 5);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_true(place_of(&s, &plan.items[0], pairs[i][0]) <
			    place_of(&s, &plan.items[0], pairs[i][1]));
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

static void topmost_first(void **state)
{
	(void)state;
	check_order(false);
	check_order(true);
}

/* What is planned one by one, under the locks, is what the whole plan had. */
static void one_alone(void **state)
{
	const struct dm_plan_options o = { .min_age = 86400 };
	struct arena a = {};
	struct dm_plan plan;
	struct stage s;

	(void)state;
	stage_make(&s);
	with_partition(&s);
	plan_of(&s, &plan, o);
	assert_int_equal(plan.n, 1);
	for (size_t i = 0; i < s.f.check.look->model.n; i++) {
		struct dm_plan_item item;
		bool in = dm_plan_one(&item, s.f.check.look, i, &o, &a);

		assert_int_equal(in, i == plan.items[0].mapping);
		if (in)
			assert_memory_equal(&item, &plan.items[0], sizeof(item));
	}
	arena_done(&a);
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
		cmocka_unit_test(topmost_first),
		cmocka_unit_test(one_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
