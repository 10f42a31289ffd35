/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What is to be done with a volume on a node, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>

#include "array/plan.h"

#define SERIAL "96622A35A07E4A33000126D2"
#define OTHER  "96622A35A07E4A33000126FF"
#define GIB    (UINT64_C(1) << 30)

enum { WHOLE = PLAN_PUT | PLAN_CONNECT | PLAN_ATTACH | PLAN_VERIFY };

/* Entries. */
static const struct registry_entry verified = { .serial = SERIAL, .verified = true },
				   begun = { .serial = SERIAL },
				   partial = { .serial = SERIAL,
					       .verified = true,
					       .partial = true },
				   leaving = { .serial = SERIAL, .leaving = true },
				   leaving_nvme = { .serial = SERIAL,
						    .leaving = true,
						    .protocol = ARRAY_NVME_TCP },
				   another = { .serial = OTHER, .verified = true };
/* Devices. */
static const struct map_state
	none = {},
	unknown = { .in_use = MAP_UNKNOWN, .why = "stuck" },
	good = { .present = true, .size = GIB, .paths = 4, .paths_ok = 4 },
	open_ = { .present = true,
		  .size = GIB,
		  .paths = 4,
		  .paths_ok = 2,
		  .in_use = MAP_OPEN,
		  .why = "held 1 time" },
	doubtful = { .present = true, .size = GIB, .paths_ok = 1, .in_use = MAP_UNKNOWN },
	small = { .present = true, .size = GIB / 2, .paths_ok = 1 },
	dead = { .present = true, .size = GIB, .paths = 4 },
	probed = { .present = true, .size = GIB, .paths = 4, .in_use = MAP_PASSING },
	glanced = { .present = true,
		    .size = GIB,
		    .paths = 4,
		    .paths_ok = 4,
		    .in_use = MAP_PASSING },
	lvms = { .present = true,
		 .size = GIB,
		 .paths_ok = 4,
		 .in_use = MAP_OPEN,
		 .lvm_only = true },
	mixed = { .present = true, .size = GIB, .paths_ok = 3, .mismatched = true },
	bare = { .present = true, .device = "sdc", .size = GIB, .paths = 4, .paths_ok = 4 };

static void test_activate(void **state)
{
	static const struct {
		const struct registry_entry *entry;
		const struct map_state *here, *old;
		uint64_t connections;
		bool again;
		unsigned int steps;
		int refuse;
	} rows[] = {
		/* nothing known, nothing there */
		{ NULL, &none, NULL, 0, false, WHOLE, 0 },
		/* works already: nothing */
		{ &verified, &good, NULL, 1, false, 0, 0 },
		{ &verified, &open_, NULL, 2, false, 0, 0 },
		{ &verified, &good, NULL, UINT64_MAX, false, 0, 0 },
		/* the array says that nobody is connected, whatever the map says */
		{ &verified, &good, NULL, 0, false, WHOLE, 0 },
		/* asked to heal, or known to lack an array */
		{ &verified, &good, NULL, 1, true, WHOLE, 0 },
		{ &partial, &good, NULL, 1, false, WHOLE, 0 },
		/* another node has resized it */
		{ &verified, &small, NULL, 1, false, PLAN_RESIZE | PLAN_VERIFY, 0 },
		/* there, but not by an activation of this boot */
		{ NULL, &good, NULL, 1, false, WHOLE, 0 },
		{ &begun, &good, NULL, 1, false, WHOLE, 0 },
		/* no path, or one of another volume */
		{ &verified, &dead, NULL, 1, false, WHOLE, 0 },
		{ &verified, &mixed, NULL, 1, false, WHOLE, 0 },
		{ &verified, &none, NULL, 1, false, WHOLE, 0 },
		/* somebody has taken the map away */
		{ &verified, &bare, NULL, 1, false, WHOLE, 0 },
		/* a removal that was cut: half a device makes way, an open one works */
		{ &leaving, &good, NULL, 1, false, WHOLE | PLAN_CLEAN, 0 },
		{ &leaving, &open_, NULL, 1, false, WHOLE, 0 },
		{ &leaving, &none, NULL, 1, false, WHOLE, 0 },
		/* a namespace is taken as it is */
		{ &leaving_nvme, &good, NULL, 1, false, WHOLE, 0 },
		/* the name was another volume's */
		{ &another, &none, &none, 0, false, WHOLE, 0 },
		{ &another, &none, &good, 0, false, WHOLE | PLAN_DETACH_OLD, 0 },
		{ &another, &none, &lvms, 0, false, WHOLE | PLAN_DETACH_OLD, 0 },
		{ &another, &good, &open_, 1, false, 0, -EBUSY },
		{ &another, &good, &doubtful, 1, false, 0, -EBUSY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_activate_in in = { .entry = rows[i].entry,
					       .serial = SERIAL,
					       .size = GIB,
					       .connections = rows[i].connections,
					       .again = rows[i].again,
					       .multipath = true,
					       .here = rows[i].here,
					       .old = rows[i].old };
		struct plan p;

		plan_activate(&in, &p);
		if (p.steps != rows[i].steps || p.refuse != rows[i].refuse)
			fail_msg("row %zu: steps %x, refused %d: %s", i, p.steps, p.refuse, p.why);
		assert_int_equal(!p.refuse, !*p.why);
	}
}

/* Where multipath is off its disk is the device. */
static void test_activate_disk(void **state)
{
	struct plan_activate_in in = {
		.entry = &verified, .serial = SERIAL, .size = GIB, .connections = 1, .here = &bare
	};
	struct plan p;

	(void)state;
	plan_activate(&in, &p);
	assert_int_equal(p.steps, 0);
	assert_int_equal(p.refuse, 0);
}

static void test_activate_serial(void **state)
{
	struct plan_activate_in in = { .serial = "", .here = &none };
	struct plan p;

	(void)state;
	plan_activate(&in, &p);
	assert_int_equal(p.refuse, -EUCLEAN);
}

static void test_deactivate(void **state)
{
	enum { ALL = PLAN_MARK | PLAN_DETACH | PLAN_DISCONNECT | PLAN_FORGET | PLAN_DROP };
	static const struct {
		const struct registry_entry *entry;
		const struct map_state *here;
		uint64_t connections;
		bool host_group;
		unsigned int steps;
		int refuse;
	} rows[] = {
		{ &verified, &good, UINT64_MAX, false, ALL, 0 },
		{ &verified, &dead, UINT64_MAX, false, ALL, 0 },
		{ &begun, &good, UINT64_MAX, false, ALL, 0 },
		{ &leaving, &none, UINT64_MAX, false, PLAN_MARK | PLAN_DISCONNECT | PLAN_DROP, 0 },
		/* another program's */
		{ NULL, &good, 1, false, ALL, 0 },
		{ NULL, &none, 1, false, PLAN_MARK | PLAN_DISCONNECT | PLAN_DROP, 0 },
		{ NULL, &none, 0, false, 0, 0 },
		/* a group's connection is other nodes' too */
		{ &verified, &good, 1, true, ALL & ~PLAN_DISCONNECT, 0 },
		{ NULL, &none, 1, true, 0, 0 },
		/* what only udev looks at goes: the detach sees to it */
		{ &verified, &probed, UINT64_MAX, false, ALL, 0 },
		{ &verified, &glanced, UINT64_MAX, false, ALL, 0 },
		/* so does what this node's LVM has made of it */
		{ &verified, &lvms, UINT64_MAX, false, ALL, 0 },
		/* open, or perhaps open */
		{ &verified, &open_, UINT64_MAX, false, 0, -EBUSY },
		{ NULL, &open_, 0, false, 0, -EBUSY },
		{ &verified, &doubtful, UINT64_MAX, false, 0, -EBUSY },
		{ &leaving, &unknown, UINT64_MAX, false, 0, -EBUSY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_deactivate_in in = { rows[i].entry, rows[i].here, rows[i].connections,
						 rows[i].host_group };
		struct plan p;

		plan_deactivate(&in, &p);
		if (p.steps != rows[i].steps || p.refuse != rows[i].refuse)
			fail_msg("row %zu: steps %x, refused %d: %s", i, p.steps, p.refuse, p.why);
	}
}

static void test_idle(void **state)
{
	static const struct map_state *const busy[] = { &open_, &doubtful, &unknown, &probed,
							&lvms };
	static const struct map_state *const idle[] = { &none, &good, &dead, &mixed, &glanced };
	struct plan p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(busy); i++) {
		plan_idle(busy[i], "rolled back", &p);
		assert_int_equal(p.refuse, -EBUSY);
		assert_non_null(strstr(p.why, "rolled back"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
		plan_idle(idle[i], "rolled back", &p);
		assert_int_equal(p.refuse, 0);
	}
}

static void test_heal(void **state)
{
	static const struct {
		const struct registry_entry *entry;
		enum tri exists, connected[2];
		unsigned int arrays;
	} rows[] = {
		{ &verified, TRI_YES, { TRI_YES, TRI_YES }, 0 },
		{ &verified, TRI_YES, { TRI_YES, TRI_NO }, 2 },
		{ &partial, TRI_YES, { TRI_NO, TRI_NO }, 3 },
		{ &verified, TRI_YES, { TRI_UNKNOWN, TRI_YES }, 0 },
		{ &verified, TRI_UNKNOWN, { TRI_NO, TRI_NO }, 0 },
		{ &verified, TRI_NO, { TRI_NO, TRI_NO }, 0 },
		{ &begun, TRI_YES, { TRI_NO, TRI_YES }, 0 },
		{ &leaving, TRI_YES, { TRI_NO, TRI_YES }, 0 },
	};
	unsigned int arrays;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		plan_heal(rows[i].entry, rows[i].exists, rows[i].connected, 2, &arrays);
		if (arrays != rows[i].arrays)
			fail_msg("row %zu: %x", i, arrays);
	}
}

static void test_reap(void **state)
{
	enum { KEEP = PLAN_REAP_KEEP, REPORT = PLAN_REAP_REPORT, REMOVE = PLAN_REAP_REMOVE };
	static const struct {
		const struct registry_entry *entry;
		const struct map_state *here;
		enum tri exists, connected;
		int verdict;
		bool orphan;
	} rows[] = {
		{ &verified, &good, TRI_YES, TRI_YES, KEEP },
		/* a copy whose snapshot is gone */
		{ &verified, &good, TRI_YES, TRI_YES, REMOVE, true },
		{ &verified, &open_, TRI_YES, TRI_YES, KEEP, true },
		{ &verified, &doubtful, TRI_YES, TRI_YES, REPORT, true },
		{ NULL, &good, TRI_YES, TRI_YES, REPORT, true },
		{ &verified, &open_, TRI_YES, TRI_YES, KEEP },
		{ NULL, &open_, TRI_UNKNOWN, TRI_UNKNOWN, KEEP },
		{ &verified, &open_, TRI_NO, TRI_NO, REPORT },
		{ &verified, &open_, TRI_YES, TRI_NO, REPORT },
		{ &verified, &dead, TRI_NO, TRI_NO, REMOVE },
		{ &verified, &dead, TRI_YES, TRI_NO, REMOVE },
		{ &verified, &probed, TRI_YES, TRI_NO, REMOVE },
		{ &verified, &dead, TRI_UNKNOWN, TRI_NO, REPORT },
		{ &verified, &dead, TRI_YES, TRI_UNKNOWN, REPORT },
		{ &verified, &none, TRI_YES, TRI_YES, REPORT },
		{ &leaving, &good, TRI_YES, TRI_YES, REMOVE },
		{ &leaving, &none, TRI_UNKNOWN, TRI_UNKNOWN, REMOVE },
		{ &leaving, &doubtful, TRI_NO, TRI_NO, REPORT },
		{ &begun, &good, TRI_YES, TRI_YES, REMOVE },
		{ &begun, &open_, TRI_YES, TRI_YES, KEEP },
		/* not ours to touch */
		{ NULL, &dead, TRI_NO, TRI_NO, REPORT },
		{ NULL, &good, TRI_YES, TRI_YES, REPORT },
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_reap_in in = { rows[i].entry, rows[i].here, rows[i].exists,
					   rows[i].connected, rows[i].orphan };

		if ((int)plan_reap(&in, why) != rows[i].verdict || !*why)
			fail_msg("row %zu: %s", i, why);
	}
}

/* What was looked at some time ago is taken away only if it is still that. */
static void test_still(void **state)
{
	struct registry_entry now = verified, odd = leaving;
	struct plan p;

	(void)state;
	now.put = odd.put = 7;
	plan_still(&now, 7, &dead, true, &p);
	assert_int_equal(p.refuse, 0);
	plan_still(&now, 6, &dead, true, &p);
	assert_int_equal(p.refuse, -ECANCELED);
	plan_still(NULL, 7, &none, true, &p);
	assert_int_equal(p.refuse, -ECANCELED);
	/* An activation that found all in order. */
	plan_still(&now, 7, &good, true, &p);
	assert_int_equal(p.refuse, -ECANCELED);
	assert_non_null(strstr(p.why, "paths work"));
	/* A single disk says "running" until somebody reads it. */
	plan_still(&now, 7, &good, false, &p);
	assert_int_equal(p.refuse, 0);
	/* A removal that was cut before its disconnect. */
	plan_still(&odd, 7, &good, true, &p);
	assert_int_equal(p.refuse, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_activate),
		cmocka_unit_test(test_activate_disk),
		cmocka_unit_test(test_activate_serial),
		cmocka_unit_test(test_deactivate),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_heal),
		cmocka_unit_test(test_reap),
		cmocka_unit_test(test_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
