/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Advice, which is no finding. */

#include "mixed_node.h"

/* Decisions 21: neither exit status, score nor grade. */
static void advice_changes_nothing(void **state)
{
	struct fixture f;
	struct fx_vg *san;

	(void)state;
	(void)node_make(&f);
	san = f.vgs.items[0];
	san->autoactivation = true;
	(void)fixture_lv(&f, san, "vm-100-disk-0", 1);
	san->lvs.items[0]->autoactivation = true;
	fixture_vm(&f, FX_NODE, 100, "scsi0: san:vm-100-disk-0\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.advice.n, 1);
	assert_non_null(strstr(f.check.advice.items[0], "san"));
	assert_int_equal(f.check.summary.answer, DM_SEVERITY_NONE);
	assert_string_equal(f.check.summary.grade, "A+");
	fixture_done(&f);
}

static void no_advice_for_local_groups(void **state)
{
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	vg->autoactivation = true;
	fixture_lv(&f, vg, "vm-100-disk-0", 1)->autoactivation = true;
	fixture_vm(&f, FX_NODE, 100, "scsi0: thick:vm-100-disk-0\n");
	(void)fixture_check(&f, NULL);
	assert_int_equal(f.check.advice.n, 0);
	fixture_done(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(advice_changes_nothing),
		cmocka_unit_test(no_advice_for_local_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
