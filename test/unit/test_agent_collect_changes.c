/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the agent says when only a little has changed since it spoke last, or more than fits. */

#include "collect_world.h"

static void test_only_what_changed(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
	world_cycle(&w);
	assert_member(w.doc, "configs", "[]");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	/* A text that pmxcfs has not counted is not read again... */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: renamed\n");
	tree_write(&w.tree, "etc/pve/jobs.cfg", "vzdump: a\n\tall 1\n");
	world_cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"web\"");
	assert_member(row_of(w.doc, "guests", 101), "backup", "false");
	/* ... one that it has counted is, and it alone. */
	write_vmlist(&w.tree, 15, "");
	write_version(&w.tree, 1000, 15);
	world_cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "configs", 100), "name", "\"renamed\"");
	/* A write that changed nothing brings nothing. */
	write_vmlist(&w.tree, 16, "");
	write_version(&w.tree, 1000, 16);
	world_cycle(&w);
	assert_member(w.doc, "configs", "[]");
	w.ask.all_configs = true;
	world_cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 3);
	world_done(&w);
}

/* Twenty configs of 400 KiB each: the hub takes 8 MiB at a time. */
static void test_what_does_not_fit_comes_later(void **state)
{
	enum { GUESTS = 20, NETS = 190, VALUE = 500 };
	CLEANUP(buf_done) struct buf conf = {}, list = {};
	size_t told = 0, documents = 0, n = 1;
	struct world w;
	char path[80];

	(void)state;
	world_make(&w);
	for (int i = 0; i < NETS; i++) {
		buf_addf(&conf, "net%d: bridge=", i);
		memset(buf_reserve(&conf, VALUE), 1, VALUE);
		conf.len += VALUE;
		buf_addc(&conf, '\n');
	}
	for (int i = 0; i < GUESTS; i++) {
		(void)snprintf(path, sizeof(path), "etc/pve/nodes/pve1/qemu-server/%d.conf",
			       100 + i);
		tree_write_n(&w.tree, path, conf.data, conf.len);
		buf_addf(&list,
			 "%s\"%d\": {\"node\": \"pve1\", \"type\": \"qemu\", \"version\": 1}",
			 i ? "," : "{\"version\": 1, \"ids\": {", 100 + i);
	}
	buf_adds(&list, "}}\n");
	tree_write(&w.tree, "etc/pve/.vmlist", list.data);
	for (w.ask.nanny = false; n; w.ask.all_configs = false) {
		world_forget(&w);
		collect_cycle(&w.picture, &w.tree.root, &w.ask, &w.answer);
		assert_true(w.answer.document.len < 8 * 1024 * 1024);
		assert_int_equal(json_parse(buf_slice(&w.answer.document), "x", &w.doc, NULL), 0);
		assert_int_equal(json_array_size(json_arr(w.doc, "guests")), GUESTS);
		n = json_array_size(json_arr(w.doc, "configs"));
		told += n;
		documents += n > 0;
	}
	assert_int_equal(told, GUESTS);
	assert_true(documents > 1);
	world_done(&w);
}

static void test_a_restart_of_pmxcfs_drops_all(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
	/* The same counters, another life. */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: renamed\n");
	tree_write(&w.tree, "etc/pve/jobs.cfg", "vzdump: a\n\tall 1\n");
	write_version(&w.tree, 1001, 14);
	world_cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"renamed\"");
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "guests", 101), "backup", "true");
	/* Without .version nothing is believed to be the same. */
	tree_remove(&w.tree, "etc/pve/.version");
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: again\n");
	world_cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"again\"");
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: more\n");
	world_cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"more\"");
	assert_member(w.doc, "complete", "true");
	world_done(&w);
}

static void test_a_guest_comes_moves_and_goes(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
	tree_write(&w.tree, "etc/pve/nodes/pve1/lxc/150.conf", "hostname: new\n");
	write_vmlist(&w.tree, 8,
		     "\n\"150\": { \"node\": \"pve1\", \"type\": \"lxc\", \"version\": 15 },");
	write_version(&w.tree, 1000, 15);
	world_cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 4);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "configs", 150), "name", "\"new\"");
	write_vmlist(&w.tree, 8,
		     "\n\"150\": { \"node\": \"pve2\", \"type\": \"lxc\", \"version\": 16 },");
	write_version(&w.tree, 1000, 16);
	world_cycle(&w);
	assert_null(row_of(w.doc, "guests", 150));
	assert_int_equal(json_array_size(json_arr(w.doc, "vmids")), 6);
	write_vmlist(&w.tree, 8, "");
	write_version(&w.tree, 1000, 17);
	world_cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "vmids")), 5);
	world_done(&w);
}

static void test_the_reporter_speaks_for_the_unheard(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	(void)snprintf(w.ask.unheard[0], sizeof(w.ask.unheard[0]), "pve3");
	world_cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 4);
	assert_member(row_of(w.doc, "guests", 300), "node", "\"pve3\"");
	assert_member(row_of(w.doc, "guests", 300), "status", "\"unknown\"");
	assert_member(row_of(w.doc, "configs", 300), "name", "\"lost\"");
	/* NannyAPI's are this node's alone. */
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 5);
	/* The hub has named another one. */
	(void)snprintf(w.ask.reporter, sizeof(w.ask.reporter), "pve2");
	world_cycle(&w);
	assert_member(w.doc, "reporter", "false");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_changed),
		cmocka_unit_test(test_what_does_not_fit_comes_later),
		cmocka_unit_test(test_a_restart_of_pmxcfs_drops_all),
		cmocka_unit_test(test_a_guest_comes_moves_and_goes),
		cmocka_unit_test(test_the_reporter_speaks_for_the_unheard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
