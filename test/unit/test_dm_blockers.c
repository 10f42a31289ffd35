/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What stands in the way of an id, and which one is free. */

#include "dm/blockers.h"

#include "mixed_node.h"

static void blockers_of_ids(void **state)
{
	static const struct {
		uint32_t vmid;
		size_t n;
		enum dm_blocker_kind kind;
		enum dm_severity severity;
	} cases[] = {
		{ 300, 2, DM_BLOCKER_MAPPING, DM_SEVERITY_CRITICAL },
		{ 102, 2, DM_BLOCKER_TAKEN, DM_SEVERITY_CRITICAL },
		{ 200, 1, DM_BLOCKER_TAKEN, DM_SEVERITY_CRITICAL },
		{ 400, 1, DM_BLOCKER_VOLUME, DM_SEVERITY_WARNING },
		{ 401, 1, DM_BLOCKER_WORK, DM_SEVERITY_WARNING },
		{ 402, 1, DM_BLOCKER_WORK, DM_SEVERITY_WARNING },
		{ 403, 0, DM_BLOCKER_TAKEN, DM_SEVERITY_NONE },
	};
	struct fixture f;

	(void)state;
	mixed_node(&f);
	(void)fixture_lv(&f, f.vgs.items[1], "vm-400-disk-0", 1);
	fixture_task(&f, "qmcreate", 401);
	fixture_flock(&f, 402);
	(void)fixture_check(&f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(dm_blockers_done) struct dm_blockers list = {};

		dm_blockers_find(&list, &f.check, cases[i].vmid);
		if (list.n != cases[i].n)
			fail_msg("id %u: %zu blockers", cases[i].vmid, list.n);
		if (list.n) {
			assert_int_equal(list.items[0].kind, cases[i].kind);
			assert_int_equal(list.items[0].severity, cases[i].severity);
		}
	}
	fixture_done(&f);
}

static void next_ids(void **state)
{
	struct fixture f;

	(void)state;
	mixed_node(&f);
	tree_write(&f.tree, "etc/pve/datacenter.cfg", "next-id: lower=101,upper=104\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(dm_next_vmid(&f.check, 0), 103);
	assert_int_equal(dm_next_vmid(&f.check, 103), 103);
	assert_int_equal(dm_next_vmid(&f.check, 104), 0);
	assert_int_equal(dm_next_vmid(&f.check, UINT32_MAX), 0);
	fixture_done(&f);
}

static void typed_ids(void **state)
{
	static const char *const bad[] = { "",	  "99", "1000000000", "-100", "100 ",
					   "1e3", "x",	"4294967396", "0100x" };
	uint32_t id = 0;

	(void)state;
	assert_true(dm_parse_vmid("100", &id));
	assert_int_equal(id, 100);
	assert_true(dm_parse_vmid("999999999", &id));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (dm_parse_vmid(bad[i], &id))
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blockers_of_ids),
		cmocka_unit_test(next_ids),
		cmocka_unit_test(typed_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
