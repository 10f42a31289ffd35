/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a person is told to do about a finding. */

#include "dm/explain.h"

#include "mixed_node.h"

static struct dm_explanation explain(const struct fixture *f, const struct fx_map *map,
				     struct arena *a)
{
	struct dm_explanation text;

	dm_explain(&text, &f->check.look->model, fixture_mapping(f, map), fixture_verdict(f, map),
		   a);
	return text;
}

/* Decisions 16, 17, 26, 27: what may be printed to be typed. */
static void remedies(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct fx_map *gone, *moved, *grown, *renamed, *open, *loose;
	struct dm_explanation text;
	struct fixture f;
	struct fx_vg *vg;

	(void)state;
	vg = node_make(&f);
	gone = ghost_disk(&f, vg, 300, 0);
	moved = disk(&f, vg, 301, 0);
	vg->lvs.items[1]->segs.items[0].areas[0].first = 900;
	moved->open = 1;
	grown = disk(&f, vg, 302, 0);
	vg->lvs.items[2]->segs.items[0].size = vg->lvs.items[2]->extents = 5;
	grown->open = 1;
	renamed = disk(&f, vg, 303, 0);
	vg->lvs.items[3]->name = "vm-303-disk-9";
	open = disk(&f, vg, 304, 0);
	vg->lvs.items[4]->name = "vm-304-disk-9";
	open->open = 1;
	loose = disk(&f, vg, 305, 0);
	(void)fixture_check(&f, NULL);

	text = explain(&f, gone, &a);
	assert_non_null(strstr(text.remedy, "dmsetup remove"));
	assert_non_null(strstr(text.remedy, gone->uuid));
	assert_null(strstr(text.remedy, "--force"));
	text = explain(&f, moved, &a);
	assert_null(strstr(text.remedy ? text.remedy : "", "--refresh"));
	text = explain(&f, grown, &a);
	assert_non_null(strstr(text.remedy, "lvchange --refresh"));
	text = explain(&f, renamed, &a);
	assert_non_null(strstr(text.remedy, "lvchange -aln --"));
	text = explain(&f, open, &a);
	assert_non_null(strstr(text.remedy, "lvchange -aly --devices '/dev/"));
	text = explain(&f, loose, &a);
	assert_null(strstr(text.remedy ? text.remedy : "", "lvremove"));
	assert_null(strstr(text.remedy ? text.remedy : "", "pvesm free"));
	fixture_done(&f);
}

/* `array reap` takes away only what pvewarden's registry has. */
static void remedy_of_an_array_volume(void **state)
{
	static const struct {
		const char *registered, *command;
	} rows[] = {
		{ "", "pvewarden array reap" },
		{ ", \"registered\": true", "pvewarden array reap" },
		{ ", \"registered\": false", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct dm_explanation text;
		struct fx_map *map;
		struct fixture f;

		(void)node_make(&f);
		map = fixture_raw(&f, "3624a93700001", "mpath-3624a93700001");
		fixture_target(&f, map, "0 8192 multipath 0 0 1 1 round-robin 0 1 1 8:16 1");
		tree_write(
			&f.tree, "run/pvewarden/array/array.json",
			arena_fmt(&f.arena,
				  "{\"schema\": \"pvewarden.array/1\", \"time\": "
				  "\"2026-11-21T04:04:00Z\", \"maps\": [{\"wwid\": "
				  "\"3624a93700001\", \"state\": \"gone\", \"volume\": \"v\"%s}]}",
				  rows[i].registered));
		(void)fixture_check(&f, NULL);
		text = explain(&f, map, &a);
		if (rows[i].command)
			assert_string_equal(text.command, rows[i].command);
		else
			assert_null(text.command);
		assert_int_equal(!rows[i].command, strstr(text.remedy, "multipath -f") != NULL);
		fixture_done(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(remedies),
		cmocka_unit_test(remedy_of_an_array_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
