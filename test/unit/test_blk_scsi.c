/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/scsi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "blk/nvme_act.h"
#include "blk/scsi_act.h"
#include "test_pve_tree.h"

static struct tree tree;

/* What a kernel has under /sys: an iSCSI session with two disks, one FC port with one. */
static void add_session(int n, int host, const char *state, const char *address)
{
	char at[160], link[256];

	(void)snprintf(at, sizeof(at),
		       "sys/devices/platform/host%d/session%d/iscsi_session/session%d", host, n, n);
	(void)snprintf(link, sizeof(link), "%s/targetname", at);
	tree_write(&tree, link, "iqn.2010-06.com.purestorage:flasharray.a\n");
	(void)snprintf(link, sizeof(link), "%s/state", at);
	tree_write(&tree, link, state);
	(void)snprintf(link, sizeof(link), "%s/target_id", at);
	tree_write(&tree, link, "0\n");
	(void)snprintf(link, sizeof(link), "sys/class/iscsi_session/session%d", n);
	(void)snprintf(at, sizeof(at),
		       "../../devices/platform/host%d/session%d/iscsi_session/session%d", host, n,
		       n);
	tree_link(&tree, link, at);
	(void)snprintf(link, sizeof(link),
		       "sys/class/iscsi_connection/connection%d:0/"
		       "persistent_address",
		       n);
	tree_write(&tree, link, address);
	(void)snprintf(link, sizeof(link),
		       "sys/class/iscsi_connection/connection%d:0/"
		       "persistent_port",
		       n);
	tree_write(&tree, link, "3260\n");
}

static void add_disk(const char *name, const char *address, const char *wwid)
{
	const char *const files[][2] = { { "dev", "8:16\n" }, { "size", "131072\n" } };
	char at[256], link[256];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(at, sizeof(at), "sys/block/%s/%s", name, files[i][0]);
		tree_write(&tree, at, files[i][1]);
	}
	(void)snprintf(at, sizeof(at), "sys/devices/x/%s/wwid", address);
	tree_write(&tree, at, wwid);
	(void)snprintf(at, sizeof(at), "sys/devices/x/%s/state", address);
	tree_write(&tree, at, "running\n");
	(void)snprintf(at, sizeof(at), "sys/devices/x/%s/delete", address);
	tree_write(&tree, at, "");
	(void)snprintf(at, sizeof(at), "sys/devices/x/%s/block/%s/dev", address, name);
	tree_write(&tree, at, "8:16\n");
	(void)snprintf(at, sizeof(at), "sys/block/%s/device", name);
	(void)snprintf(link, sizeof(link), "../../devices/x/%s", address);
	tree_link(&tree, at, link);
	(void)snprintf(at, sizeof(at), "sys/class/scsi_device/%s/device", address);
	(void)snprintf(link, sizeof(link), "../../../devices/x/%s", address);
	tree_link(&tree, at, link);
}

static int begin(void **state)
{
	(void)state;
	tree_make(&tree);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tree_done(&tree);
	return 0;
}

static void a_node_without_san_has_no_ports(void **state)
{
	struct scsi_ports ports = {};
	struct scsi_disks disks = {};

	(void)state;
	scsi_iscsi_ports(&ports, &tree.root);
	scsi_fc_ports(&ports, &tree.root);
	scsi_disks_like(&disks, &tree.root, "naa.");
	assert_int_equal(ports.n + disks.n, 0);
}

static void sessions_say_where_they_lead(void **state)
{
	struct scsi_ports ports = {};

	(void)state;
	add_session(1, 4, "LOGGED_IN\n", "10.0.0.1\n");
	scsi_iscsi_ports(&ports, &tree.root);
	assert_int_equal(ports.n, 1);
	assert_int_equal(ports.items[0].host, 4);
	assert_true(ports.items[0].usable);
	assert_string_equal(ports.items[0].id, "iqn.2010-06.com.purestorage:flasharray.a");
	assert_string_equal(ports.items[0].portal, "10.0.0.1:3260");
	scsi_ports_done(&ports);
}

static void a_session_that_is_lost_is_not_used(void **state)
{
	struct scsi_ports ports = {};

	(void)state;
	add_session(12, 40, "FAILED\n", "fd00::1\n");
	scsi_iscsi_ports(&ports, &tree.root);
	assert_int_equal(ports.n, 1);
	assert_int_equal(ports.items[0].host, 40);
	assert_false(ports.items[0].usable);
	assert_string_equal(ports.items[0].portal, "[fd00::1]:3260");
	scsi_ports_done(&ports);
}

static void fc_ports_that_are_targets(void **state)
{
	static const char *const files[][2] = {
		{ "rport-5:0-3/port_name", "0x524a937000000001\n" },
		{ "rport-5:0-3/port_state", "Online\n" },
		{ "rport-5:0-3/scsi_target_id", "2\n" },
		{ "rport-5:0-4/port_name", "0x524a937000000002\n" }, /* no target */
		{ "rport-5:0-4/port_state", "Online\n" },
		{ "rport-5:0-4/scsi_target_id", "-1\n" },
		{ "rport-6:1-0/port_name", "0x524a937000000003\n" },
		{ "rport-6:1-0/port_state", "Blocked\n" },
		{ "rport-6:1-0/scsi_target_id", "0\n" },
		{ "rport-x/port_name", "0x524a937000000004\n" },
	};
	struct scsi_ports ports = {};
	const struct scsi_port *first;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "sys/class/fc_remote_ports/%s", files[i][0]);
		tree_write(&tree, path, files[i][1]);
	}
	scsi_fc_ports(&ports, &tree.root);
	assert_int_equal(ports.n, 2);
	first = &ports.items[ports.items[0].host == 5 ? 0 : 1];
	assert_string_equal(first->id, "524a937000000001");
	assert_int_equal(first->target, 2);
	assert_true(first->usable);
	first = &ports.items[ports.items[0].host == 5 ? 1 : 0];
	assert_int_equal(first->channel, 1);
	assert_false(first->usable);
	scsi_ports_done(&ports);
}

static void disks_by_identity_and_by_address(void **state)
{
	const struct scsi_address at = { 4, 0, 0, 1 };
	struct scsi_disks disks = {};
	struct scsi_disk d;

	(void)state;
	add_disk("sdb", "4:0:0:1", "naa.624a93700123456789abcdef00011001\n");
	add_disk("sdc", "4:0:0:2", "naa.6001405000000000000000000000000f\n");
	tree_write(&tree, "sys/block/sdb/sdb1/holders/dm-3", "");
	scsi_disks_like(&disks, &tree.root, "naa.624a9370");
	assert_int_equal(disks.n, 1);
	assert_string_equal(disks.items[0].name, "sdb");
	assert_true(scsi_address_eq(&disks.items[0].at, &at));
	assert_int_equal(disks.items[0].size, 131072 * 512);
	assert_true(disks.items[0].held);
	assert_string_equal(disks.items[0].state, "running");
	assert_int_equal(scsi_disk_at(&d, &tree.root, &at), 0);
	assert_string_equal(d.name, "sdb");
	assert_int_equal(scsi_disk_at(&d, &tree.root, &(struct scsi_address){ 4, 0, 0, 9 }),
			 -ENOENT);
	scsi_disks_done(&disks);
}

static void assert_file(const char *path, const char *text)
{
	CLEANUP(buf_done) struct buf b = {};

	assert_int_equal(root_read(&tree.root, path, 4096, &b), 0);
	assert_string_equal(buf_str(&b), text);
}

static void what_is_written_names_one_unit(void **state)
{
	struct scsi_disk d;
	struct err e;

	(void)state;
	tree_write(&tree, "sys/class/scsi_host/host4/scan", "");
	assert_int_equal(scsi_scan(&tree.root, &(struct scsi_address){ 4, 0, 2, 254 }, &e), 0);
	assert_file("sys/class/scsi_host/host4/scan", "0 2 254");
	assert_int_equal(scsi_scan(&tree.root, &(struct scsi_address){ 5, 0, 0, 1 }, &e), -ENOENT);
	add_disk("sdb", "4:0:0:1", "naa.624a93700123456789abcdef00011001\n");
	assert_int_equal(scsi_disk_read(&d, &tree.root, "sdb"), 0);
	assert_int_equal(scsi_delete(&tree.root, &d, &e), 0);
	assert_file("sys/devices/x/4:0:0:1/delete", "1");
	assert_int_equal(scsi_offline(&tree.root, &d, &e), 0);
	assert_file("sys/devices/x/4:0:0:1/state", "offline\n");
}

/* The kernel sets a disk whose port is lost to nothing else; no I/O reaches it either. */
static void a_disk_whose_port_is_lost_is_offline(void **state)
{
	struct scsi_disk d;
	struct err e = {};

	(void)state;
	add_disk("sdb", "4:0:0:1", "naa.624a93700123456789abcdef00011001\n");
	assert_int_equal(scsi_disk_read(&d, &tree.root, "sdb"), 0);
	/* A folder takes no text; what the kernel says is read through the disk's name. */
	tree_remove(&tree, "sys/devices/x/4:0:0:1/state");
	tree_write(&tree, "sys/devices/x/4:0:0:1/state/refuses", "");
	tree_remove(&tree, "sys/block/sdb/device");
	tree_link(&tree, "sys/block/sdb/device", "../../devices/y/4:0:0:1");
	tree_write(&tree, "sys/devices/y/4:0:0:1/state", "transport-offline\n");
	assert_int_equal(scsi_offline(&tree.root, &d, &e), 0);
	tree_write(&tree, "sys/devices/y/4:0:0:1/state", "blocked\n");
	assert_int_equal(scsi_offline(&tree.root, &d, &e), 0);
	tree_write(&tree, "sys/devices/y/4:0:0:1/state", "running\n");
	assert_int_equal(scsi_offline(&tree.root, &d, &e), -EISDIR);
}

/* The name was given to another disk meanwhile: it is left alone. */
static void a_name_that_was_given_again_is_not_deleted(void **state)
{
	struct scsi_disk d;
	struct err e;

	(void)state;
	add_disk("sdb", "4:0:0:1", "naa.624a93700123456789abcdef00011001\n");
	assert_int_equal(scsi_disk_read(&d, &tree.root, "sdb"), 0);
	d.dev.minor = 32;
	assert_int_equal(scsi_delete(&tree.root, &d, &e), 0);
	assert_file("sys/devices/x/4:0:0:1/delete", "");
	d.dev.minor = 16;
	(void)snprintf(d.name, sizeof(d.name), "sdq");
	assert_int_equal(scsi_delete(&tree.root, &d, &e), 0);
	assert_file("sys/devices/x/4:0:0:1/delete", "");
	assert_int_equal(scsi_rescan(&tree.root, &d, &e), -ENODEV);
}

static void addresses(void **state)
{
	static const char *const bad[] = { "",		"1",	   "1:2:3",    "1:2:3:",
					   "1:2:3:4:5", "a:0:0:1", "1:0:0:-1", "4294967296:0:0:1" };
	struct scsi_address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (scsi_address_parse(slice_of(bad[i]), &a))
			fail_msg("%s", bad[i]);
	assert_true(scsi_address_parse(slice_of("12:1:3:4097"), &a));
	assert_int_equal(a.host, 12);
	assert_int_equal(a.lun, 4097);
}

static void namespaces_and_their_paths(void **state)
{
	static const char *const files[][2] = {
		{ "sys/block/nvme0n1/dev", "259:0\n" },
		{ "sys/block/nvme0n1/size", "8\n" },
		{ "sys/block/nvme0n1/nguid", "00012345-6789-abcd-24a9-37ef00022001\n" },
		{ "sys/block/nvme0n1/device/subsysnqn", "nqn.a\n" },
		{ "sys/block/nvme0c0n1/device/state", "live\n" },
		{ "sys/block/nvme0c0n1/ana_state", "optimized\n" },
		{ "sys/block/nvme0c1n1/device/state", "connecting\n" },
		{ "sys/block/nvme0c2n1/device/state", "live\n" },
		{ "sys/block/nvme0c2n1/ana_state", "non-optimized\n" },
		{ "sys/block/nvme0c3n1/device/state", "live\n" },
		{ "sys/block/nvme0c3n1/ana_state", "inaccessible\n" },
		{ "sys/block/nvme0c1n11/device/state", "live\n" },
		{ "sys/block/nvme0c0n1/nguid", "00012345-6789-abcd-24a9-37ef00022001\n" },
		{ "sys/block/nvme1n1/dev", "259:5\n" }, /* a local one, without */
		{ "sys/block/nvme1n1/size", "8\n" },
		{ "sys/class/nvme/nvme3/address",
		  "traddr=10.0.0.1,trsvcid=4420,src_addr=10.0.0.9\n" },
		{ "sys/class/nvme/nvme3/subsysnqn", "nqn.a\n" },
		{ "sys/class/nvme/nvme3/state", "live\n" },
		{ "sys/class/nvme/nvme4/address", "0000:01:00.0\n" },
		{ "sys/class/nvme/nvme3/rescan_controller", "" },
	};
	struct nvme_list list = {};
	struct nvme_ctrls ctrls = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tree_write(&tree, files[i][0], files[i][1]);
	nvme_namespaces(&list, &tree.root, NULL);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.items[0].nguid, "000123456789abcd24a937ef00022001");
	assert_string_equal(list.items[0].nqn, "nqn.a");
	assert_int_equal(list.items[0].paths, 4);
	assert_int_equal(list.items[0].paths_live, 2);
	nvme_list_done(&list);
	nvme_namespaces(&list, &tree.root, "000123456789abcd24a937ef00022002");
	assert_int_equal(list.n, 0);
	nvme_controllers(&ctrls, &tree.root);
	assert_int_equal(ctrls.n, 1);
	assert_string_equal(ctrls.items[0].address, "10.0.0.1:4420");
	assert_true(ctrls.items[0].live);
	assert_int_equal(nvme_rescan(&tree.root, "nvme3", NULL), 0);
	assert_file("sys/class/nvme/nvme3/rescan_controller", "1");
	nvme_ctrls_done(&ctrls);
}

static void what_is_asked_of_the_fabric(void **state)
{
	struct nvme_target t = { "nqn.a", "[fd00::1]:4420", "nqn.host", "6d3a3a43" };

	(void)state;
	tree_write(&tree, "dev/nvme-fabrics", "");
	assert_int_equal(nvme_connect(&tree.root, &t, NULL), 0);
	assert_file("dev/nvme-fabrics",
		    "transport=tcp,traddr=fd00::1,trsvcid=4420,nqn=nqn.a,hostnqn=nqn.host,"
		    "hostid=6d3a3a43,ctrl_loss_tmo=1800");
	/* Options cannot be smuggled in with a name. */
	t.nqn = "nqn.a,transport=rdma";
	assert_int_equal(nvme_connect(&tree.root, &t, NULL), -EINVAL);
	t.nqn = "nqn.a";
	t.address = "10.0.0.1";
	assert_int_equal(nvme_connect(&tree.root, &t, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_without_san_has_no_ports, begin, end),
		cmocka_unit_test_setup_teardown(sessions_say_where_they_lead, begin, end),
		cmocka_unit_test_setup_teardown(a_session_that_is_lost_is_not_used, begin, end),
		cmocka_unit_test_setup_teardown(fc_ports_that_are_targets, begin, end),
		cmocka_unit_test_setup_teardown(disks_by_identity_and_by_address, begin, end),
		cmocka_unit_test_setup_teardown(what_is_written_names_one_unit, begin, end),
		cmocka_unit_test_setup_teardown(a_disk_whose_port_is_lost_is_offline, begin, end),
		cmocka_unit_test_setup_teardown(a_name_that_was_given_again_is_not_deleted, begin,
						end),
		cmocka_unit_test(addresses),
		cmocka_unit_test_setup_teardown(namespaces_and_their_paths, begin, end),
		cmocka_unit_test_setup_teardown(what_is_asked_of_the_fabric, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
