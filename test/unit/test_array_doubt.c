/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What an array says of an entry's name: another volume's, or gone, is believed no more; what says
 * nothing, or what is open, changes nothing; and only what is open is verified unasked. */

#include "array/doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "finding_stage.h"

#define OTHER "96622A35A07E4A33000126D3"

static enum doubt look(const struct finding_stage *g)
{
	CLEANUP(findings_done) struct findings f = {};

	findings_of(&f, &g->s);
	return doubt_of(&g->s, &f, 0);
}

static void what_keeps_its_name_is_believed(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	assert_int_equal(look(&g), DOUBT_NONE);
	g.map.found = NULL;
	assert_int_equal(look(&g), DOUBT_NONE);
}

static void another_name_or_another_volume(void **state)
{
	struct finding_stage g;

	(void)state;
	for (int i = 0; i < 4; i++) {
		finding_stage_set(&g);
		for (size_t k = 0; k < 2; k++) {
			g.volumes[k].name = i == 0 ? "pod::vm-101-disk-0" : VOLUME;
			g.volumes[k].serial = i == 1 ? OTHER : SERIAL;
			g.volumes[k].destroyed = i == 2;
			if (i == 3)
				g.arrays[k].named.n = 0;
		}
		g.map.missing = i == 3;
		assert_int_equal(look(&g), DOUBT_NAME);
		g.map.found = NULL;
		assert_int_equal(look(&g), DOUBT_NAME);
		g.map.found = &g.found;
		g.found.state.in_use = MAP_OPEN;
		assert_int_equal(look(&g), DOUBT_NONE);
		g.found.state.in_use = MAP_UNKNOWN;
		assert_int_equal(look(&g), DOUBT_NONE);
		g.found.state.in_use = MAP_FREE;
		g.entry.leaving = true;
		assert_int_equal(look(&g), DOUBT_NONE);
		g.entry.leaving = false;
		g.entry.snap = "a";
		assert_int_equal(look(&g), DOUBT_NONE);
	}
}

/* Nor one that speaks of some time ago, nor two that contradict each other. */
static void what_is_not_said_counts_for_nothing(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.volumes[0].serial = OTHER;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.row.away[1] = "resyncing";
	assert_int_equal(look(&g), DOUBT_NAME);
	g.row.away[0] = "resyncing";
	assert_int_equal(look(&g), DOUBT_NONE);
	finding_stage_set(&g);
	for (size_t i = 0; i < 2; i++)
		g.arrays[i] = (struct survey_array){ .url = "https://fa", .answer = -113 };
	assert_int_equal(look(&g), DOUBT_NONE);
	/* It does not say where the volume is, and was not searched. */
	finding_stage_set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.s.storages.n = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
}

/* Outside of a pod a second array has volumes of its own. */
static void without_a_pod_the_first_array_tells(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.storage.conf.prefix = "";
	g.volumes[1].serial = OTHER;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.arrays[0].asked = false;
	assert_int_equal(look(&g), DOUBT_NONE);
}

static void only_what_is_open_is_verified(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.entry.verified = false;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.found.state.in_use = MAP_OPEN;
	assert_int_equal(look(&g), DOUBT_DISK);
	g.found.state.mismatched = true;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.found.state.mismatched = false;
	g.found.state.paths_ok = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.found.state.paths_ok = 1;
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.arrays[1].connections.n = 1;
	assert_int_equal(look(&g), DOUBT_DISK);
	g.volumes[0].name = g.volumes[1].name = "pod::vm-101-disk-0";
	assert_int_equal(look(&g), DOUBT_NONE);
	g.entry.leaving = true;
	assert_int_equal(look(&g), DOUBT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_keeps_its_name_is_believed),
		cmocka_unit_test(another_name_or_another_volume),
		cmocka_unit_test(what_is_not_said_counts_for_nothing),
		cmocka_unit_test(without_a_pod_the_first_array_tells),
		cmocka_unit_test(only_what_is_open_is_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
