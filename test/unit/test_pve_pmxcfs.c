/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/pmxcfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/str.h"

#define CLUSTER                                                                            \
	"{\n\"nodename\": \"pve1\",\n\"version\": 7,\n\"cluster\": { \"name\": \"prod\", " \
	"\"version\": 3, \"nodes\": 2, \"quorate\": 1 },\n\"nodelist\": {\n"               \
	"  \"pve2\": { \"id\": 2, \"online\": 0},\n"                                       \
	"  \"pve1\": { \"id\": 1, \"online\": 1, \"ip\": \"10.0.1.10\"}\n  }\n}\n"

static void reads_members_of_a_cluster(void **state)
{
	struct arena a = {};
	struct members m;
	struct err e;

	(void)state;
	assert_int_equal(members_parse(&m, SLICE(CLUSTER), "f", &a, &e), 0);
	assert_string_equal(m.nodename, "pve1");
	assert_true(m.clustered);
	assert_true(m.quorate);
	assert_string_equal(m.cluster_name, "prod");
	assert_int_equal(m.config_version, 3);
	assert_int_equal(m.n_nodes, 2);
	assert_string_equal(m.nodes[0].name, "pve1");
	assert_int_equal(m.nodes[0].id, 1);
	assert_true(m.nodes[0].online);
	assert_string_equal(m.nodes[0].ip, "10.0.1.10");
	assert_string_equal(m.nodes[1].name, "pve2");
	assert_false(m.nodes[1].online);
	assert_null(m.nodes[1].ip);
	arena_done(&a);
}

static void a_standalone_node_is_quorate(void **state)
{
	struct arena a = {};
	struct members m;

	(void)state;
	assert_int_equal(
		members_parse(&m, SLICE("{\"nodename\": \"pve1\",\"version\": 0}"), "f", &a, NULL),
		0);
	assert_false(m.clustered);
	assert_true(m.quorate);
	assert_int_equal(m.n_nodes, 0);
	assert_null(m.cluster_name);
	arena_done(&a);
}

static void a_cluster_says_if_it_is_quorate(void **state)
{
	static const char *const no[] = {
		"{\"nodename\":\"a\",\"cluster\":{\"quorate\":0}}",
		"{\"nodename\":\"a\",\"cluster\":{}}",
		"{\"nodename\":\"a\",\"cluster\":{\"quorate\":\"x\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		struct arena a = {};
		struct members m;

		assert_int_equal(members_parse(&m, slice_of(no[i]), "f", &a, NULL), 0);
		assert_false(m.quorate);
		arena_done(&a);
	}
}

static void torn_members_are_refused(void **state)
{
	(void)state;
	/* Every proper prefix of the text, the last brace and newline apart. */
	for (size_t n = 0; n + 2 < sizeof(CLUSTER) - 1; n++) {
		struct arena a = {};
		struct members m;
		struct err e = {};

		assert_int_equal(
			members_parse(&m, (struct slice){ CLUSTER, n }, "the file", &a, &e),
			-EBADMSG);
		assert_non_null(strstr(e.text, "the file"));
		arena_done(&a);
	}
}

static void reads_vmlist(void **state)
{
	static const char text[] =
		"{\n\"version\": 14,\n\"ids\": {\n"
		"\"101\": { \"node\": \"pve2\", \"type\": \"lxc\", \"version\": 9 },\n"
		"\"100\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": 8 }}\n\n}\n";
	struct arena a = {};
	struct vmlist l;

	(void)state;
	assert_int_equal(vmlist_parse(&l, SLICE(text), "f", &a, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.guests[0].vmid, 100);
	assert_int_equal(l.guests[0].type, GUEST_QEMU);
	assert_string_equal(l.guests[0].node, "pve1");
	assert_int_equal(l.guests[0].version, 8);
	assert_int_equal(l.guests[1].vmid, 101);
	assert_int_equal(l.guests[1].type, GUEST_LXC);
	assert_int_equal(vmlist_parse(&l, SLICE("{\"version\": 1}\n"), "f", &a, NULL), 0);
	assert_int_equal(l.n, 0);
	arena_done(&a);
}

static void refuses_what_is_no_vmlist(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"ids\":[]}",
		"{\"version\":1,\"ids\":{\"100\":{\"node\":\"a\"}}}",
		"{\"version\":1,\"ids\":{\"100\":{\"type\":\"qemu\"}}}",
		"{\"version\":1,\"ids\":{\"99\":{\"node\":\"a\",\"type\":\"qemu\"}}}",
		"{\"version\":1,\"ids\":{\"1000000000\":{\"node\":\"a\",\"type\":\"qemu\"}}}",
		"{\"version\":1,\"ids\":{\"x\":{\"node\":\"a\",\"type\":\"qemu\"}}}",
		"{\"version\":1,\"ids\":{\"100\":{\"node\":\"a\",\"type\":\"new\"}}}",
		"{\"version\":1,\"ids\":{\"100\":null}}",
		"{\"ids\":{\"100\":{\"node\":\"a\",\"type\":\"lxc\"},\"100\":{}}}",
		"{\"version\":1} {",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct arena a = {};
		struct vmlist l;
		struct err e = {};

		assert_int_equal(vmlist_parse(&l, slice_of(bad[i]), "vmlist", &a, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "vmlist"));
		arena_done(&a);
	}
}

static void reads_below_a_root(void **state)
{
	struct arena a = {};
	struct members m;
	struct vmlist l;
	struct tree t;
	struct err e;

	(void)state;
	tree_make(&t);
	assert_int_equal(members_read(&m, &t.root, &a, &e), -ENOENT);
	assert_int_equal(vmlist_read(&l, &t.root, &a, &e), -ENOENT);
	assert_int_equal(pmxcfs_quorate(&t.root), TRI_UNKNOWN);
	tree_write(&t, "etc/pve/.members", CLUSTER);
	tree_write(&t, "etc/pve/.vmlist", "{\"version\": 1, \"ids\": {");
	assert_int_equal(members_read(&m, &t.root, &a, &e), 0);
	assert_int_equal(vmlist_read(&l, &t.root, &a, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "etc/pve/.vmlist"));
	/* A link's mode cannot be set; a plain file's can, and lstat() is all that is asked. */
	tree_write(&t, "etc/pve/local", "");
	assert_int_equal(pmxcfs_quorate(&t.root), TRI_YES);
	tree_chmod(&t, "etc/pve/local", 0555);
	assert_int_equal(pmxcfs_quorate(&t.root), TRI_NO);
	arena_done(&a);
	tree_done(&t);
}

static void test_version_counts(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct cfs_version v;
	uint64_t n = 7;

	(void)state;
	assert_int_equal(cfs_version_parse(&v,
					   SLICE("{\"starttime\": 1700000000, \"vmlist\": 14, "
						 "\"ha/manager_status\": 3, \"odd\": \"5\", "
						 "\"kvstore\": {\"pve1\": {\"x\": 1}}}"),
					   "x", &a, NULL),
			 0);
	assert_int_equal(v.starttime, 1700000000);
	assert_true(cfs_version_of(&v, "vmlist", &n) && n == 14);
	assert_true(cfs_version_of(&v, "ha/manager_status", &n) && n == 3);
	assert_false(cfs_version_of(&v, "odd", &n) || cfs_version_of(&v, "kvstore", &n));
	assert_int_equal(n, 3);
	assert_int_equal(cfs_version_parse(&v, SLICE("{\"vmlist\": 14}"), "x", &a, NULL), -EBADMSG);
	assert_int_equal(cfs_version_parse(&v, SLICE("{\"starttime\": 1"), "x", &a, NULL),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_members_of_a_cluster),
		cmocka_unit_test(a_standalone_node_is_quorate),
		cmocka_unit_test(a_cluster_says_if_it_is_quorate),
		cmocka_unit_test(torn_members_are_refused),
		cmocka_unit_test(reads_vmlist),
		cmocka_unit_test(refuses_what_is_no_vmlist),
		cmocka_unit_test(reads_below_a_root),
		cmocka_unit_test(test_version_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
