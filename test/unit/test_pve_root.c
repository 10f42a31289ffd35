/* SPDX-License-Identifier: AGPL-3.0-or-later */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test_pve_tree.h"

struct renamer {
	char from[96], to[96];
	atomic_bool stop;
	atomic_uint done;
};

static void *rename_for_ever(void *arg)
{
	struct renamer *r = arg;

	while (!r->stop) {
		(void)rename(r->from, r->to);
		(void)rename(r->to, r->from);
		r->done++;
	}
	return NULL;
}

/* The kernel gives up a walk through ".." below a root (openat2(2): EAGAIN) whenever anything at
 * all was renamed meanwhile, anywhere on the machine. That says nothing about the file. */
static void renames_elsewhere_do_not_matter(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct renamer r = {};
	pthread_t thread;
	struct tree t, other;
	int failed = 0;

	(void)state;
	tree_make(&t);
	tree_make(&other);
	tree_write(&t, "sys/devices/sda/dev", "8:0\n");
	tree_link(&t, "sys/class/block/sda", "../../devices/sda");
	tree_write(&other, "a", "");
	(void)snprintf(r.from, sizeof(r.from), "%s/a", other.path);
	(void)snprintf(r.to, sizeof(r.to), "%s/b", other.path);
	assert_int_equal(pthread_create(&thread, NULL, rename_for_ever, &r), 0);
	while (r.done < 100)
		;
	for (int i = 0; i < 20000; i++)
		failed += root_read_line(&t.root, "sys/class/block/sda/dev", &text) != 0;
	r.stop = true;
	(void)pthread_join(thread, NULL);
	assert_int_equal(failed, 0);
	tree_done(&t);
	tree_done(&other);
}

static void nothing_leads_out(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/inside", "inside\n");
	tree_link(&t, "up", "../../../../../../etc/inside");
	tree_link(&t, "absolute", "/etc/inside");
	tree_link(&t, "outside", "/../../proc/self/status");
	assert_int_equal(root_read_line(&t.root, "up", &text), 0);
	assert_string_equal(buf_str(&text), "inside");
	assert_int_equal(root_read_line(&t.root, "absolute", &text), 0);
	assert_string_equal(buf_str(&text), "inside");
	assert_int_equal(root_read_line(&t.root, "outside", &text), -ENOENT);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renames_elsewhere_do_not_matter),
		cmocka_unit_test(nothing_leads_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
