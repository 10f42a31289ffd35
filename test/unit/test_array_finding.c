/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a survey means: "unknown" is never "gone", only what the registry has is touched, and what
 * is at work at this moment is no leftover. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "finding_stage.h"

static void all_is_well(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_true(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	assert_string_equal(g.f.maps[0].volume, VOLUME);
	assert_int_equal(g.f.maps[0].exists, TRI_YES);
	findings_done(&g.f);
}

static void no_answer_is_unknown(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	finding_stage_silence(&g.arrays[0]);
	finding_stage_silence(&g.arrays[1]);
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].exists, TRI_UNKNOWN);
	findings_done(&g.f);

	/* One that lives and is not connected, the other silent: it may be connected there. */
	finding_stage_set(&g);
	finding_stage_silence(&g.arrays[1]);
	g.arrays[0].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].connected, TRI_UNKNOWN);
	findings_done(&g.f);

	/* Not under its name on an array that answered: not gone before it was searched. */
	finding_stage_set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);
}

static void gone(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(finding_stage_look(&g), FINDING_GONE);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_GONE);
	assert_true(finding_reaps(&g.f.items[0]));
	assert_false(finding_heals(&g.f.items[0]));
	findings_done(&g.f);

	finding_stage_set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	g.map.missing = true;
	assert_int_equal(finding_stage_look(&g), FINDING_GONE);
	findings_done(&g.f);

	/* Destroyed as one array says, alive as the other does: alive. */
	finding_stage_set(&g);
	g.volumes[0].destroyed = true;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	findings_done(&g.f);

	/* Another volume has taken the name: the serial decides. */
	finding_stage_set(&g);
	g.volumes[0].serial = g.volumes[1].serial = "96622A35A07E4A33000126FF";
	g.map.missing = true;
	assert_int_equal(finding_stage_look(&g), FINDING_GONE);
	findings_done(&g.f);
}

static void not_connected(void **state)
{
	char why[256];
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_NOT_CONNECTED);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_NOT_CONNECTED);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* Open, or not known: nothing is taken away. */
	for (int use = MAP_OPEN; use <= MAP_UNKNOWN; use++) {
		finding_stage_set(&g);
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		g.found.state.in_use = (enum map_in_use)use;
		assert_int_equal(finding_stage_look(&g), FINDING_NOT_CONNECTED);
		assert_false(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
		findings_done(&g.f);
	}
}

static void missing_connection(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.arrays[1].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MISSING_CONNECTION);
	assert_ptr_equal(g.f.items[0].array, &g.arrays[1]);
	assert_true(finding_heals(&g.f.items[0]));
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* An array that does not have the volume misses nothing. */
	finding_stage_set(&g);
	g.arrays[1].connections.n = g.arrays[1].named.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* What is leaving is not connected again. */
	finding_stage_set(&g);
	g.arrays[1].connections.n = 0;
	g.entry.leaving = true;
	assert_int_equal(finding_stage_look(&g), FINDING_LEAVING);
	assert_false(finding_heals(&g.f.items[0]));
	findings_done(&g.f);
}

static void of_an_earlier_boot(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.entry.verified = false;
	g.map.found = NULL;
	assert_int_equal(finding_stage_look(&g), FINDING_STALE);
	findings_done(&g.f);
	/* Believed no more, as another node has renamed it. */
	g.volumes[0].name = g.volumes[1].name = "pod::vm-101-disk-0";
	g.connections[0].volume = g.connections[1].volume = "pod::vm-101-disk-0";
	assert_int_equal(finding_stage_look(&g), FINDING_STALE);
	assert_non_null(strstr(g.f.items[0].what, "another name"));
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* An activation of this moment. */
	finding_stage_set(&g);
	g.entry.verified = false;
	g.entry.since = NOW - 20;
	g.map.found = NULL;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Devices could not be listed: absent is not known. */
	finding_stage_set(&g);
	g.entry.verified = false;
	g.map.found = NULL;
	g.s.n_blind = 1;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	finding_stage_set(&g);
	g.entry.verified = false;
	g.entry.snap = "backup";
	assert_int_equal(finding_stage_look(&g), FINDING_SNAPSHOT);
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	finding_stage_set(&g);
	g.entry.snap = "backup";
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* The registry said before and after the look that it is mapped, and there is no device. */
static void without_device(void **state)
{
	char why[256];
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.map.found = NULL;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_true(finding_heals(&g.f.items[0]));
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* No array answers: that there is no device is seen all the same. */
	finding_stage_set(&g);
	g.map.found = NULL;
	finding_stage_silence(&g.arrays[0]);
	finding_stage_silence(&g.arrays[1]);
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	findings_done(&g.f);

	/* Only an entry is left of it. */
	finding_stage_set(&g);
	g.map.found = NULL;
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(finding_stage_look(&g), FINDING_GONE);
	assert_true(finding_reaps(&g.f.items[0]));
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	finding_stage_set(&g);
	g.map.found = NULL;
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_NOT_CONNECTED);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* Being mapped or taken away at this moment, or nothing could be looked at. */
	finding_stage_set(&g);
	g.map.found = NULL;
	g.map.settled = false;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
	finding_stage_set(&g);
	g.map.found = NULL;
	g.s.n_blind = 1;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
}

static void of_others(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.map.entry = NULL;
	assert_int_equal(finding_stage_look(&g), FINDING_UNREGISTERED);
	assert_int_equal(g.f.items[0].level, FINDING_NOTICE);
	assert_string_equal(g.f.maps[0].storage, "pure");
	findings_done(&g.f);

	/* Reported, never touched. */
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(finding_stage_look(&g), FINDING_GONE);
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* A LUN that is none of our storages'. */
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	finding_stage_set(&g);
	g.entry.storage = "removed";
	assert_int_equal(finding_stage_look(&g), FINDING_NO_STORAGE);
	assert_false(finding_reaps(&g.f.items[0]));
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	/* storage.cfg could not be read: no statement. */
	finding_stage_set(&g);
	g.entry.storage = "removed";
	g.s.n_blind = 1;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* Until a start makes it ours, what lacks is named, and not healed. */
static void of_a_stranger_that_is_connected(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.arrays[1].connections.n = 0;
	g.found.state.paths_ok = 0;
	g.volumes[0].size = 2ULL * GIB;
	findings_of(&g.f, &g.s);
	assert_int_equal(g.f.n, 4);
	assert_int_equal(g.f.items[0].kind, FINDING_MISSING_CONNECTION);
	assert_int_equal(g.f.items[1].kind, FINDING_PATHS);
	assert_int_equal(g.f.items[1].level, FINDING_CRITICAL);
	assert_int_equal(g.f.items[2].kind, FINDING_SIZE);
	assert_int_equal(g.f.items[3].kind, FINDING_UNREGISTERED);
	vec_each (x, &g.f) {
		assert_string_equal(x->storage, "pure");
		assert_null(strstr(x->remedy, "heal"));
		assert_false(finding_heals(x) || finding_reaps(x));
	}
	findings_done(&g.f);

	/* Not connected on one array, the other silent: what this node sees is said all the same.
	 */
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.arrays[1].connections.n = 0;
	finding_stage_silence(&g.arrays[0]);
	g.found.state.paths_ok = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);
}

/* The name alone is no storage's: another one on other arrays has volumes of such names too. */
static void of_the_storage_that_has_its_array(void **state)
{
	struct array_storage storages[2];
	struct survey_storage rows[2];
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.arrays[0].named.n = g.arrays[0].connections.n = 0;
	storages[0] = storages[1] = g.storage;
	storages[0].id = "other";
	rows[0] =
		(struct survey_storage){ .storage = &storages[0], .arrays = { 0 }, .n_arrays = 1 };
	rows[1] =
		(struct survey_storage){ .storage = &storages[1], .arrays = { 1 }, .n_arrays = 1 };
	g.s.storages.items = storages;
	g.s.storages.n = 2;
	g.s.rows = rows;
	assert_int_equal(finding_stage_look(&g), FINDING_UNREGISTERED);
	assert_string_equal(g.f.items[0].storage, "pure");
	findings_done(&g.f);
}

/* An array that is back and in resync tells of before: it decides nothing, lacks nothing that could
 * be healed, and its paths are no redundancy. */
static void pod_in_resync(void **state)
{
	char why[256];
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.row.away[1] = "resyncing";
	assert_int_equal(finding_stage_look(&g), FINDING_POD);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_string_equal(g.f.items[0].volume, "pod");
	assert_string_equal(g.f.items[0].storage, "pure");
	assert_non_null(strstr(g.f.items[0].what, "resyncing on https://fa2"));
	assert_false(finding_heals(&g.f.items[0]) || finding_reaps(&g.f.items[0]));
	assert_false(finding_is_for_heal(&g.f.items[0]));
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	findings_done(&g.f);

	/* What is not connected there, and what has no path there, is mended when it is in step. */
	finding_stage_set(&g);
	g.row.away[1] = "resyncing";
	g.arrays[1].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_POD);
	findings_done(&g.f);
	finding_stage_set(&g);
	g.row.away[1] = "resyncing";
	g.found.n_ways = 2;
	assert_int_equal(finding_stage_look(&g), FINDING_POD);
	findings_done(&g.f);
	finding_stage_set(&g);
	g.found.n_ways = 2;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	findings_done(&g.f);

	/* It remembers the volume as destroyed, the other one does not answer: not known. */
	finding_stage_set(&g);
	g.row.away[1] = "resyncing";
	g.volumes[1].destroyed = true;
	finding_stage_silence(&g.arrays[0]);
	assert_int_equal(finding_stage_look(&g), FINDING_POD);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].exists, TRI_UNKNOWN);
	findings_done(&g.f);

	/* It remembers it as connected, the other one has it destroyed: that one knows. */
	finding_stage_set(&g);
	g.row.away[1] = "resyncing";
	g.volumes[0].destroyed = true;
	findings_of(&g.f, &g.s);
	assert_int_equal(g.f.n, 2);
	assert_int_equal(g.f.items[0].kind, FINDING_GONE);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* In step nowhere, as far as anybody knows: nothing is said of volumes. */
	finding_stage_set(&g);
	g.row.away[0] = g.row.away[1] = "unknown";
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	/* An array that does not answer is said to be so elsewhere. */
	finding_stage_set(&g);
	g.row.away[1] = "offline";
	finding_stage_silence(&g.arrays[1]);
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* What nobody registered: by the storage of its name. */
	finding_stage_set(&g);
	g.map.entry = NULL;
	g.row.away[1] = "resyncing";
	g.volumes[1].destroyed = true;
	finding_stage_silence(&g.arrays[0]);
	assert_int_equal(finding_stage_look(&g), FINDING_POD);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well),
		cmocka_unit_test(no_answer_is_unknown),
		cmocka_unit_test(gone),
		cmocka_unit_test(not_connected),
		cmocka_unit_test(missing_connection),
		cmocka_unit_test(of_an_earlier_boot),
		cmocka_unit_test(without_device),
		cmocka_unit_test(of_others),
		cmocka_unit_test(of_a_stranger_that_is_connected),
		cmocka_unit_test(of_the_storage_that_has_its_array),
		cmocka_unit_test(pod_in_resync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
