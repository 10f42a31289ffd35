/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Copies of snapshots, and what is an orphan. */

#include "array/orphans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "finding_stage.h"

#define SOURCE "pod::vm-100-disk-0.snap-backup"

/* A copy whose snapshot both arrays have, under ids of their own. */
static struct fa_snapshot there[2];
static void set_copy(struct finding_stage *g)
{
	finding_stage_set(g);
	g->entry.snap = "backup";
	g->entry.origin = "id-0";
	g->entry.put = 7;
	g->map.source = SOURCE;
	for (size_t i = 0; i < 2; i++) {
		there[i] = (struct fa_snapshot){ .name = SOURCE, .id = i ? "id-1" : "id-0" };
		g->arrays[i].snapshots = (struct fa_snapshots){ &there[i], 1 };
	}
}
static void its_there(struct finding_stage *g)
{
	(void)g;
}
static void removed(struct finding_stage *g)
{
	g->arrays[0].snapshots.n = g->arrays[1].snapshots.n = 0;
}
static void removed_and_kept(struct finding_stage *g)
{
	(void)g;
	there[0].destroyed = there[1].destroyed = true;
}
static void another_of_the_name(struct finding_stage *g)
{
	(void)g;
	there[0].id = "id-2";
}
static void on_one_array(struct finding_stage *g)
{
	g->arrays[1].snapshots.n = 0;
}
static void one_is_silent(struct finding_stage *g)
{
	removed(g);
	finding_stage_silence(&g->arrays[1]);
}
static void origin_not_known(struct finding_stage *g)
{
	g->entry.origin = "";
}
static void removed_of_unknown_origin(struct finding_stage *g)
{
	removed(g);
	g->entry.origin = "";
}
static void ids_are_not_told(struct finding_stage *g)
{
	(void)g;
	there[0].id = NULL;
}
static void was_not_asked_for(struct finding_stage *g)
{
	removed(g);
	g->map.source = NULL;
}
static void copy_is_changing(struct finding_stage *g)
{
	removed(g);
	g->map.settled = false;
}
static void copy_is_being_made(struct finding_stage *g)
{
	removed(g);
	g->entry.verified = false;
	g->entry.since = NOW - 20;
}
static void copy_without_device(struct finding_stage *g)
{
	removed(g);
	g->map.found = NULL;
}

static void copies(void **state)
{
	static const struct {
		void (*spoil)(struct finding_stage *g);
		bool orphan;
	} cases[] = {
		{ its_there, false },	       { removed, true },
		{ removed_and_kept, true },    { another_of_the_name, true },
		{ on_one_array, false },       { one_is_silent, false },
		{ origin_not_known, false },   { removed_of_unknown_origin, true },
		{ ids_are_not_told, false },   { was_not_asked_for, false },
		{ copy_is_changing, false },   { copy_is_being_made, false },
		{ copy_without_device, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char why[256];
		struct finding_stage g;

		set_copy(&g);
		cases[i].spoil(&g);
		if ((finding_stage_look(&g) == FINDING_COPY) != cases[i].orphan)
			fail_msg("case %zu", i);
		if (cases[i].orphan) {
			assert_true(finding_reaps(&g.f.items[0]));
			assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
			assert_true(orphan_is(&g.f.items[0]));
		}
		findings_done(&g.f);
	}
}

/* Shown, kept, and looked after as what somebody reads. */
static void copy_that_is_read(void **state)
{
	char why[256];
	struct finding_stage g;

	(void)state;
	for (int use = MAP_OPEN; use <= MAP_UNKNOWN; use++) {
		set_copy(&g);
		removed(&g);
		g.arrays[1].connections.n = 0;
		g.found.state.in_use = (enum map_in_use)use;
		findings_of(&g.f, &g.s);
		assert_int_equal(g.f.n, 2);
		assert_int_equal(g.f.items[0].kind, FINDING_COPY);
		assert_false(orphan_is(&g.f.items[0]));
		assert_false(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
		assert_int_equal(g.f.items[1].kind, FINDING_MISSING_CONNECTION);
		findings_done(&g.f);
	}
}

/* The service takes it away; what nobody has registered, or somebody has open, stays. */
static void what_is_gone_is_an_orphan(void **state)
{
	struct finding_stage g;
	char why[256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		finding_stage_set(&g);
		g.volumes[0].destroyed = g.volumes[1].destroyed = true;
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		if (i == 1)
			g.found.state.in_use = MAP_OPEN;
		if (i == 2)
			g.map.entry = NULL;
		assert_int_equal(finding_stage_look(&g), FINDING_GONE);
		assert_int_equal(orphan_is(&g.f.items[0]), i == 0);
		if (i == 0)
			assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
		findings_done(&g.f);
	}
}

/* Only what has been so for a while, as the same entry all the time. */
static void orphans(void **state)
{
	struct orphans o = {};
	struct finding_stage g;

	(void)state;
	set_copy(&g);
	removed(&g);
	assert_int_equal(finding_stage_look(&g), FINDING_COPY);
	assert_false(orphans_are_due(&o, &g.f.items[0], 1000000));
	orphans_note(&o, &g.f, 1000);
	orphans_note(&o, &g.f, 30000);
	assert_false(orphans_are_due(&o, &g.f.items[0], 999 + ORPHAN_S * 1000));
	assert_true(orphans_are_due(&o, &g.f.items[0], 1000 + ORPHAN_S * 1000));
	orphans_put_off(&o, &g.f.items[0], 60000);
	assert_false(orphans_are_due(&o, &g.f.items[0], 59999 + ORPHAN_S * 1000));
	/* Activated anew. */
	g.entry.put = 8;
	orphans_note(&o, &g.f, 70000);
	assert_false(orphans_are_due(&o, &g.f.items[0], 69999 + ORPHAN_S * 1000));
	assert_true(orphans_are_due(&o, &g.f.items[0], 70000 + ORPHAN_S * 1000));
	/* Opened in between. */
	g.found.state.in_use = MAP_OPEN;
	orphans_note(&o, &g.f, 75000);
	g.found.state.in_use = MAP_FREE;
	orphans_note(&o, &g.f, 80000);
	assert_false(orphans_are_due(&o, &g.f.items[0], 79999 + ORPHAN_S * 1000));
	findings_done(&g.f);
	vec_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(copy_that_is_read),
		cmocka_unit_test(what_is_gone_is_an_orphan),
		cmocka_unit_test(orphans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
