/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What leads to a volume, as far as that can be known here: paths, sizes, namespaces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "finding_stage.h"

static void paths_and_size(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.found.state.paths_ok = 2;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_true(finding_is_for_heal(&g.f.items[0]));
	assert_false(finding_heals(&g.f.items[0])); /* a cable does */
	findings_done(&g.f);

	finding_stage_set(&g);
	g.found.state.paths_ok = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);

	/* The kernel has taken away its disks, and a guest has it open: the map stays. */
	finding_stage_set(&g);
	g.found.state.paths = g.found.state.paths_ok = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);

	finding_stage_set(&g);
	g.volumes[0].size = g.volumes[1].size = 2ULL * GIB;
	assert_int_equal(finding_stage_look(&g), FINDING_SIZE);
	assert_true(finding_heals(&g.f.items[0]));
	findings_done(&g.f);
}

/* What each spoils of a map that has no path over the last session. */
static void lacks(struct finding_stage *g)
{
	g->found.n_ways--;
}
static void lacks_both(struct finding_stage *g)
{
	g->found.n_ways = 2;
}
static void of_a_stranger(struct finding_stage *g)
{
	lacks(g);
	g->map.entry = NULL;
}
static void over_another_channel(struct finding_stage *g)
{
	g->found.ways[3].channel = 1;
}
static void over_another_target(struct finding_stage *g)
{
	g->found.ways[3].target = 1;
}
static void by_fc(struct finding_stage *g)
{
	lacks(g);
	g->storage.conf.protocol = ARRAY_FC;
	g->fa_ports[1] = (struct fa_port){ .wwn = "52:4A:93:70:00:00:00:01" };
	g->ports[3].protocol = ARRAY_FC;
	(void)snprintf(g->ports[3].at.id, sizeof(g->ports[3].at.id), "524a937000000001");
}
static void logged_out(struct finding_stage *g)
{
	lacks(g);
	g->ports[3].at.usable = false;
}
static void just_come(struct finding_stage *g)
{
	lacks(g);
	g->ports[3].settled = false;
}
static void another_arrays(struct finding_stage *g)
{
	lacks(g);
	(void)snprintf(g->ports[3].at.id, sizeof(g->ports[3].at.id), "iqn.c");
}
static void another_protocol(struct finding_stage *g)
{
	lacks(g);
	g->storage.conf.protocol = ARRAY_FC;
}
/* The volume is on the first array alone, as without a pod. */
static void not_on_that_array(struct finding_stage *g)
{
	lacks_both(g);
	g->arrays[1].named.n = g->arrays[1].connections.n = 0;
}
static void that_array_is_silent(struct finding_stage *g)
{
	lacks_both(g);
	finding_stage_silence(&g->arrays[1]);
}
static void its_ports_are_not_known(struct finding_stage *g)
{
	lacks_both(g);
	g->arrays[1].ports.n = 0;
}
static void without_multipath(struct finding_stage *g)
{
	lacks(g);
	g->storage.conf.multipath = false;
}
static void no_map_of_scsi(struct finding_stage *g)
{
	g->found.n_ways = 0;
	g->found.ways_known = false;
}
static void being_mapped(struct finding_stage *g)
{
	lacks(g);
	g->entry.verified = false;
	g->entry.since = NOW - 20;
}
static void being_changed(struct finding_stage *g)
{
	lacks(g);
	g->map.settled = false;
}

/* A session that came after the activation, or came back: nobody looks there for the volume. */
static void paths_that_lack(void **state)
{
	static const struct {
		void (*spoil)(struct finding_stage *g);
		bool lacking;
	} cases[] = {
		{ lacks, true },
		{ lacks_both, true },
		{ of_a_stranger, true },
		{ over_another_channel, true },
		{ over_another_target, true },
		{ by_fc, true },
		{ logged_out, false },
		{ just_come, false },
		{ another_arrays, false },
		{ another_protocol, false },
		{ not_on_that_array, false },
		{ that_array_is_silent, false },
		{ its_ports_are_not_known, false },
		{ without_multipath, false },
		{ no_map_of_scsi, false },
		{ being_mapped, false },
		{ being_changed, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct finding_stage g;
		size_t n = 0;

		finding_stage_set(&g);
		cases[i].spoil(&g);
		findings_of(&g.f, &g.s);
		vec_each (x, &g.f) {
			n += x->lacking;
			if (!x->lacking)
				continue;
			assert_int_equal(x->kind, FINDING_PATHS);
			assert_int_equal(x->level, FINDING_WARNING);
			assert_int_equal(finding_heals(x), g.map.entry != NULL);
		}
		if (n != cases[i].lacking)
			print_error("case %zu\n", i);
		assert_int_equal(n, cases[i].lacking);
		findings_done(&g.f);
	}
}

/* It says which. */
static void ways_are_named(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	lacks_both(&g);
	g.ports[2].at.portal[0] = '\0';
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_string_equal(g.f.items[0].what, "no path over iqn.b (host2), 10.0.0.1:3260 (host3), "
					       "which it is logged in to");
	findings_done(&g.f);
}

/* A path that is, or may become, another volume's: all may work, and nothing is well. */
static void a_path_at_another_lun(void **state)
{
	struct fa_connection both[2];
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	g.found.ways[3].lun = 2;
	assert_true(survey_may_stray(&g.s, &g.arrays[1]));
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	assert_true(g.f.items[0].astray && finding_heals(&g.f.items[0]));
	assert_string_equal(
		g.f.items[0].what,
		"a path at LUN 2 (host3) that is not this volume's: https://fa2 has it at "
		"LUN 1; what is written there may go into another volume");
	findings_done(&g.f);

	/* The arrays have LUNs of their own. */
	finding_stage_set(&g);
	g.found.ways[2].lun = g.found.ways[3].lun = g.connections[1].lun = 2;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Not said, or of a pod that is not in step there. */
	finding_stage_set(&g);
	g.found.ways[3].lun = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
	finding_stage_set(&g);
	g.found.ways[3].lun = 2;
	g.row.away[1] = SURVEY_POD_UNKNOWN;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Being mapped at this moment. */
	finding_stage_set(&g);
	g.found.ways[3].lun = 2;
	g.map.settled = false;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Not connected there, and another one is, where its paths still are. */
	finding_stage_set(&g);
	both[0] =
		(struct fa_connection){ .volume = "pod::vm-101-disk-0", .host = "pve1", .lun = 1 };
	g.arrays[1].connections = (struct fa_connections){ both, 1 };
	findings_of(&g.f, &g.s);
	assert_int_equal(g.f.n, 2);
	assert_int_equal(g.f.items[0].kind, FINDING_MISSING_CONNECTION);
	assert_true(g.f.items[1].astray && !g.f.items[1].cut_off);
	assert_int_equal(g.f.items[1].level, FINDING_CRITICAL);
	findings_done(&g.f);
}

/* Nobody connects it any more, or has it: its guest would write into who has its LUN now. */
static void a_lost_volumes_path_to_another(void **state)
{
	struct fa_connection other = { .volume = "pod::vm-101-disk-0", .host = "pve1", .lun = 1 };
	struct finding_stage g;

	(void)state;
	for (int destroyed = 0; destroyed < 2; destroyed++) {
		finding_stage_set(&g);
		g.found.state.in_use = MAP_OPEN;
		g.arrays[0].connections.n = 0;
		g.arrays[1].connections = (struct fa_connections){ &other, 1 };
		g.volumes[0].destroyed = g.volumes[1].destroyed = destroyed;
		findings_of(&g.f, &g.s);
		assert_int_equal(g.f.n, 2);
		assert_int_equal(g.f.items[0].kind,
				 destroyed ? FINDING_GONE : FINDING_NOT_CONNECTED);
		assert_false(finding_heals(&g.f.items[0]));
		assert_true(g.f.items[1].astray && finding_heals(&g.f.items[1]));
		assert_true(g.f.items[1].cut_off);
		assert_int_equal(g.f.items[1].level, FINDING_CRITICAL);
		findings_done(&g.f);
	}
}

/* A person took the map away, and its disks stayed (multipath -F). */
static void disks_without_a_map(void **state)
{
	struct finding_stage g;

	(void)state;
	finding_stage_set(&g);
	(void)snprintf(g.found.state.device, sizeof(g.found.state.device), "sdc");
	assert_int_equal(finding_stage_look(&g), FINDING_PATHS);
	assert_true(finding_heals(&g.f.items[0]));
	assert_non_null(strstr(g.f.items[0].what, "no map"));
	findings_done(&g.f);

	/* Where none is to be. */
	g.storage.conf.multipath = false;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Being mapped at this moment. */
	g.storage.conf.multipath = true;
	g.entry.verified = false;
	g.entry.since = NOW - 20;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* A namespace that no guest here has: what an array shows to a host group is on all of its nodes.
 */
static void set_namespace(struct finding_stage *g)
{
	finding_stage_set(g);
	g->map.entry = NULL;
	g->storage.conf.protocol = ARRAY_NVME_TCP;
	(void)snprintf(g->found.state.device, sizeof(g->found.state.device), "nvme0n3");
	g->found.ways_known = false;
	g->found.n_ways = 0;
	for (size_t i = 0; i < 2; i++)
		g->connections[i].host_group = "cluster";
}

static void shown_to_a_group(void **state)
{
	struct finding_stage g;

	(void)state;
	set_namespace(&g);
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	assert_true(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	assert_string_equal(g.f.maps[0].storage, "pure");
	findings_done(&g.f);

	/* Nobody uses it here: what it lacks is for the node that does. */
	set_namespace(&g);
	g.arrays[1].connections.n = 0;
	g.found.state.paths_ok = 0;
	g.volumes[0].size = 2ULL * GIB;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	set_namespace(&g);
	finding_stage_silence(&g.arrays[1]);
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Udev looks at it. */
	set_namespace(&g);
	g.found.state.in_use = MAP_PASSING;
	assert_int_equal(finding_stage_look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Somebody has it open, or that is not known: not by our doing. */
	for (int use = MAP_OPEN; use <= MAP_UNKNOWN; use++) {
		set_namespace(&g);
		g.found.state.in_use = (enum map_in_use)use;
		assert_int_equal(finding_stage_look(&g), FINDING_UNREGISTERED);
		assert_non_null(strstr(g.f.items[0].what, "open"));
		assert_null(strstr(g.f.items[0].what, "mapped"));
		findings_done(&g.f);
	}
	set_namespace(&g);
	g.found.state.in_use = MAP_OPEN;
	g.arrays[1].connections.n = 0;
	findings_of(&g.f, &g.s);
	assert_int_equal(g.f.n, 2);
	assert_int_equal(g.f.items[0].kind, FINDING_MISSING_CONNECTION);
	findings_done(&g.f);

	/* This host's own connection, on one array at least: somebody has made it. */
	set_namespace(&g);
	g.connections[1].host_group = NULL;
	assert_int_equal(finding_stage_look(&g), FINDING_UNREGISTERED);
	assert_non_null(strstr(g.f.items[0].what, "mapped by something else"));
	findings_done(&g.f);

	/* A disk is on a node because somebody has scanned for it. */
	set_namespace(&g);
	(void)snprintf(g.found.state.device, sizeof(g.found.state.device), "dm-7");
	assert_int_equal(finding_stage_look(&g), FINDING_UNREGISTERED);
	findings_done(&g.f);

	/* Shown no more: as of any other. */
	set_namespace(&g);
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(finding_stage_look(&g), FINDING_NOT_CONNECTED);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_null(strstr(g.f.items[0].remedy, "multipath"));
	findings_done(&g.f);
}

/* The guest stopped while no path worked: the kernel hears of its end when one does again. */
static void namespace_without_a_path(void **state)
{
	struct finding_stage g;

	(void)state;
	for (int destroyed = 0; destroyed < 2; destroyed++) {
		set_namespace(&g);
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		g.volumes[0].destroyed = g.volumes[1].destroyed = destroyed;
		g.found.state.paths_ok = 0;
		assert_int_equal(finding_stage_look(&g),
				 destroyed ? FINDING_GONE : FINDING_NOT_CONNECTED);
		assert_int_equal(g.f.items[0].level, FINDING_NOTICE);
		assert_non_null(strstr(g.f.items[0].what, "by itself"));
		assert_null(strstr(g.f.items[0].remedy, "multipath"));
		assert_false(finding_reaps(&g.f.items[0]));
		findings_done(&g.f);

		/* Open: somebody waits for it in vain. */
		set_namespace(&g);
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		g.volumes[0].destroyed = g.volumes[1].destroyed = destroyed;
		g.found.state.paths_ok = 0;
		g.found.state.in_use = MAP_OPEN;
		assert_int_equal(finding_stage_look(&g),
				 destroyed ? FINDING_GONE : FINDING_NOT_CONNECTED);
		assert_int_equal(g.f.items[0].level, FINDING_WARNING);
		findings_done(&g.f);
	}
}

/* An array did not end the connection when the guest stopped. */
static void namespace_that_leaves(void **state)
{
	struct finding_stage g;

	(void)state;
	set_namespace(&g);
	g.map.entry = &g.entry;
	g.entry.protocol = ARRAY_NVME_TCP;
	g.entry.leaving = true;
	g.entry.verified = false;
	g.connections[0].host_group = g.connections[1].host_group = NULL;
	finding_stage_silence(&g.arrays[1]);
	assert_int_equal(finding_stage_look(&g), FINDING_LEAVING);
	assert_non_null(strstr(g.f.items[0].what, "shows it"));
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_and_size),
		cmocka_unit_test(paths_that_lack),
		cmocka_unit_test(ways_are_named),
		cmocka_unit_test(a_path_at_another_lun),
		cmocka_unit_test(a_lost_volumes_path_to_another),
		cmocka_unit_test(disks_without_a_map),
		cmocka_unit_test(shown_to_a_group),
		cmocka_unit_test(namespace_without_a_path),
		cmocka_unit_test(namespace_that_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
