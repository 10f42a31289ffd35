/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/node.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/str.h"

#define MEMBERS(name) "{\"nodename\": \"" name "\",\"version\": 0}\n"
#define CAPTURE(more) "{\"schema\":\"pvewarden.capture/1\"" more "}"

static void what_is_no_node(void **state)
{
	struct arena a = {};
	struct err e = {};
	struct tree t;
	struct node n;

	(void)state;
	tree_make(&t);
	assert_int_equal(node_read(&n, &t.root, &a, &e), -ENODEV);
	assert_non_null(strstr(e.text, "no Proxmox VE node"));
	assert_null(node_pve_release(&t.root, &a));
	tree_write(&t, "etc/pve/storage.cfg", "");
	assert_int_equal(node_read(&n, &t.root, &a, &e), 0);
	assert_string_equal(n.name, "unknown");
	assert_true(n.recorded);
	tree_done(&t);
	arena_done(&a);
}

static void finds_the_version(void **state)
{
	static const struct {
		const char *text, *release;
	} cases[] = {
		{ "package PVE::pvecfg;\nsub package {\n    return 'pve-manager';\n}\n\n"
		  "sub version_text {\n    return '0/x';\n}\nsub version {\n    return '8.2.4';\n}\n",
		  "8.2.4" },
		{ "sub version{ return \"9.0.3\" }", "9.0.3" },
		{ "sub version { return 9 }", NULL },
		{ "sub version { return '9.0", NULL },
		{ "sub version_info {'1'}", NULL },
		{ "sub version", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a = {};
		const char *release;
		struct tree t;

		tree_make(&t);
		tree_write(&t, "usr/share/perl5/PVE/pvecfg.pm", cases[i].text);
		release = node_pve_release(&t.root, &a);
		if (cases[i].release)
			assert_string_equal(release, cases[i].release);
		else
			assert_null(release);
		tree_done(&t);
		arena_done(&a);
	}
}

static void reads_a_recording(void **state)
{
	struct arena a = {};
	struct tree t;
	struct node n;

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/pve/.members", MEMBERS("pve1"));
	tree_link(&t, "etc/pve/local", "nodes/pve1");
	tree_write(&t, "proc/stat", "btime 5\n");
	tree_write(
		&t, "capture.json",
		CAPTURE(",\"node\":\"pve1\",\"time\":\"2026-11-21T04:04:04Z\",\"boot_time\":"
			"\"2026-11-20T00:00:00Z\",\"quorate\":false,\"kernel\":\"6.8.12-1-pve\""));
	assert_int_equal(node_read(&n, &t.root, &a, NULL), 0);
	assert_string_equal(n.name, "pve1");
	assert_int_equal(n.now, 1795233844);
	assert_int_equal(n.boot_time, 1795132800);
	assert_int_equal(n.quorate, TRI_NO);
	assert_string_equal(n.kernel, "6.8.12-1-pve");

	tree_write(&t, "capture.json", CAPTURE(",\"quorate\":null,\"boot_time\":null"));
	assert_int_equal(node_read(&n, &t.root, &a, NULL), 0);
	assert_int_equal(n.quorate, TRI_UNKNOWN);
	assert_int_equal(n.boot_time, 5);
	assert_true(n.now > 1795132800 - 10 * 365 * 86400);
	assert_null(n.kernel);
	tree_done(&t);
	arena_done(&a);
}

static void a_broken_recording_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"[]",
		"{\"schema\":\"pvewarden.capture/2\"}",
		CAPTURE(",\"time\":\"yesterday\""),
		CAPTURE(",\"boot_time\":5"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct arena a = {};
		struct err e = {};
		struct tree t;
		struct node n;

		tree_make(&t);
		tree_write(&t, "etc/pve/.members", MEMBERS("pve1"));
		tree_write(&t, "capture.json", bad[i]);
		assert_int_equal(node_read(&n, &t.root, &a, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "capture.json"));
		tree_done(&t);
		arena_done(&a);
	}
}

static void names_must_agree(void **state)
{
	static const struct {
		const char *capture, *members, *local;
		int code;
		const char *name;
	} cases[] = {
		{ "aa", "aa", "aa", 0, "aa" },	      { NULL, "aa", "aa", 0, "aa" },
		{ NULL, NULL, "aa", 0, "aa" },	      { NULL, "aa", NULL, 0, "aa" },
		{ "aa", NULL, NULL, 0, "aa" },	      { "aa", "bb", NULL, -EUCLEAN, "aa" },
		{ "aa", NULL, "bb", -EUCLEAN, "aa" }, { NULL, "aa", "bb", -EUCLEAN, "aa" },
		{ "aa", "aa", "bb", -EUCLEAN, "aa" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a = {};
		struct err e = {};
		struct tree t;
		struct node n = {};
		char text[128];

		tree_make(&t);
		tree_write(&t, "etc/pve/storage.cfg", "");
		(void)snprintf(text, sizeof(text), CAPTURE(",\"node\":\"%s\""), cases[i].capture);
		if (cases[i].capture)
			tree_write(&t, "capture.json", text);
		(void)snprintf(text, sizeof(text), MEMBERS("%s"), cases[i].members);
		if (cases[i].members)
			tree_write(&t, "etc/pve/.members", text);
		(void)snprintf(text, sizeof(text), "nodes/%s", cases[i].local);
		if (cases[i].local)
			tree_link(&t, "etc/pve/local", text);
		if (node_read(&n, &t.root, &a, &e) != cases[i].code)
			fail_msg("case %zu: %s", i, e.text);
		assert_string_equal(n.name, cases[i].name);
		assert_int_equal(cases[i].code != 0, strstr(e.text, "'bb'") != NULL);
		tree_done(&t);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_node),
		cmocka_unit_test(finds_the_version),
		cmocka_unit_test(reads_a_recording),
		cmocka_unit_test(a_broken_recording_is_refused),
		cmocka_unit_test(names_must_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
