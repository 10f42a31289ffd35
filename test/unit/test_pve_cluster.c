/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/cluster.h"

#include <errno.h>
#include <sys/utsname.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/str.h"

#define MEMBERS                                                                                     \
	"{\"nodename\": \"pve1\",\"version\": 7,\"cluster\": { \"name\": \"prod\", \"version\": "   \
	"3, \"nodes\": 2, \"quorate\": 1 },\"nodelist\": { \"pve1\": { \"id\": 1, \"online\": 1}, " \
	"\"pve2\": { \"id\": 2, \"online\": 1}}}\n"
#define VMLIST                                                                                      \
	"{\"version\": 3,\"ids\": {\"101\": { \"node\": \"pve2\", \"type\": \"lxc\", \"version\": " \
	"2 },\"100\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": 1 }}}\n"
#define VM100 "etc/pve/nodes/pve1/qemu-server/100.conf"
#define CT101 "etc/pve/nodes/pve2/lxc/101.conf"

static void make_cluster(struct tree *t)
{
	tree_make(t);
	tree_write(t, "etc/pve/.members", MEMBERS);
	tree_write(t, "etc/pve/.vmlist", VMLIST);
	tree_write(t, "etc/pve/.rrd", "pve2.3-vm/100:1:web:running:0:5:1\n");
	tree_link(t, "etc/pve/local", "nodes/pve1");
	tree_write(t, "etc/pve/storage.cfg", "lvmthin: local-lvm\n\tvgname pve\n\tthinpool data\n");
	tree_write(t, VM100, "name: web\nscsi0: local-lvm:vm-100-disk-0,size=4G\n");
	tree_write(t, CT101, "hostname: db\nrootfs: local-lvm:vm-101-disk-0,size=4G\n");
}

static bool blind_says(const struct cluster *c, const char *word)
{
	for (size_t i = 0; i < c->n_blind; i++)
		if (strstr(c->blind[i], word))
			return true;
	return false;
}

static void reads_a_whole_cluster(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	assert_int_equal(c.diags.n, 0);
	assert_string_equal(c.node.name, "pve1");
	assert_true(c.members.clustered);
	assert_int_equal(c.n_guests, 2);
	assert_int_equal(c.guests[0].vmid, 100);
	assert_string_equal(c.guests[0].file, VM100);
	assert_string_equal(c.guests[0].node, "pve1");
	assert_string_equal(c.guests[1].name, "db");
	assert_int_equal(c.guests[1].type, GUEST_LXC);
	assert_string_equal(c.guests[1].node, "pve2");
	assert_string_equal(c.guests[1].volumes[0].volname, "vm-101-disk-0");
	assert_ptr_equal(cluster_guest(&c, 101), &c.guests[1]);
	assert_null(cluster_guest(&c, 102));
	assert_string_equal(storage_find(&c.storages, SLICE("local-lvm"))->vgname, "pve");
	assert_string_equal(rrd_guest(&c.rrd, 100)->status, "running");
	assert_int_equal(c.next_id_lower, 100);
	assert_int_equal(c.next_id_upper, 1000000);
	cluster_done(&c);
	tree_done(&t);
}

/* Each change takes something away, and then "could not tell" must say what. */
static void blind_is_not_clean(void **state)
{
	static const struct {
		const char *path, *text; /* NULL: the file is gone */
		const char *word;
		size_t guests;
	} cases[] = {
		{ "etc/pve/.members", NULL, "systemctl status pve-cluster", 2 },
		{ "etc/pve/.members", "{\"nodename\": \"pve1\",", "etc/pve/.members", 2 },
		{ "etc/pve/.members", "", "etc/pve/.members", 2 },
		{ "etc/pve/.members", "{\"nodename\": \"pve1\", \"cluster\": {\"quorate\": 0}}",
		  "no quorum", 2 },
		{ "etc/pve/.members", "{\"nodename\": \"pve3\"}", "'pve3'", 2 },
		{ "etc/pve/.vmlist", "{\"version\": 3,\"ids\": {", "etc/pve/.vmlist", 2 },
		{ "etc/pve/storage.cfg", NULL, "etc/pve/storage.cfg", 2 },
		{ VM100, NULL, VM100, 1 },
		{ CT101, NULL, CT101, 1 },
		{ "capture.json",
		  "{\"schema\":\"pvewarden.capture/1\",\"node\":\"pve1\",\"quorate\":false}",
		  "no quorum", 2 },
		{ "capture.json", "{\"schema\":\"pvewarden.capture/1\",\"node\":\"pve9\"}",
		  "'pve9'", 2 },
		{ "etc/pve/.vmlist",
		  "{\"version\": 3,\"ids\": {\"100\": {\"node\": \"pve7\",\"type\":\"qemu\"}}}",
		  "etc/pve/nodes/pve7/qemu-server/100.conf", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster c;
		struct tree t;

		make_cluster(&t);
		if (cases[i].text)
			tree_write(&t, cases[i].path, cases[i].text);
		else
			tree_remove(&t, cases[i].path);
		assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
		if (!blind_says(&c, cases[i].word))
			fail_msg("case %zu: %s: not said: %s", i, cases[i].path, cases[i].word);
		assert_int_equal(c.n_blind, 1);
		assert_int_equal(c.n_guests, cases[i].guests);
		cluster_done(&c);
		tree_done(&t);
	}
}

static void fill(const struct tree *t, const char *path, const char *start, size_t n)
{
	CLEANUP(buf_done) struct buf text = {};

	buf_adds(&text, start);
	while (text.len + 7 <= n)
		buf_adds(&text, "#34567\n");
	while (text.len < n)
		buf_addc(&text, '\n');
	tree_write_n(t, path, text.data, text.len);
}

static void files_are_a_mebibyte_at_most(void **state)
{
	static const struct {
		const char *path, *start;
		size_t size, blind;
	} cases[] = {
		{ VM100, "scsi0: local-lvm:a\n", GUEST_CONFIG_MAX, 0 },
		{ VM100, "scsi0: local-lvm:a\n", GUEST_CONFIG_MAX + 1, 1 },
		{ VM100, "scsi0: local-lvm:a\n", 131072, 0 },
		{ VM100, "scsi0: local-lvm:a\n", 131073, 0 },
		{ "etc/pve/storage.cfg", "lvm: local-lvm\n\tvgname x\n", 1048576, 0 },
		{ "etc/pve/storage.cfg", "lvm: local-lvm\n\tvgname x\n", 1048577, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster c;
		struct tree t;

		make_cluster(&t);
		fill(&t, cases[i].path, cases[i].start, cases[i].size);
		assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
		assert_int_equal(c.n_blind, cases[i].blind);
		if (cases[i].blind)
			assert_true(blind_says(&c, cases[i].path) && blind_says(&c, "1 MiB"));
		/* What could be read of it still counts. */
		assert_int_equal(c.n_guests, 2);
		assert_int_equal(c.guests[0].n_volumes, 1);
		assert_non_null(storage_find(&c.storages, SLICE("local-lvm")));
		cluster_done(&c);
		tree_done(&t);
	}
}

static void a_config_that_is_no_file_blinds(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	tree_remove(&t, VM100);
	tree_link(&t, VM100, "/etc/passwd");
	tree_remove(&t, CT101);
	tree_write(&t, CT101 "/x", "");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_guests, 0);
	assert_int_equal(c.n_blind, 2);
	assert_true(blind_says(&c, VM100));
	assert_true(blind_says(&c, CT101));
	cluster_done(&c);
	tree_done(&t);
}

static void folders_know_guests_too(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	tree_remove(&t, "etc/pve/.vmlist");
	tree_write(&t, "etc/pve/nodes/pve2/qemu-server/300.conf", "cores: 1\n");
	tree_write(&t, "etc/pve/nodes/pve2/qemu-server/99.conf", "cores: 1\n");
	tree_write(&t, "etc/pve/nodes/pve2/qemu-server/0300.conf", "cores: 1\n");
	tree_write(&t, "etc/pve/nodes/pve2/qemu-server/300.conf.tmp.1", "cores: 1\n");
	tree_write(&t, "etc/pve/nodes/pve2/lrm_status", "{}");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	assert_int_equal(c.n_guests, 3);
	assert_int_equal(c.guests[2].vmid, 300);
	cluster_done(&c);
	tree_remove(&t, "etc/pve/nodes/pve2/lrm_status");
	tree_done(&t);
}

static void an_id_twice_is_said(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	tree_write(&t, "etc/pve/nodes/pve2/qemu-server/100.conf", "cores: 1\n");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	assert_int_equal(c.n_guests, 3);
	assert_string_equal(cluster_guest(&c, 100)->node, "pve1");
	assert_int_equal(c.diags.n, 1);
	assert_non_null(strstr(c.diags.items[0].text, VM100));
	cluster_done(&c);
	tree_done(&t);
}

static void a_storage_that_is_nowhere_is_said(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	tree_write(&t, VM100, "net0: virtio=x\nscsi0: gone:vm-100-disk-0\nnewkey: no:y\n");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	assert_int_equal(c.diags.n, 1);
	assert_string_equal(c.diags.items[0].file, VM100);
	assert_int_equal(c.diags.items[0].line, 2);
	assert_non_null(strstr(c.diags.items[0].text, "'gone'"));
	cluster_done(&c);
	tree_done(&t);
}

static void capture_decides_over_members(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	tree_write(&t, "etc/pve/.members",
		   "{\"nodename\": \"pve1\", \"cluster\": {\"quorate\": 0}}");
	tree_write(&t, "capture.json", "{\"schema\":\"pvewarden.capture/1\",\"quorate\":true}");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	cluster_done(&c);
	tree_done(&t);
}

static void reads_the_range_of_ids(void **state)
{
	static const struct {
		const char *text;
		uint32_t lower, upper;
		size_t diags;
	} cases[] = {
		{ "", 100, 1000000, 0 },
		{ "keyboard: de\nnext-id: lower=200,upper=300\n", 200, 300, 0 },
		{ "next-id: upper=500", 100, 500, 0 },
		{ "next-id: lower=2000000\n", 100, 1000000, 1 },
		{ "next-id: lower=5\n", 100, 1000000, 1 },
		{ "next-id: lower=x,upper=300\n", 100, 1000000, 1 },
		{ "#next-id: lower=200\n", 100, 1000000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster c;
		struct tree t;

		make_cluster(&t);
		tree_write(&t, "etc/pve/datacenter.cfg", cases[i].text);
		assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
		assert_int_equal(c.next_id_lower, cases[i].lower);
		assert_int_equal(c.next_id_upper, cases[i].upper);
		assert_int_equal(c.diags.n, cases[i].diags);
		assert_int_equal(c.n_blind, 0);
		cluster_done(&c);
		tree_done(&t);
	}
}

/* What a live node must have and a recording may lack. */
static void a_live_node_has_more_to_show(void **state)
{
	char members[128], local[128], node[65];
	struct utsname u;
	struct cluster c;
	struct tree t;

	(void)state;
	assert_int_equal(uname(&u), 0);
	(void)snprintf(node, sizeof(node), "%.*s", (int)strcspn(u.nodename, "."), u.nodename);
	(void)snprintf(members, sizeof(members), "{\"nodename\": \"%s\",\"version\": 0}", node);
	(void)snprintf(local, sizeof(local), "nodes/%s", node);
	make_cluster(&t);
	t.root.live = true;
	tree_write(&t, "etc/pve/.members", members);
	tree_remove(&t, "etc/pve/local");
	tree_link(&t, "etc/pve/local", local);
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 0);
	assert_string_equal(c.node.name, node);
	assert_int_equal(c.node.quorate, TRI_YES);
	assert_string_equal(c.node.kernel, u.release);
	cluster_done(&c);

	tree_remove(&t, "etc/pve/.vmlist");
	tree_remove(&t, "etc/pve/local");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 2);
	assert_true(blind_says(&c, "no link 'local'"));
	assert_true(blind_says(&c, ".vmlist"));
	assert_int_equal(c.n_guests, 2);
	cluster_done(&c);

	/* Without quorum pmxcfs takes the write bit of what local is. */
	tree_write(&t, "etc/pve/.vmlist", VMLIST);
	tree_write(&t, "etc/pve/local", "");
	tree_chmod(&t, "etc/pve/local", 0555);
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 1);
	assert_true(blind_says(&c, "no quorum"));
	cluster_done(&c);
	tree_done(&t);
}

static void an_empty_pve_folder_blinds(void **state)
{
	struct cluster c;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/pve/x", "");
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_true(blind_says(&c, "pmxcfs is not mounted"));
	assert_true(blind_says(&c, "storage.cfg"));
	assert_true(blind_says(&c, "etc/pve/nodes"));
	assert_non_null(storage_find(&c.storages, SLICE("local")));
	cluster_done(&c);
	tree_remove(&t, "etc/pve/x");
	tree_remove(&t, "etc/pve");
	assert_int_equal(cluster_read(&c, &t.root, NULL), -ENODEV);
	tree_done(&t);
}

static void many_guests_are_read(void **state)
{
	struct cluster c;
	struct tree t;
	char path[128], text[256];

	(void)state;
	make_cluster(&t);
	for (int i = 1000; i < 3000; i++) {
		(void)snprintf(path, sizeof(path), "etc/pve/nodes/pve1/qemu-server/%d.conf", i);
		(void)snprintf(text, sizeof(text), "scsi0: local-lvm:vm-%d-disk-0,size=4G\n", i);
		tree_write(&t, path, text);
	}
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_guests, 2002);
	for (uint32_t i = 1000; i < 3000; i++) {
		(void)snprintf(text, sizeof(text), "vm-%u-disk-0", i);
		assert_string_equal(cluster_guest(&c, i)->volumes[0].volname, text);
	}
	assert_int_equal(c.n_blind, 0);
	cluster_done(&c);
	tree_done(&t);
}

/* A hundred reasons are enough for anybody; the rest is counted. */
static void reasons_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct cluster c;
	struct tree t;

	(void)state;
	make_cluster(&t);
	buf_adds(&text, "{\"version\":1,\"ids\":{");
	for (int i = 1000; i < 1150; i++)
		buf_addf(&text, "%s\"%d\":{\"node\":\"pve1\",\"type\":\"qemu\"}",
			 i > 1000 ? "," : "", i);
	buf_adds(&text, "}}");
	tree_write(&t, "etc/pve/.vmlist", buf_str(&text));
	assert_int_equal(cluster_read(&c, &t.root, NULL), 0);
	assert_int_equal(c.n_blind, 101);
	assert_string_equal(c.blind[100], "and 50 more");
	cluster_done(&c);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_whole_cluster),
		cmocka_unit_test(blind_is_not_clean),
		cmocka_unit_test(files_are_a_mebibyte_at_most),
		cmocka_unit_test(a_config_that_is_no_file_blinds),
		cmocka_unit_test(folders_know_guests_too),
		cmocka_unit_test(an_id_twice_is_said),
		cmocka_unit_test(a_storage_that_is_nowhere_is_said),
		cmocka_unit_test(capture_decides_over_members),
		cmocka_unit_test(reads_the_range_of_ids),
		cmocka_unit_test(a_live_node_has_more_to_show),
		cmocka_unit_test(an_empty_pve_folder_blinds),
		cmocka_unit_test(many_guests_are_read),
		cmocka_unit_test(reasons_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
