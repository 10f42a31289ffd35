/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What an array says of an entry's name: another volume's, or gone, is believed no more; what says
 * nothing, or what is open, changes nothing; and only what is open is verified unasked. */

#include "array/doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SERIAL "96622A35A07E4A33000126D2"
#define OTHER  "96622A35A07E4A33000126D3"
#define VOLUME "pod::vm-100-disk-0"

/* One storage on two arrays of a pod; both have the volume. Tests spoil one thing each. */
struct stage {
	struct survey s;
	struct array_storage storage;
	struct survey_storage row;
	struct survey_array arrays[2];
	struct fa_volume volumes[2];
	struct fa_connection connections[2];
	struct registry_entry entry;
	struct map_found found;
	struct survey_map map;
};

static void set(struct stage *g)
{
	*g = (struct stage){
		.storage = { .id = "pure", .conf = { .storage = "pure", .prefix = "pod::" } },
		.entry = { .storage = "pure",
			   .volname = "vm-100-disk-0",
			   .snap = "",
			   .array_volume = VOLUME,
			   .volume_id = "",
			   .serial = SERIAL,
			   .verified = true },
		.found = { .serial = SERIAL,
			   .state = { .present = true, .in_use = MAP_FREE, .paths_ok = 4 } },
	};
	g->row = (struct survey_storage){ .storage = &g->storage,
					  .arrays = { 0, 1 },
					  .n_arrays = 2 };
	for (size_t i = 0; i < 2; i++) {
		g->volumes[i] = (struct fa_volume){ .name = VOLUME, .serial = SERIAL };
		g->connections[i] = (struct fa_connection){ .volume = VOLUME, .host = "pve1" };
		g->arrays[i] = (struct survey_array){ .url = "https://fa",
						      .host = "pve1",
						      .asked = true,
						      .named = { &g->volumes[i], 1 },
						      .connections = { &g->connections[i], 1 } };
	}
	g->map = (struct survey_map){
		.serial = SERIAL, .entry = &g->entry, .found = &g->found, .settled = true
	};
	g->s = (struct survey){ .storages = { .items = &g->storage, .n = 1 },
				.rows = &g->row,
				.arrays = g->arrays,
				.n_arrays = 2,
				.maps = &g->map,
				.n_maps = 1 };
}

static enum doubt look(const struct stage *g)
{
	CLEANUP(findings_done) struct findings f = {};

	findings_of(&f, &g->s);
	return doubt_of(&g->s, &f, 0);
}

static void what_keeps_its_name_is_believed(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	assert_int_equal(look(&g), DOUBT_NONE);
	g.map.found = NULL;
	assert_int_equal(look(&g), DOUBT_NONE);
}

static void another_name_or_another_volume(void **state)
{
	struct stage g;

	(void)state;
	for (int i = 0; i < 4; i++) {
		set(&g);
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
	struct stage g;

	(void)state;
	set(&g);
	g.volumes[0].serial = OTHER;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.row.away[1] = "resyncing";
	assert_int_equal(look(&g), DOUBT_NAME);
	g.row.away[0] = "resyncing";
	assert_int_equal(look(&g), DOUBT_NONE);
	set(&g);
	for (size_t i = 0; i < 2; i++)
		g.arrays[i] = (struct survey_array){ .url = "https://fa", .answer = -113 };
	assert_int_equal(look(&g), DOUBT_NONE);
	/* It does not say where the volume is, and was not searched. */
	set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.s.storages.n = 0;
	assert_int_equal(look(&g), DOUBT_NONE);
}

/* Outside of a pod a second array has volumes of its own. */
static void without_a_pod_the_first_array_tells(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.storage.conf.prefix = "";
	g.volumes[1].serial = OTHER;
	assert_int_equal(look(&g), DOUBT_NONE);
	g.arrays[0].asked = false;
	assert_int_equal(look(&g), DOUBT_NONE);
}

static void only_what_is_open_is_verified(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
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
