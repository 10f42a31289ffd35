/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What a survey means: "unknown" is never "gone", only what the registry has is touched, and what
 * is at work at this moment is no leftover. */

#include "array/finding.h"
#include "array/orphans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SERIAL "96622A35A07E4A33000126D2"
#define VOLUME "pod::vm-100-disk-0"

enum { NOW = 1795282183, OLD = NOW - 86400, GIB = 1 << 30 };

/* One storage on two arrays, one volume. Tests spoil one thing each. */
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
	struct fa_port fa_ports[2];
	struct survey_port ports[4];
	struct findings f;
};

static void set(struct stage *g)
{
	*g = (struct stage){
		.storage = { .id = "pure",
			     .conf = { .storage = "pure", .prefix = "pod::", .multipath = true } },
		.entry = { .storage = "pure",
			   .volname = "vm-100-disk-0",
			   .snap = "",
			   .array_volume = VOLUME,
			   .serial = SERIAL,
			   .size = GIB,
			   .since = OLD,
			   .verified = true },
		.found = { .serial = SERIAL,
			   .state = { .present = true,
				      .device = "dm-7",
				      .size = GIB,
				      .in_use = MAP_FREE,
				      .paths = 4,
				      .paths_ok = 4 } },
	};
	g->row = (struct survey_storage){ .storage = &g->storage,
					  .arrays = { 0, 1 },
					  .n_arrays = 2 };
	for (size_t i = 0; i < 2; i++) {
		g->volumes[i] = (struct fa_volume){ .name = VOLUME, .serial = SERIAL, .size = GIB };
		g->connections[i] =
			(struct fa_connection){ .volume = VOLUME, .host = "pve1", .lun = 1 };
		g->arrays[i] = (struct survey_array){ .url = i ? "https://fa2" : "https://fa1",
						      .host = "pve1",
						      .asked = true,
						      .named = { &g->volumes[i], 1 },
						      .connections = { &g->connections[i], 1 } };
	}
	g->map = (struct survey_map){
		.serial = SERIAL, .entry = &g->entry, .found = &g->found, .settled = true
	};
	/* Two sessions to each array, and a path over each. */
	g->found.ways_known = true;
	for (uint32_t i = 0; i < 4; i++) {
		g->found.ways[g->found.n_ways++] = (struct map_way){ .host = i, .lun = 1 };
		g->ports[i] = (struct survey_port){
			.at = { .host = i,
				.id = "iqn.a",
				.portal = "10.0.0.1:3260",
				.usable = true },
			.settled = true,
		};
		if (i >= 2)
			(void)snprintf(g->ports[i].at.id, sizeof(g->ports[i].at.id), "iqn.b");
	}
	for (size_t i = 0; i < 2; i++) {
		g->fa_ports[i].iqn = i ? "iqn.b" : "iqn.a";
		g->arrays[i].ports = (struct fa_ports){ &g->fa_ports[i], 1 };
	}
	g->s = (struct survey){ .now = NOW,
				.storages = { .items = &g->storage, .n = 1 },
				.rows = &g->row,
				.arrays = g->arrays,
				.n_arrays = 2,
				.maps = &g->map,
				.n_maps = 1,
				.ports = g->ports,
				.n_ports = 4 };
}

/* The only finding's kind, FINDING_MAX without any. */
static enum finding_kind look(struct stage *g)
{
	findings_of(&g->f, &g->s);
	assert_true(g->f.n <= 1);
	return g->f.n ? g->f.items[0].kind : FINDING_MAX;
}

static void silent(struct survey_array *a)
{
	a->answer = -113;
	a->why = "no route";
	a->asked = false;
	a->named = (struct fa_volumes){};
	a->connections = (struct fa_connections){};
}

static void all_is_well(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	assert_int_equal(look(&g), FINDING_MAX);
	assert_true(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	assert_string_equal(g.f.maps[0].volume, VOLUME);
	assert_int_equal(g.f.maps[0].exists, TRI_YES);
	findings_done(&g.f);
}

static void no_answer_is_unknown(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	silent(&g.arrays[0]);
	silent(&g.arrays[1]);
	assert_int_equal(look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].exists, TRI_UNKNOWN);
	findings_done(&g.f);

	/* One that lives and is not connected, the other silent: it may be connected there. */
	set(&g);
	silent(&g.arrays[1]);
	g.arrays[0].connections.n = 0;
	assert_int_equal(look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].connected, TRI_UNKNOWN);
	findings_done(&g.f);

	/* Not under its name on an array that answered: not gone before it was searched. */
	set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);
}

static void gone(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(look(&g), FINDING_GONE);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_GONE);
	assert_true(finding_reaps(&g.f.items[0]));
	assert_false(finding_heals(&g.f.items[0]));
	findings_done(&g.f);

	set(&g);
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	g.map.missing = true;
	assert_int_equal(look(&g), FINDING_GONE);
	findings_done(&g.f);

	/* Destroyed as one array says, alive as the other does: alive. */
	set(&g);
	g.volumes[0].destroyed = true;
	assert_int_equal(look(&g), FINDING_MAX);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	findings_done(&g.f);

	/* Another volume has taken the name: the serial decides. */
	set(&g);
	g.volumes[0].serial = g.volumes[1].serial = "96622A35A07E4A33000126FF";
	g.map.missing = true;
	assert_int_equal(look(&g), FINDING_GONE);
	findings_done(&g.f);
}

static void not_connected(void **state)
{
	char why[256];
	struct stage g;

	(void)state;
	set(&g);
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), FINDING_NOT_CONNECTED);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_NOT_CONNECTED);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* Open, or not known: nothing is taken away. */
	for (int use = MAP_OPEN; use <= MAP_UNKNOWN; use++) {
		set(&g);
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		g.found.state.in_use = (enum map_in_use)use;
		assert_int_equal(look(&g), FINDING_NOT_CONNECTED);
		assert_false(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
		findings_done(&g.f);
	}
}

static void missing_connection(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), FINDING_MISSING_CONNECTION);
	assert_ptr_equal(g.f.items[0].array, &g.arrays[1]);
	assert_true(finding_heals(&g.f.items[0]));
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* An array that does not have the volume misses nothing. */
	set(&g);
	g.arrays[1].connections.n = g.arrays[1].named.n = 0;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* What is leaving is not connected again. */
	set(&g);
	g.arrays[1].connections.n = 0;
	g.entry.leaving = true;
	assert_int_equal(look(&g), FINDING_LEAVING);
	assert_false(finding_heals(&g.f.items[0]));
	findings_done(&g.f);
}

static void paths_and_size(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.found.state.paths_ok = 2;
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_true(finding_is_for_heal(&g.f.items[0]));
	assert_false(finding_heals(&g.f.items[0])); /* a cable does */
	findings_done(&g.f);

	set(&g);
	g.found.state.paths_ok = 0;
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);

	/* The kernel has taken away its disks, and a guest has it open: the map stays. */
	set(&g);
	g.found.state.paths = g.found.state.paths_ok = 0;
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);

	set(&g);
	g.volumes[0].size = g.volumes[1].size = 2ULL * GIB;
	assert_int_equal(look(&g), FINDING_SIZE);
	assert_true(finding_heals(&g.f.items[0]));
	findings_done(&g.f);
}

/* What each spoils of a map that has no path over the last session. */
static void lacks(struct stage *g)
{
	g->found.n_ways--;
}
static void lacks_both(struct stage *g)
{
	g->found.n_ways = 2;
}
static void of_a_stranger(struct stage *g)
{
	lacks(g);
	g->map.entry = NULL;
}
static void over_another_channel(struct stage *g)
{
	g->found.ways[3].channel = 1;
}
static void over_another_target(struct stage *g)
{
	g->found.ways[3].target = 1;
}
static void by_fc(struct stage *g)
{
	lacks(g);
	g->storage.conf.protocol = ARRAY_FC;
	g->fa_ports[1] = (struct fa_port){ .wwn = "52:4A:93:70:00:00:00:01" };
	g->ports[3].protocol = ARRAY_FC;
	(void)snprintf(g->ports[3].at.id, sizeof(g->ports[3].at.id), "524a937000000001");
}
static void logged_out(struct stage *g)
{
	lacks(g);
	g->ports[3].at.usable = false;
}
static void just_come(struct stage *g)
{
	lacks(g);
	g->ports[3].settled = false;
}
static void another_arrays(struct stage *g)
{
	lacks(g);
	(void)snprintf(g->ports[3].at.id, sizeof(g->ports[3].at.id), "iqn.c");
}
static void another_protocol(struct stage *g)
{
	lacks(g);
	g->storage.conf.protocol = ARRAY_FC;
}
/* The volume is on the first array alone, as without a pod. */
static void not_on_that_array(struct stage *g)
{
	lacks_both(g);
	g->arrays[1].named.n = g->arrays[1].connections.n = 0;
}
static void that_array_is_silent(struct stage *g)
{
	lacks_both(g);
	silent(&g->arrays[1]);
}
static void its_ports_are_not_known(struct stage *g)
{
	lacks_both(g);
	g->arrays[1].ports.n = 0;
}
static void without_multipath(struct stage *g)
{
	lacks(g);
	g->storage.conf.multipath = false;
}
static void no_map_of_scsi(struct stage *g)
{
	g->found.n_ways = 0;
	g->found.ways_known = false;
}
static void being_mapped(struct stage *g)
{
	lacks(g);
	g->entry.verified = false;
	g->entry.since = NOW - 20;
}
static void being_changed(struct stage *g)
{
	lacks(g);
	g->map.settled = false;
}

/* A session that came after the activation, or came back: nobody looks there for the volume. */
static void paths_that_lack(void **state)
{
	static const struct {
		void (*spoil)(struct stage *g);
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
		struct stage g;
		size_t n = 0;

		set(&g);
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
	struct stage g;

	(void)state;
	set(&g);
	lacks_both(&g);
	g.ports[2].at.portal[0] = '\0';
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_string_equal(g.f.items[0].what, "no path over iqn.b (host2), 10.0.0.1:3260 (host3), "
					       "which it is logged in to");
	findings_done(&g.f);
}

/* A path that is, or may become, another volume's: all may work, and nothing is well. */
static void a_path_at_another_lun(void **state)
{
	struct fa_connection both[2];
	struct stage g;

	(void)state;
	set(&g);
	g.found.ways[3].lun = 2;
	assert_true(survey_may_stray(&g.s, &g.arrays[1]));
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	assert_true(g.f.items[0].astray && finding_heals(&g.f.items[0]));
	assert_string_equal(
		g.f.items[0].what,
		"a path at LUN 2 (host3) that is not this volume's: https://fa2 has it at "
		"LUN 1; what is written there may go into another volume");
	findings_done(&g.f);

	/* The arrays have LUNs of their own. */
	set(&g);
	g.found.ways[2].lun = g.found.ways[3].lun = g.connections[1].lun = 2;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Not said, or of a pod that is not in step there. */
	set(&g);
	g.found.ways[3].lun = 0;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
	set(&g);
	g.found.ways[3].lun = 2;
	g.row.away[1] = SURVEY_POD_UNKNOWN;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Being mapped at this moment. */
	set(&g);
	g.found.ways[3].lun = 2;
	g.map.settled = false;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Not connected there, and another one is, where its paths still are. */
	set(&g);
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
	struct stage g;

	(void)state;
	for (int destroyed = 0; destroyed < 2; destroyed++) {
		set(&g);
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

/* The service takes it away; what nobody has registered, or somebody has open, stays. */
static void what_is_gone_is_an_orphan(void **state)
{
	struct stage g;
	char why[256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		set(&g);
		g.volumes[0].destroyed = g.volumes[1].destroyed = true;
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		if (i == 1)
			g.found.state.in_use = MAP_OPEN;
		if (i == 2)
			g.map.entry = NULL;
		assert_int_equal(look(&g), FINDING_GONE);
		assert_int_equal(orphan_is(&g.f.items[0]), i == 0);
		if (i == 0)
			assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
		findings_done(&g.f);
	}
}

static void of_an_earlier_boot(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.entry.verified = false;
	g.map.found = NULL;
	assert_int_equal(look(&g), FINDING_STALE);
	findings_done(&g.f);
	/* Believed no more, as another node has renamed it. */
	g.volumes[0].name = g.volumes[1].name = "pod::vm-101-disk-0";
	g.connections[0].volume = g.connections[1].volume = "pod::vm-101-disk-0";
	assert_int_equal(look(&g), FINDING_STALE);
	assert_non_null(strstr(g.f.items[0].what, "another name"));
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* An activation of this moment. */
	set(&g);
	g.entry.verified = false;
	g.entry.since = NOW - 20;
	g.map.found = NULL;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Devices could not be listed: absent is not known. */
	set(&g);
	g.entry.verified = false;
	g.map.found = NULL;
	g.s.n_blind = 1;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	set(&g);
	g.entry.verified = false;
	g.entry.snap = "backup";
	assert_int_equal(look(&g), FINDING_SNAPSHOT);
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	set(&g);
	g.entry.snap = "backup";
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* --- copies of snapshots -------------------------------------------------- */

#define SOURCE "pod::vm-100-disk-0.snap-backup"

/* A copy whose snapshot both arrays have, under ids of their own. */
static struct fa_snapshot there[2];
static void set_copy(struct stage *g)
{
	set(g);
	g->entry.snap = "backup";
	g->entry.origin = "id-0";
	g->entry.put = 7;
	g->map.source = SOURCE;
	for (size_t i = 0; i < 2; i++) {
		there[i] = (struct fa_snapshot){ .name = SOURCE, .id = i ? "id-1" : "id-0" };
		g->arrays[i].snapshots = (struct fa_snapshots){ &there[i], 1 };
	}
}
static void its_there(struct stage *g)
{
	(void)g;
}
static void removed(struct stage *g)
{
	g->arrays[0].snapshots.n = g->arrays[1].snapshots.n = 0;
}
static void removed_and_kept(struct stage *g)
{
	(void)g;
	there[0].destroyed = there[1].destroyed = true;
}
static void another_of_the_name(struct stage *g)
{
	(void)g;
	there[0].id = "id-2";
}
static void on_one_array(struct stage *g)
{
	g->arrays[1].snapshots.n = 0;
}
static void one_is_silent(struct stage *g)
{
	removed(g);
	silent(&g->arrays[1]);
}
static void origin_not_known(struct stage *g)
{
	g->entry.origin = "";
}
static void removed_of_unknown_origin(struct stage *g)
{
	removed(g);
	g->entry.origin = "";
}
static void ids_are_not_told(struct stage *g)
{
	(void)g;
	there[0].id = NULL;
}
static void was_not_asked_for(struct stage *g)
{
	removed(g);
	g->map.source = NULL;
}
static void copy_is_changing(struct stage *g)
{
	removed(g);
	g->map.settled = false;
}
static void copy_is_being_made(struct stage *g)
{
	removed(g);
	g->entry.verified = false;
	g->entry.since = NOW - 20;
}
static void copy_without_device(struct stage *g)
{
	removed(g);
	g->map.found = NULL;
}

static void copies(void **state)
{
	static const struct {
		void (*spoil)(struct stage *g);
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
		struct stage g;

		set_copy(&g);
		cases[i].spoil(&g);
		if ((look(&g) == FINDING_COPY) != cases[i].orphan)
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
	struct stage g;

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

/* Only what has been so for a while, as the same entry all the time. */
static void orphans(void **state)
{
	struct orphans o = {};
	struct stage g;

	(void)state;
	set_copy(&g);
	removed(&g);
	assert_int_equal(look(&g), FINDING_COPY);
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

/* The registry said before and after the look that it is mapped, and there is no device. */
static void without_device(void **state)
{
	char why[256];
	struct stage g;

	(void)state;
	set(&g);
	g.map.found = NULL;
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_true(finding_heals(&g.f.items[0]));
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* No array answers: that there is no device is seen all the same. */
	set(&g);
	g.map.found = NULL;
	silent(&g.arrays[0]);
	silent(&g.arrays[1]);
	assert_int_equal(look(&g), FINDING_PATHS);
	findings_done(&g.f);

	/* Only an entry is left of it. */
	set(&g);
	g.map.found = NULL;
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(look(&g), FINDING_GONE);
	assert_true(finding_reaps(&g.f.items[0]));
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	set(&g);
	g.map.found = NULL;
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), FINDING_NOT_CONNECTED);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* Being mapped or taken away at this moment, or nothing could be looked at. */
	set(&g);
	g.map.found = NULL;
	g.map.settled = false;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
	set(&g);
	g.map.found = NULL;
	g.s.n_blind = 1;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* A person took the map away, and its disks stayed (multipath -F). */
static void disks_without_a_map(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	(void)snprintf(g.found.state.device, sizeof(g.found.state.device), "sdc");
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_true(finding_heals(&g.f.items[0]));
	assert_non_null(strstr(g.f.items[0].what, "no map"));
	findings_done(&g.f);

	/* Where none is to be. */
	g.storage.conf.multipath = false;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Being mapped at this moment. */
	g.storage.conf.multipath = true;
	g.entry.verified = false;
	g.entry.since = NOW - 20;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
}

static void of_others(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
	g.map.entry = NULL;
	assert_int_equal(look(&g), FINDING_UNREGISTERED);
	assert_int_equal(g.f.items[0].level, FINDING_NOTICE);
	assert_string_equal(g.f.maps[0].storage, "pure");
	findings_done(&g.f);

	/* Reported, never touched. */
	set(&g);
	g.map.entry = NULL;
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(look(&g), FINDING_GONE);
	assert_false(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);

	/* A LUN that is none of our storages'. */
	set(&g);
	g.map.entry = NULL;
	g.arrays[0].named.n = g.arrays[1].named.n = 0;
	assert_int_equal(look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	set(&g);
	g.entry.storage = "removed";
	assert_int_equal(look(&g), FINDING_NO_STORAGE);
	assert_false(finding_reaps(&g.f.items[0]));
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	/* storage.cfg could not be read: no statement. */
	set(&g);
	g.entry.storage = "removed";
	g.s.n_blind = 1;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);
}

/* Until a start makes it ours, what lacks is named, and not healed. */
static void of_a_stranger_that_is_connected(void **state)
{
	struct stage g;

	(void)state;
	set(&g);
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
	set(&g);
	g.map.entry = NULL;
	g.arrays[1].connections.n = 0;
	silent(&g.arrays[0]);
	g.found.state.paths_ok = 0;
	assert_int_equal(look(&g), FINDING_PATHS);
	assert_int_equal(g.f.items[0].level, FINDING_CRITICAL);
	findings_done(&g.f);
}

/* The name alone is no storage's: another one on other arrays has volumes of such names too. */
static void of_the_storage_that_has_its_array(void **state)
{
	struct array_storage storages[2];
	struct survey_storage rows[2];
	struct stage g;

	(void)state;
	set(&g);
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
	assert_int_equal(look(&g), FINDING_UNREGISTERED);
	assert_string_equal(g.f.items[0].storage, "pure");
	findings_done(&g.f);
}

/* A namespace that no guest here has: what an array shows to a host group is on all of its nodes.
 */
static void set_namespace(struct stage *g)
{
	set(g);
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
	struct stage g;

	(void)state;
	set_namespace(&g);
	assert_int_equal(look(&g), FINDING_MAX);
	assert_true(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	assert_string_equal(g.f.maps[0].storage, "pure");
	findings_done(&g.f);

	/* Nobody uses it here: what it lacks is for the node that does. */
	set_namespace(&g);
	g.arrays[1].connections.n = 0;
	g.found.state.paths_ok = 0;
	g.volumes[0].size = 2ULL * GIB;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	set_namespace(&g);
	silent(&g.arrays[1]);
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Udev looks at it. */
	set_namespace(&g);
	g.found.state.in_use = MAP_PASSING;
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* Somebody has it open, or that is not known: not by our doing. */
	for (int use = MAP_OPEN; use <= MAP_UNKNOWN; use++) {
		set_namespace(&g);
		g.found.state.in_use = (enum map_in_use)use;
		assert_int_equal(look(&g), FINDING_UNREGISTERED);
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
	assert_int_equal(look(&g), FINDING_UNREGISTERED);
	assert_non_null(strstr(g.f.items[0].what, "mapped by something else"));
	findings_done(&g.f);

	/* A disk is on a node because somebody has scanned for it. */
	set_namespace(&g);
	(void)snprintf(g.found.state.device, sizeof(g.found.state.device), "dm-7");
	assert_int_equal(look(&g), FINDING_UNREGISTERED);
	findings_done(&g.f);

	/* Shown no more: as of any other. */
	set_namespace(&g);
	g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), FINDING_NOT_CONNECTED);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_null(strstr(g.f.items[0].remedy, "multipath"));
	findings_done(&g.f);
}

/* The guest stopped while no path worked: the kernel hears of its end when one does again. */
static void namespace_without_a_path(void **state)
{
	struct stage g;

	(void)state;
	for (int destroyed = 0; destroyed < 2; destroyed++) {
		set_namespace(&g);
		g.arrays[0].connections.n = g.arrays[1].connections.n = 0;
		g.volumes[0].destroyed = g.volumes[1].destroyed = destroyed;
		g.found.state.paths_ok = 0;
		assert_int_equal(look(&g), destroyed ? FINDING_GONE : FINDING_NOT_CONNECTED);
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
		assert_int_equal(look(&g), destroyed ? FINDING_GONE : FINDING_NOT_CONNECTED);
		assert_int_equal(g.f.items[0].level, FINDING_WARNING);
		findings_done(&g.f);
	}
}

/* An array did not end the connection when the guest stopped. */
static void namespace_that_leaves(void **state)
{
	struct stage g;

	(void)state;
	set_namespace(&g);
	g.map.entry = &g.entry;
	g.entry.protocol = ARRAY_NVME_TCP;
	g.entry.leaving = true;
	g.entry.verified = false;
	g.connections[0].host_group = g.connections[1].host_group = NULL;
	silent(&g.arrays[1]);
	assert_int_equal(look(&g), FINDING_LEAVING);
	assert_non_null(strstr(g.f.items[0].what, "shows it"));
	assert_true(finding_reaps(&g.f.items[0]));
	findings_done(&g.f);
}

/* An array that is back and in resync tells of before: it decides nothing, lacks nothing that could
 * be healed, and its paths are no redundancy. */
static void pod_in_resync(void **state)
{
	char why[256];
	struct stage g;

	(void)state;
	set(&g);
	g.row.away[1] = "resyncing";
	assert_int_equal(look(&g), FINDING_POD);
	assert_int_equal(g.f.items[0].level, FINDING_WARNING);
	assert_string_equal(g.f.items[0].volume, "pod");
	assert_string_equal(g.f.items[0].storage, "pure");
	assert_non_null(strstr(g.f.items[0].what, "resyncing on https://fa2"));
	assert_false(finding_heals(&g.f.items[0]) || finding_reaps(&g.f.items[0]));
	assert_false(finding_is_for_heal(&g.f.items[0]));
	assert_int_equal(g.f.maps[0].state, ARRAY_MAP_CONNECTED);
	findings_done(&g.f);

	/* What is not connected there, and what has no path there, is mended when it is in step. */
	set(&g);
	g.row.away[1] = "resyncing";
	g.arrays[1].connections.n = 0;
	assert_int_equal(look(&g), FINDING_POD);
	findings_done(&g.f);
	set(&g);
	g.row.away[1] = "resyncing";
	g.found.n_ways = 2;
	assert_int_equal(look(&g), FINDING_POD);
	findings_done(&g.f);
	set(&g);
	g.found.n_ways = 2;
	assert_int_equal(look(&g), FINDING_PATHS);
	findings_done(&g.f);

	/* It remembers the volume as destroyed, the other one does not answer: not known. */
	set(&g);
	g.row.away[1] = "resyncing";
	g.volumes[1].destroyed = true;
	silent(&g.arrays[0]);
	assert_int_equal(look(&g), FINDING_POD);
	assert_false(g.f.maps[0].known);
	assert_int_equal(g.f.maps[0].exists, TRI_UNKNOWN);
	findings_done(&g.f);

	/* It remembers it as connected, the other one has it destroyed: that one knows. */
	set(&g);
	g.row.away[1] = "resyncing";
	g.volumes[0].destroyed = true;
	findings_of(&g.f, &g.s);
	assert_int_equal(g.f.n, 2);
	assert_int_equal(g.f.items[0].kind, FINDING_GONE);
	assert_true(finding_may_go(&g.f, &g.s, &g.f.items[0], why));
	findings_done(&g.f);

	/* In step nowhere, as far as anybody knows: nothing is said of volumes. */
	set(&g);
	g.row.away[0] = g.row.away[1] = "unknown";
	g.volumes[0].destroyed = g.volumes[1].destroyed = true;
	assert_int_equal(look(&g), FINDING_MAX);
	assert_false(g.f.maps[0].known);
	findings_done(&g.f);

	/* An array that does not answer is said to be so elsewhere. */
	set(&g);
	g.row.away[1] = "offline";
	silent(&g.arrays[1]);
	assert_int_equal(look(&g), FINDING_MAX);
	findings_done(&g.f);

	/* What nobody registered: by the storage of its name. */
	set(&g);
	g.map.entry = NULL;
	g.row.away[1] = "resyncing";
	g.volumes[1].destroyed = true;
	silent(&g.arrays[0]);
	assert_int_equal(look(&g), FINDING_POD);
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
		cmocka_unit_test(paths_and_size),
		cmocka_unit_test(paths_that_lack),
		cmocka_unit_test(ways_are_named),
		cmocka_unit_test(a_path_at_another_lun),
		cmocka_unit_test(a_lost_volumes_path_to_another),
		cmocka_unit_test(what_is_gone_is_an_orphan),
		cmocka_unit_test(of_an_earlier_boot),
		cmocka_unit_test(copies),
		cmocka_unit_test(copy_that_is_read),
		cmocka_unit_test(orphans),
		cmocka_unit_test(without_device),
		cmocka_unit_test(disks_without_a_map),
		cmocka_unit_test(of_others),
		cmocka_unit_test(of_a_stranger_that_is_connected),
		cmocka_unit_test(of_the_storage_that_has_its_array),
		cmocka_unit_test(shown_to_a_group),
		cmocka_unit_test(namespace_without_a_path),
		cmocka_unit_test(namespace_that_leaves),
		cmocka_unit_test(pod_in_resync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
