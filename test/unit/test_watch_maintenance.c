/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Switches come back as they were set, end by themselves, and whatever cannot be understood means
 * maintenance. */

#include "watch/maintenance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "test_pve_tree.h"

enum { NOW = 1800000000 };

#define SET(t, file, vmid, on, until) \
	assert_int_equal(maintenance_set(&(t)->root, file, vmid, on, NOW, until, "root", NULL), 0)

static bool in_maintenance(const struct tree *t, const char *file, uint32_t vmid, int64_t now)
{
	CLEANUP(arena_done) struct arena a = {};
	struct maintenance m;
	bool found;

	(void)maintenance_read(&m, &t->root, file, &a, NULL);
	found = maintenance_find(&m, vmid, now) != NULL;
	maintenance_done(&m);
	return found;
}

static void on_and_off(void **state)
{
	static const char *const files[] = { MAINTENANCE_FILE, MAINTENANCE_CLUSTER_FILE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		const char *file = files[i];
		struct stat st;
		struct tree t;

		tree_make(&t);
		assert_false(in_maintenance(&t, file, 100, NOW));
		SET(&t, file, 101, true, 0);
		SET(&t, file, 100, true, NOW + 60);
		assert_true(in_maintenance(&t, file, 100, NOW));
		assert_true(in_maintenance(&t, file, 100, NOW + 59));
		assert_false(in_maintenance(&t, file, 100, NOW + 60));
		assert_true(in_maintenance(&t, file, 101, NOW + 60));
		assert_false(in_maintenance(&t, file, 102, NOW));
		SET(&t, file, MAINTENANCE_NODE, true, 0);
		assert_true(in_maintenance(&t, file, 102, NOW));
		SET(&t, file, MAINTENANCE_NODE, false, 0);
		assert_false(in_maintenance(&t, file, 102, NOW));
		assert_true(in_maintenance(&t, file, 101, NOW));
		SET(&t, file, 101, false, 0);
		SET(&t, file, 101, false, 0);
		assert_false(in_maintenance(&t, file, 101, NOW));
		assert_int_equal(root_lstat(&t.root, file, &st), 0);
		assert_int_equal(st.st_mode & 0777, i ? 0640 : 0644);
		assert_int_equal(root_lstat(&t.root, MAINTENANCE_CLUSTER_FILE ".lock", &st),
				 -ENOENT);
		tree_done(&t);
	}
}

static void what_is_kept(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct maintenance m;
	struct tree t;

	(void)state;
	tree_make(&t);
	SET(&t, MAINTENANCE_FILE, 200, true, NOW + 60);
	SET(&t, MAINTENANCE_FILE, 100, true, NOW + 7200);
	assert_int_equal(maintenance_set(&t.root, MAINTENANCE_FILE, MAINTENANCE_NODE, true,
					 NOW + 100, 0, "by \"hand\"\n\xff", NULL),
			 0);
	assert_int_equal(maintenance_read(&m, &t.root, MAINTENANCE_FILE, &a, NULL), 0);
	/* 200's has ended, and is gone. */
	assert_int_equal(m.n, 2);
	assert_int_equal(m.items[0].vmid, MAINTENANCE_NODE);
	assert_int_equal(m.items[0].since, NOW + 100);
	assert_int_equal(m.items[0].until, 0);
	assert_string_equal(m.items[0].by, "by \"hand\"\n\xef\xbf\xbd");
	assert_int_equal(m.items[1].vmid, 100);
	assert_int_equal(m.items[1].since, NOW);
	assert_int_equal(m.items[1].until, NOW + 7200);
	maintenance_done(&m);
	tree_done(&t);
}

#define DOC(switches) "{\"schema\":\"pvewarden.watch-maintenance/1\",\"switches\":" switches "}"
#define SINCE	      "\"since\":\"2026-11-21T04:04:04Z\""

static void strange_files(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"{}",
		"{\"schema\":\"pvewarden.watch-maintenance/2\",\"switches\":[]}",
		DOC("{}"),
		DOC("[1]"),
		DOC("[{" SINCE ",\"until\":null,\"by\":\"x\"}]"),
		DOC("[{\"vmid\":99," SINCE ",\"until\":null,\"by\":\"x\"}]"),
		DOC("[{\"vmid\":-1," SINCE ",\"until\":null,\"by\":\"x\"}]"),
		DOC("[{\"vmid\":100," SINCE ",\"until\":\"soon\",\"by\":\"x\"}]"),
		DOC("[{\"vmid\":100," SINCE ",\"until\":\"1970-01-01T00:00:00Z\",\"by\":\"x\"}]"),
		DOC("[{\"vmid\":100," SINCE ",\"until\":5,\"by\":\"x\"}]"),
		DOC("[{\"vmid\":100," SINCE ",\"by\":\"x\"}]"),
		DOC("[{\"vmid\":100," SINCE ",\"until\":null}]"),
		DOC("[{\"vmid\":100," SINCE ",\"until\":null,\"by\":\"x\"},"
		    "{\"vmid\":100," SINCE ",\"until\":null,\"by\":\"y\"}]"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct maintenance m;
		struct err e = {};
		struct tree t;

		tree_make(&t);
		tree_write(&t, MAINTENANCE_FILE, texts[i]);
		if (maintenance_read(&m, &t.root, MAINTENANCE_FILE, &a, &e) >= 0)
			fail_msg("%s is taken for good", texts[i]);
		assert_non_null(strstr(e.text, "/" MAINTENANCE_FILE));
		assert_int_equal(m.n, 1);
		assert_non_null(maintenance_find(&m, 100, NOW));
		maintenance_done(&m);
		/* A guest's switch does not clear it up, the node's does. */
		SET(&t, MAINTENANCE_FILE, 100, false, 0);
		assert_true(in_maintenance(&t, MAINTENANCE_FILE, 101, NOW));
		SET(&t, MAINTENANCE_FILE, MAINTENANCE_NODE, false, 0);
		assert_false(in_maintenance(&t, MAINTENANCE_FILE, 101, NOW));
		tree_done(&t);
	}
}

static void unreadable(void **state)
{
	struct tree t;
	struct err e = {};

	(void)state;
	tree_make(&t);
	tree_write(&t, MAINTENANCE_FILE "/folder", "");
	assert_true(in_maintenance(&t, MAINTENANCE_FILE, 100, NOW));
	assert_true(maintenance_set(&t.root, MAINTENANCE_FILE, 100, true, NOW, 0, "x", &e) < 0);
	assert_non_null(strstr(e.text, "/" MAINTENANCE_FILE ": "));
	tree_done(&t);
}

/* Many at once: each keeps what the others wrote. */
static void at_once(void **state)
{
	struct tree t;

	(void)state;
	tree_make(&t);
	for (uint32_t vmid = 100; vmid < 120; vmid++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(maintenance_set(&t.root, MAINTENANCE_FILE, vmid, true, NOW, 0, "x",
					      NULL) < 0);
	}
	for (int status, i = 0; i < 20; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (uint32_t vmid = 100; vmid < 120; vmid++)
		assert_true(in_maintenance(&t, MAINTENANCE_FILE, vmid, NOW));
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_and_off),	 cmocka_unit_test(what_is_kept),
		cmocka_unit_test(strange_files), cmocka_unit_test(unreadable),
		cmocka_unit_test(at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
