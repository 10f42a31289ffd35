/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a whole check comes to: the figures, the grade, the exit status. */

#include "dm/check.h"

#include "mixed_node.h"
#include "util/cli.h"

static const struct dm_summary *with_orphans(struct fixture *f, size_t orphans, size_t criticals)
{
	struct fx_vg *vg = node_make(f);

	for (unsigned int i = 0; i < orphans; i++)
		(void)ghost_disk(f, vg, 500 + i, 0);
	for (unsigned int i = 0; i < criticals; i++) {
		(void)ghost_disk(f, vg, 900 + i, 0);
		(void)fixture_lv(f, vg, arena_fmt(&f->arena, "vm-%u-disk-0", 900 + i), 1);
	}
	return &fixture_check(f, NULL)->summary;
}

/* Decisions 12: 100 - 20 for each critical (60 at most) - 5 for each orphan (40 at most). */
static void score_and_grade(void **state)
{
	static const struct {
		size_t orphans, criticals;
		int score;
		const char *grade;
	} cases[] = {
		{ 0, 0, 100, "A+" }, { 1, 0, 95, "B" },	 { 5, 0, 75, "B" },  { 6, 0, 70, "C" },
		{ 8, 0, 60, "C" },   { 9, 0, 60, "C" },	 { 20, 0, 60, "C" }, { 21, 0, 60, "D" },
		{ 50, 0, 60, "D" },  { 51, 0, 60, "F" }, { 0, 1, 80, "F" },  { 3, 1, 65, "F" },
		{ 0, 3, 40, "F" },   { 0, 4, 40, "F" },	 { 51, 9, 0, "F" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dm_summary *s;
		struct fixture f;

		s = with_orphans(&f, cases[i].orphans, cases[i].criticals);
		assert_true(s->graded);
		assert_int_equal(s->score, cases[i].score);
		assert_string_equal(s->grade, cases[i].grade);
		assert_int_equal(s->orphans, cases[i].orphans);
		assert_int_equal(s->critical, cases[i].criticals);
		assert_int_equal(s->answer, cases[i].criticals ? DM_SEVERITY_CRITICAL
					    : cases[i].orphans ? DM_SEVERITY_WARNING
							       : DM_SEVERITY_NONE);
		fixture_done(&f);
	}
}

static void no_grade_while_something_is_unknown(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	(void)ghost_disk(&f, vg, 500, 0);
	(void)disk(&f, f.vgs.items[0], 100, 0);
	f.vgs.items[0]->exported = "exported";
	(void)fixture_check(&f, NULL);
	assert_false(f.check.summary.graded);
	assert_null(f.check.summary.grade);
	assert_int_equal(f.check.summary.orphans, 1);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_UNKNOWN);
	assert_int_equal(f.check.blind.n, 1);
	assert_non_null(strstr(f.check.blind.items[0], "san"));
	fixture_done(&f);
}

static void critical_goes_over_unknown(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	(void)ghost_disk(&f, vg, 500, 0);
	(void)fixture_lv(&f, vg, "vm-500-disk-0", 1);
	(void)disk(&f, f.vgs.items[0], 100, 0);
	f.vgs.items[0]->exported = "exported";
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_CRITICAL);
	assert_int_equal(dm_answer_exit(f.check.summary.answer), CLI_CRITICAL);
	fixture_done(&f);
}

/* A node without anything to judge is still not well if it cannot see. */
static void blind_without_mappings(void **state)
{
	struct fixture f;

	(void)state;
	(void)node_make(&f);
	f.quorate = "false";
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.summary.mappings, 0);
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_UNKNOWN);
	assert_false(f.check.summary.graded);
	assert_int_equal(f.check.blind.n, 1);
	fixture_done(&f);
}

static void exits(void **state)
{
	(void)state;
	assert_int_equal(dm_answer_exit(DM_SEVERITY_NONE), 0);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_NOTICE), 0);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_WARNING), 1);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_CRITICAL), 2);
	assert_int_equal(dm_answer_exit(DM_SEVERITY_UNKNOWN), 3);
	assert_string_equal(dm_answer_name(DM_SEVERITY_NONE), "ok");
	assert_string_equal(dm_answer_name(DM_SEVERITY_NOTICE), "ok");
	assert_string_equal(dm_answer_name(DM_SEVERITY_WARNING), "warning");
	assert_string_equal(dm_answer_name(DM_SEVERITY_CRITICAL), "critical");
	assert_string_equal(dm_answer_name(DM_SEVERITY_UNKNOWN), "unknown");
}

static void no_node_at_all(void **state)
{
	struct dm_check c;
	struct tree t;
	struct err e = {};

	(void)state;
	tree_make(&t);
	assert_true(dm_check_run(&c, &t.root, &fixture_options, &e) < 0);
	assert_true(*e.text);
	tree_done(&t);
}

static void summary_of_a_mixed_node(void **state)
{
	const struct dm_summary *s;
	struct fixture f;

	(void)state;
	mixed_node(&f);
	s = &fixture_check(&f, NULL)->summary;
	assert_int_equal(s->mappings, 9);
	assert_int_equal(s->guest_mappings, 8);
	assert_int_equal(s->by_class[DM_OK], 2);
	assert_int_equal(s->by_class[DM_GHOST], 3);
	assert_int_equal(s->by_class[DM_LEFTOVER], 1);
	assert_int_equal(s->by_class[DM_FOREIGN], 1);
	assert_int_equal(s->by_class[DM_DUPLICATE], 1);
	assert_int_equal(s->duplicates, 1);
	assert_int_equal(s->orphans, 4);
	assert_int_equal(s->in_use, 1);
	assert_int_equal(s->issues, 5);
	assert_int_equal(s->vms, 2);
	assert_int_equal(s->vms_running, 1);
	assert_int_equal(s->cts, 1);
	assert_int_equal(s->cts_running, 1);
	assert_int_equal(dm_tally_of(&f.check, 300)->findings, 2);
	assert_int_equal(dm_tally_of(&f.check, 100)->worst, DM_SEVERITY_CRITICAL);
	assert_null(dm_tally_of(&f.check, 200));
	assert_null(dm_tally_of(&f.check, 301));
	fixture_done(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(score_and_grade),
		cmocka_unit_test(no_grade_while_something_is_unknown),
		cmocka_unit_test(critical_goes_over_unknown),
		cmocka_unit_test(blind_without_mappings),
		cmocka_unit_test(exits),
		cmocka_unit_test(no_node_at_all),
		cmocka_unit_test(summary_of_a_mixed_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
