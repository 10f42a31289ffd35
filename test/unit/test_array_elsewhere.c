/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/elsewhere.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "test_pve_tree.h"

#define VMLIST "{\"version\":1,\"ids\":{\"100\":{\"node\":\"%s\",\"type\":\"qemu\",\"version\":1}}}"

static const struct array_conf conf = { .storage = "pure",
					.vgname = "vg",
					.vnprefix = "",
					.prefix = "vg/",
					.host = "pve1-x",
					.host_group = "cluster" };

static const char storages[] =
	"purestorage: pure\n\taddress https://fa1\n\tvgname vg\n\thgsuffix x\n\n"
	"purestorage: again\n\taddress https://10.0.0.1\n\tvgname vg\n"
	"\thgsuffix y\n\n"
	"purestorage: else\n\taddress https://fa1\n\tvgname vg2\n"
	"\thgsuffix z\n\n";

/* Guest 100 with this config on @node; nodes pve1 (here) and pve2. */
static void cluster_make(struct tree *t, const char *node, const char *config)
{
	char text[256], path[128];

	tree_make(t);
	tree_write(t, "etc/hostname", "pve1\n");
	tree_write(t, "etc/pve/.members",
		   "{\"nodename\":\"pve1\",\"version\":2,\"cluster\":{\"name\":\"c\",\"version\":2,"
		   "\"nodes\":2,\"quorate\":1},\"nodelist\":{\"pve1\":{\"id\":1,\"online\":1,"
		   "\"ip\":\"10.0.0.1\"},\"pve2\":{\"id\":2,\"online\":1,\"ip\":\"10.0.0.2\"}}}");
	tree_write(t, "etc/pve/storage.cfg", storages);
	tree_write(t, "etc/pve/corosync.conf", "x");
	(void)snprintf(text, sizeof(text), VMLIST, node);
	tree_write(t, "etc/pve/.vmlist", text);
	tree_write(t, "etc/pve/nodes/pve1/lrm_status", "x");
	tree_write(t, "etc/pve/nodes/pve2/lrm_status", "x");
	tree_write(t, "etc/pve/nodes/pve1/qemu-server/.keep", "");
	(void)snprintf(path, sizeof(path), "etc/pve/nodes/%s/qemu-server/100.conf", node);
	tree_write(t, path, config);
	tree_link(t, "etc/pve/local", "nodes/pve1");
}

/* What is said of vm-100-disk-0 when that connection is there. */
static int ask(struct tree *t, const struct fa_connection *there, size_t n, bool all_known,
	       struct err *e)
{
	struct pvefs *p = pvefs_open(&t->root);
	int r;

	*e = (struct err){};
	r = elsewhere_idle(&conf, p, 10000, "pve1", "vm-100-disk-0", there, n, all_known, e);
	pvefs_close(p);
	return r;
}

static const struct fa_connection own = { .volume = "vg/vm-100-disk-0", .host = "pve1-x" };
static const struct fa_connection other = { .volume = "vg/vm-100-disk-0", .host = "pve2-x" };
static const struct fa_connection grouped = { .volume = "vg/vm-100-disk-0",
					      .host_group = "cluster" };
static const struct fa_connection stranger = { .volume = "vg/vm-100-disk-0", .host = "backup" };

static void nobody_else_needs_no_reading(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	/* There is no /etc/pve at all here. */
	tree_make(&t);
	assert_int_equal(ask(&t, NULL, 0, true, &e), 0);
	assert_int_equal(ask(&t, &own, 1, true, &e), 0);
	assert_int_equal(ask(&t, NULL, 0, false, &e), -EAGAIN);
	assert_int_equal(ask(&t, &other, 1, true, &e), -EAGAIN);
	tree_done(&t);
}

static void strangers_are_refused(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "scsi0: pure:vm-100-disk-0,size=1G\n");
	assert_int_equal(ask(&t, &stranger, 1, true, &e), -EBUSY);
	assert_non_null(strstr(e.text, "purevol disconnect --host backup vg/vm-100-disk-0"));
	tree_done(&t);
}

/* Two clusters on one array have hosts of their own by `hgsuffix`, and often nodes of one name. */
static void a_namesake_of_another_cluster_is_a_stranger(void **state)
{
	static const char *const hosts[] = { "pve2-a", "pve2", "pve2-x2", "pve2-z", "pve2-x-x" };
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "scsi0: pure:vm-100-disk-0,size=1G\n");
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct fa_connection namesake = { .volume = "vg/vm-100-disk-0", .host = hosts[i] };

		assert_int_equal(ask(&t, &namesake, 1, true, &e), -EBUSY);
		assert_non_null(strstr(e.text, "purevol disconnect --host pve2"));
	}
	tree_done(&t);
}

/* Another section that holds the same volumes, under another suffix. */
static void a_node_may_have_two_hosts(void **state)
{
	static const struct fa_connection second = { .volume = "vg/vm-100-disk-0",
						     .host = "pve2-y" };
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "scsi0: pure:vm-100-disk-0,size=1G\n");
	assert_int_equal(ask(&t, &second, 1, true, &e), 0);
	tree_done(&t);
}

static void a_forgotten_connection_is_not_a_user(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "scsi0: pure:vm-100-disk-0,size=1G\n");
	assert_int_equal(ask(&t, &other, 1, true, &e), 0);
	assert_int_equal(ask(&t, &grouped, 1, true, &e), 0);
	tree_done(&t);
}

static void a_guest_of_the_other_node_is(void **state)
{
	static const char *const configs[] = {
		"scsi0: pure:vm-100-disk-0,size=1G\n",
		"scsi0: again:vm-100-disk-0,size=1G\n",
		"unused3: pure:vm-100-disk-0\n",
		"memory: 1\n\n[s]\nscsi1: pure:vm-100-disk-0,size=1G\n",
	};
	struct tree t;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		cluster_make(&t, "pve2", configs[i]);
		assert_int_equal(ask(&t, &other, 1, true, &e), -EBUSY);
		assert_non_null(strstr(e.text, "guest 100 on node pve2"));
		assert_int_equal(ask(&t, &grouped, 1, true, &e), -EBUSY);
		assert_int_equal(ask(&t, NULL, 0, false, &e), -EBUSY);
		tree_done(&t);
	}
}

static void another_volume_of_that_name_is_not(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve2", "scsi0: else:vm-100-disk-0,size=1G\nscsi1: pure:vm-100-disk-1\n");
	assert_int_equal(ask(&t, &other, 1, true, &e), 0);
	tree_done(&t);
}

static void a_migrating_guest_runs_somewhere_else(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "lock: migrate\nscsi0: pure:vm-100-disk-0,size=1G\n");
	assert_int_equal(ask(&t, &other, 1, true, &e), -EBUSY);
	assert_non_null(strstr(e.text, "is being migrated"));
	assert_int_equal(ask(&t, &own, 1, true, &e), 0);
	tree_done(&t);
	cluster_make(&t, "pve1", "lock: snapshot\nscsi0: pure:vm-100-disk-0,size=1G\n");
	assert_int_equal(ask(&t, &other, 1, true, &e), 0);
	tree_done(&t);
}

static void what_cannot_be_read_is_not_nobody(void **state)
{
	struct tree t;
	struct err e;

	(void)state;
	cluster_make(&t, "pve1", "scsi0: pure:vm-100-disk-0,size=1G\n");
	tree_remove(&t, "etc/pve/.vmlist");
	tree_write(&t, "etc/pve/.vmlist", "{\"version\":1,\"ids\":{");
	assert_int_equal(ask(&t, &other, 1, true, &e), -EAGAIN);
	assert_non_null(strstr(e.text, "is not known"));
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_needs_no_reading),
		cmocka_unit_test(strangers_are_refused),
		cmocka_unit_test(a_namesake_of_another_cluster_is_a_stranger),
		cmocka_unit_test(a_node_may_have_two_hosts),
		cmocka_unit_test(a_forgotten_connection_is_not_a_user),
		cmocka_unit_test(a_guest_of_the_other_node_is),
		cmocka_unit_test(another_volume_of_that_name_is_not),
		cmocka_unit_test(a_migrating_guest_runs_somewhere_else),
		cmocka_unit_test(what_cannot_be_read_is_not_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
