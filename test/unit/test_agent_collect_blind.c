/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the agent says when something that it reads is torn, missing, gone or not to be believed. */

#include <errno.h>

#include "collect_world.h"

static void test_a_config_that_is_gone(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	tree_remove(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf");
	world_cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	assert_member(row_of(w.doc, "guests", 100), "name", "null");
	assert_member(row_of(w.doc, "guests", 100), "status", "\"running\"");
	assert_null(row_of(w.doc, "configs", 100));
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 4);
	/* It is looked for again, also if nothing was counted. */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: back\n");
	world_cycle(&w);
	assert_member(w.doc, "complete", "true");
	assert_member(row_of(w.doc, "configs", 100), "name", "\"back\"");
	world_done(&w);
}

static void test_torn_files(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
	tree_write(&w.tree, "etc/pve/.vmlist", "{\"version\": 15, \"ids\": {\"100\": { \"no");
	write_version(&w.tree, 1000, 15);
	world_cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_member(w.doc, "vmids", "[]");
	assert_member(w.doc, "guests", "[]");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	write_vmlist(&w.tree, 8, "");
	tree_write(&w.tree, "etc/pve/.rrd", "pve2.3-vm/100:1:web:runn");
	tree_write(&w.tree, "etc/pve/ha/manager_status", "{");
	write_version(&w.tree, 1001, 15);
	world_cycle(&w);
	assert_member(w.doc, "complete", "true");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 2);
	assert_member(row_of(w.doc, "guests", 100), "ha",
		      "{\"wanted\": \"started\", \"state\": null, \"node\": null}");
	assert_null(json_object_get(row_of(w.doc, "guests", 100), "uptime"));
	tree_write(&w.tree, "etc/pve/.version", "{\"starttime\": ");
	tree_write(&w.tree, "etc/pve/.members", "{}");
	world_cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_true(json_array_size(json_arr(w.doc, "blind")) >= 4);
	world_done(&w);
}

static const char *uuid_of(const struct world *w)
{
	return json_str(json_object_get(w->doc, "cluster"), "uuid");
}

/* A node whose authority cannot be read is heard all the same, and as the same cluster. */
static void test_without_an_authority(void **state)
{
	struct world w;
	char was[64];

	(void)state;
	world_make(&w);
	tree_remove(&w.tree, "etc/pve/pve-root-ca.pem");
	world_cycle(&w);
	assert_string_equal(uuid_of(&w), "name:prod");
	assert_string_equal(w.answer.cluster_uuid, "name:prod");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	assert_member(w.doc, "complete", "true");
	assert_member(post(&w, 1, "/api/proxmox/cluster"), "cluster_id", "\"name:prod\"");
	tree_write(&w.tree, "etc/pve/pve-root-ca.pem", OWN_CA);
	world_cycle(&w);
	(void)snprintf(was, sizeof(was), "%s", uuid_of(&w));
	assert_int_equal(strncmp(was, "ca:", 3), 0);
	(void)snprintf(w.ask.cluster_uuid, sizeof(w.ask.cluster_uuid), "%s", was);
	tree_remove(&w.tree, "etc/pve/pve-root-ca.pem");
	world_cycle(&w);
	assert_string_equal(uuid_of(&w), was);
	/* Nor is one that is just being written another cluster. */
	tree_write(&w.tree, "etc/pve/pve-root-ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
	world_cycle(&w);
	assert_string_equal(uuid_of(&w), was);
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	world_done(&w);
}

/* No list of members says nothing about them, above all not that this node is alone. */
static void test_without_members(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	tree_remove(&w.tree, "etc/pve/.members");
	world_cycle(&w);
	assert_member(json_object_get(w.doc, "cluster"), "clustered", "null");
	assert_member(json_object_get(w.doc, "cluster"), "name", "null");
	assert_null(json_object_get(w.doc, "nodes"));
	assert_member(w.doc, "reporter", "false");
	assert_member(w.doc, "complete", "false");
	assert_true(json_array_size(json_arr(w.doc, "blind")) >= 1);
	tree_remove(&w.tree, "etc/pve/pve-root-ca.pem");
	collect_cycle(&w.picture, &w.tree.root, &w.ask, &w.answer);
	assert_int_equal(w.answer.error, -EAGAIN);
	assert_int_equal(w.answer.document.len, 0);
	(void)snprintf(w.ask.cluster_uuid, sizeof(w.ask.cluster_uuid), "name:prod");
	world_cycle(&w);
	assert_string_equal(uuid_of(&w), "name:prod");
	world_done(&w);
}

static void test_no_proxmox_and_a_hanging_one(void **state)
{
	struct collect_answer a;
	struct world w;
	struct tree t;

	(void)state;
	tree_make(&t);
	collect_once(&t.root, &(struct collect_ask){ .hub = true }, &a);
	assert_int_equal(a.error, -ENODEV);
	assert_true(*a.why && a.document.len == 0);
	collect_answer_done(&a);
	tree_done(&t);

	world_make(&w);
	collect_without_pmxcfs(&w.tree.root, &w.ask, "pve1", "ca:1", &w.answer);
	assert_int_equal(json_parse(buf_slice(&w.answer.document), "document", &w.doc, NULL), 0);
	assert_member(w.doc, "quorate", "null");
	assert_member(w.doc, "complete", "false");
	assert_member(w.doc, "pmxcfs", "{\"state\": \"hung\"}");
	assert_member(json_object_get(w.doc, "host"), "uptime", "315069");
	assert_member(json_object_get(w.doc, "host"), "pveversion",
		      "\"pve-manager/8.2.4/faa83925c9641325\"");
	assert_null(json_object_get(w.doc, "guests"));
	assert_null(json_object_get(w.doc, "vmids"));
	world_done(&w);
}

/* A string that takes 300 KiB, and a list of 4097 numbers. */
static void write_parts_too_large(struct buf *string, struct buf *list)
{
	buf_adds(string, "{\"a\": \"");
	while (string->len < 300 * 1024)
		buf_adds(string, "xxxxxxxxxxxxxxxx");
	buf_adds(string, "\"}");
	buf_adds(list, "{\"a\": [0");
	for (int i = 0; i < 4096; i++)
		buf_adds(list, ",0");
	buf_adds(list, "]}");
}

static void test_parts_that_are_not_to_be_believed(void **state)
{
	CLEANUP(buf_done) struct buf string = {}, list = {};
	struct world w;
	json_t *parts;

	(void)state;
	world_make(&w);
	write_parts_too_large(&string, &list);
	tree_remove(&w.tree, "run/pvewarden/dm/dm.json");
	tree_write(&w.tree, "run/pvewarden/dm/other", "{}");
	tree_link(&w.tree, "run/pvewarden/dm/dm.json", "other");
	tree_write(&w.tree, "run/pvewarden/array/array.json",
		   "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}");
	tree_write(&w.tree, "run/pvewarden/watch/watch.json", string.data);
	world_cycle(&w);
	assert_null(json_obj(json_obj(w.doc, "parts"), "array"));
	tree_write(&w.tree, "run/pvewarden/array/array.json", list.data);
	world_cycle(&w);
	parts = json_obj(w.doc, "parts");
	assert_int_equal(json_object_size(parts), 1);
	assert_int_equal(json_integer_value(json_object_get(json_obj(parts, "watch"), "too_large")),
			 string.len);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_config_that_is_gone),
		cmocka_unit_test(test_torn_files),
		cmocka_unit_test(test_without_an_authority),
		cmocka_unit_test(test_without_members),
		cmocka_unit_test(test_no_proxmox_and_a_hanging_one),
		cmocka_unit_test(test_parts_that_are_not_to_be_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
