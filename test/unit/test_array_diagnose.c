/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The node's half of the diagnosis, on nodes made of files, and multipath.conf as it is read. */

#include "array/diagnose.h"
#include "array/mpconf.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/file.h"

static void put(const struct tree *t, const char *path, const char *text)
{
	tree_write_n(t, path, text, strlen(text));
}

/* The worst level of the lines whose text holds @words; -1 without any. */
static int level_of(const struct diagnosis *d, const char *words)
{
	int ret = -1;

	for (size_t i = 0; i < d->n; i++)
		if (strstr(d->items[i].what, words) && (int)d->items[i].level > ret)
			ret = (int)d->items[i].level;
	return ret;
}

static bool advises(const struct diagnosis *d, const char *words)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].remedy && strstr(d->items[i].remedy, words))
			return true;
	return false;
}

static void one_array(struct diagnosis *d, const struct fa_host *host, struct fa_port *ports,
		      size_t n)
{
	*d = (struct diagnosis){ .storage = "pure",
				 .arrays = { { .url = "https://fa1",
					       .has_host = true,
					       .has_ports = true,
					       .host = *host,
					       .ports = { ports, n } } },
				 .n_arrays = 1 };
}

static void session(const struct tree *t, int id, const char *address, const char *state)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "sys/class/iscsi_session/session%d/targetname", id);
	put(t, path, "iqn.2010-06.com.purestorage:flasharray.1\n");
	(void)snprintf(path, sizeof(path), "sys/class/iscsi_session/session%d/state", id);
	put(t, path, state);
	(void)snprintf(path, sizeof(path),
		       "sys/class/iscsi_connection/connection%d:0/persistent_address", id);
	put(t, path, address);
	(void)snprintf(path, sizeof(path),
		       "sys/class/iscsi_connection/connection%d:0/persistent_port", id);
	put(t, path, "3260\n");
}

/* All ports have one IQN: a session to one of them does not stand for the other. */
static void iscsi(void **state)
{
	static const char *iqns[] = { "iqn.1993-08.org.debian:01:a" };
	struct fa_host host = { .name = "pve1", .iqns = iqns, .n_iqns = 1 };
	struct fa_port ports[] = {
		{ .iqn = "iqn.2010-06.com.purestorage:flasharray.1", .portal = "10.0.0.1:3260" },
		{ .iqn = "iqn.2010-06.com.purestorage:flasharray.1", .portal = "10.0.0.2:3260" },
	};
	struct array_conf conf = { .protocol = ARRAY_ISCSI, .host = "pve1" };
	struct diagnosis d;
	struct tree t;

	(void)state;
	tree_make(&t);
	put(&t, "etc/iscsi/initiatorname.iscsi",
	    "# x\nInitiatorName=iqn.1993-08.org.debian:01:a\n");
	put(&t, "etc/iscsi/iscsid.conf", "node.session.scan = manual\n");
	session(&t, 1, "10.0.0.1\n", "LOGGED_IN\n");
	one_array(&d, &host, ports, 2);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "has this node's initiator"), DIAGNOSIS_OK);
	assert_int_equal(level_of(&d, "1 of 2 ports are connected; not 10.0.0.2:3260"),
			 DIAGNOSIS_WARNING);
	assert_int_equal(level_of(&d, "iscsid scans"), -1);
	assert_int_equal(diagnosis_exit(&d), 1);
	diagnosis_done(&d);

	session(&t, 2, "10.0.0.2\n", "LOGGED_IN\n");
	one_array(&d, &host, ports, 2);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "all 2 ports"), DIAGNOSIS_OK);
	assert_int_equal(diagnosis_exit(&d), 0);
	diagnosis_done(&d);

	/* The name was changed, and one of the two sessions is of before. */
	put(&t, "sys/class/iscsi_session/session1/initiatorname", "iqn.1993-08.org.debian:01:a\n");
	put(&t, "sys/class/iscsi_session/session2/initiatorname",
	    "iqn.1993-08.org.debian:01:old\n");
	one_array(&d, &host, ports, 2);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "the session to 10.0.0.2:3260 is logged in as "
				      "iqn.1993-08.org.debian:01:old"),
			 DIAGNOSIS_BAD);
	assert_int_equal(level_of(&d, "the session to 10.0.0.1:3260"), -1);
	diagnosis_done(&d);

	session(&t, 1, "10.0.0.1\n", "FAILED\n");
	session(&t, 2, "10.0.0.2\n", "FAILED\n");
	iqns[0] = "iqn.1993-08.org.debian:01:b";
	one_array(&d, &host, ports, 2);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "lacks this node's initiator"), DIAGNOSIS_BAD);
	assert_true(advises(&d, "purehost setattr --addiqnlist iqn.1993-08.org.debian:01:a pve1;"));
	assert_int_equal(level_of(&d, "0 of 2 ports"), DIAGNOSIS_BAD);
	assert_int_equal(diagnosis_exit(&d), 2);
	diagnosis_done(&d);
	tree_done(&t);
}

static void fc(void **state)
{
	static const char *wwns[] = { "10:00:00:00:C9:AA:BB:CC" };
	struct fa_host host = { .name = "pve1", .wwns = wwns, .n_wwns = 1 };
	struct fa_port ports[] = { { .wwn = "52:4A:93:70:00:00:00:01" } };
	struct array_conf conf = { .protocol = ARRAY_FC, .host = "pve1" };
	struct diagnosis d;
	struct tree t;

	(void)state;
	tree_make(&t);
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "no Fibre Channel port"), DIAGNOSIS_BAD);
	diagnosis_done(&d);

	put(&t, "sys/class/fc_host/host3/port_name", "0x10000000c9aabbcc\n");
	put(&t, "sys/class/fc_host/host3/port_state", "Online\n");
	put(&t, "sys/class/fc_remote_ports/rport-3:0-1/port_name", "0x524a937000000001\n");
	put(&t, "sys/class/fc_remote_ports/rport-3:0-1/port_state", "Online\n");
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(diagnosis_exit(&d), 0);
	assert_int_equal(level_of(&d, "has this node's initiator"), DIAGNOSIS_OK);
	assert_int_equal(level_of(&d, "all 1 ports"), DIAGNOSIS_OK);
	diagnosis_done(&d);

	host.n_wwns = 0;
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_true(advises(&d, "purehost setattr --addwwnlist 10000000c9aabbcc pve1;"));
	diagnosis_done(&d);
	tree_done(&t);
}

static void nvme(void **state)
{
	static const char *nqns[] = { "nqn.2014-08.org.nvmexpress:uuid:1" };
	struct fa_host host = { .name = "pve1", .nqns = nqns, .n_nqns = 1 };
	struct fa_port ports[] = { { .nqn = "nqn.2010-06.com.purestorage:flasharray.1",
				     .portal = "10.0.0.1:4420" } };
	struct array_conf conf = { .protocol = ARRAY_NVME_TCP, .host = "pve1" };
	struct diagnosis d;
	struct tree t;

	(void)state;
	tree_make(&t);
	put(&t, "etc/nvme/hostnqn", "nqn.2014-08.org.nvmexpress:uuid:1\n");
	put(&t, "dev/nvme-fabrics", "");
	put(&t, "sys/module/nvme_core/parameters/multipath", "Y\n");
	put(&t, "sys/class/nvme/nvme0/transport", "tcp\n");
	put(&t, "sys/class/nvme/nvme0/subsysnqn", "nqn.2010-06.com.purestorage:flasharray.1\n");
	put(&t, "sys/class/nvme/nvme0/state", "live\n");
	put(&t, "sys/class/nvme/nvme0/address", "traddr=10.0.0.1,trsvcid=4420,src_addr=10.0.0.9\n");
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(diagnosis_exit(&d), 0);
	assert_int_equal(level_of(&d, "all 1 ports"), DIAGNOSIS_OK);
	diagnosis_done(&d);
	put(&t, "sys/module/nvme_core/parameters/multipath", "N\n");
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "multipathing is off"), DIAGNOSIS_BAD);
	assert_int_equal(level_of(&d, "/dev/nvme-fabrics"), -1);
	diagnosis_done(&d);
	assert_int_equal(unlinkat(t.root.fd, "dev/nvme-fabrics", 0), 0);
	one_array(&d, &host, ports, 1);
	diagnose_links(&d, &t.root, &conf);
	assert_int_equal(level_of(&d, "/dev/nvme-fabrics is not there"), DIAGNOSIS_BAD);
	diagnosis_done(&d);
	tree_done(&t);
}

/* Said before a guest starts: the kernel would have the paths of one array alone. */
static void nvme_of_two(void **state)
{
	struct fa_port ports[] = {
		{ .nqn = "nqn.2010-06.com.purestorage:flasharray.1", .portal = "10.0.0.1:4420" },
		{ .nqn = "nqn.2010-06.com.purestorage:flasharray.2", .portal = "10.0.1.1:4420" }
	};
	struct array_conf conf = { .protocol = ARRAY_NVME_TCP, .host = "pve1", .prefix = "pod::" };
	struct fa_host host = { .name = "pve1" };
	struct tree t;

	(void)state;
	tree_make(&t);
	for (int same = 0; same < 2; same++) {
		struct diagnosis d;

		if (same)
			ports[1].nqn = ports[0].nqn;
		one_array(&d, &host, ports, 1);
		d.arrays[1] = d.arrays[0];
		d.arrays[1].ports.items = &ports[1];
		d.n_arrays = 2;
		diagnose_links(&d, &t.root, &conf);
		assert_int_equal(level_of(&d, "two NVMe subsystems"), same ? -1 : DIAGNOSIS_BAD);
		diagnosis_done(&d);
		/* A volume group is on the first array alone. */
		one_array(&d, &host, ports, 1);
		d.arrays[1] = d.arrays[0];
		d.arrays[1].ports.items = &ports[1];
		d.n_arrays = 2;
		diagnose_links(&d, &t.root,
			       &(struct array_conf){ .protocol = ARRAY_NVME_TCP,
						     .host = "pve1",
						     .prefix = "vg/" });
		assert_int_equal(level_of(&d, "two NVMe subsystems"), -1);
		diagnosis_done(&d);
	}
	tree_done(&t);
}

/* What one multipath.conf amounts to. */
static int multipath(const char *text, const char *words)
{
	struct array_conf conf = { .protocol = ARRAY_ISCSI, .multipath = true };
	struct diagnosis d = {};
	struct tree t;
	int ret;

	tree_make(&t);
	put(&t, "proc/net/unix", "0: 2 0 10000 1 1 1 @/org/kernel/linux/storage/multipathd\n");
	put(&t, "etc/multipath.conf", text);
	diagnose_multipath(&d, &t.root, &conf, NULL);
	assert_int_equal(level_of(&d, "multipathd runs"), DIAGNOSIS_OK);
	ret = level_of(&d, words);
	diagnosis_done(&d);
	tree_done(&t);
	return ret;
}

static void multipath_conf(void **state)
{
	(void)state;
	assert_int_equal(multipath("", "find_multipaths is strict"), DIAGNOSIS_OK);
	assert_int_equal(multipath("defaults {\n find_multipaths no\n}\n", "find_multipaths is no"),
			 DIAGNOSIS_OK);
	assert_int_equal(multipath("defaults {\n find_multipaths \"smart\" # x\n}\n", "is smart"),
			 DIAGNOSIS_WARNING);
	assert_int_equal(multipath("blacklist { devnode \"^sd[a-z]\" }\n", "keeps our volumes"),
			 DIAGNOSIS_BAD);
	assert_int_equal(multipath("blacklist {\n wwid .*\n}\nblacklist_exceptions {\n"
				   " wwid \"3624a9370.*\"\n}\n",
				   "has an exception"),
			 DIAGNOSIS_OK);
	assert_int_equal(
		multipath("blacklist {\n device {\n  vendor \"IBM\"\n }\n}\n", "does not name"),
		DIAGNOSIS_OK);
	assert_int_equal(multipath("defaults {\n no_path_retry queue\n}\n", "hangs for ever"),
			 DIAGNOSIS_WARNING);
	assert_int_equal(multipath("defaults {\n no_path_retry queue\n}\ndevices {\n device {\n"
				   "  vendor \"PURE\"\n  product \"FlashArray\"\n"
				   "  no_path_retry 10\n }\n}\n",
				   "no_path_retry is 10"),
			 DIAGNOSIS_OK);
	assert_int_equal(multipath("devices { device { vendor \"PURE\" no_path_retry 0 } }\n",
				   "guests get errors"),
			 DIAGNOSIS_WARNING);
}

/* The level of what is said of the package's own file; @text NULL: there is none. */
static int shipped(const char *text, const char *words)
{
	struct array_conf conf = { .protocol = ARRAY_ISCSI, .multipath = true };
	struct diagnosis d = {};
	struct tree t;
	int ret;

	tree_make(&t);
	if (text)
		put(&t, "etc/multipath/conf.d/pvewarden-purestorage.conf", text);
	diagnose_multipath(&d, &t.root, &conf, NULL);
	ret = level_of(&d, words);
	diagnosis_done(&d);
	tree_done(&t);
	return ret;
}

static void read_shipped(struct buf *ret)
{
	assert_int_equal(file_read_at(AT_FDCWD, FIXTURES "/../../units/multipath-purestorage.conf",
				      65536, ret),
			 0);
}

static void multipath_shipped(void **state)
{
	CLEANUP(buf_done) struct buf ours = {};

	(void)state;
	read_shipped(&ours);
	assert_int_equal(shipped(buf_str(&ours), "pvewarden-purestorage.conf is there, version"),
			 DIAGNOSIS_OK);
	assert_int_equal(shipped(buf_str(&ours), "no_path_retry is 12"), DIAGNOSIS_OK);
	assert_int_equal(shipped(NULL, "pvewarden-purestorage.conf"), DIAGNOSIS_WARNING);
	assert_int_equal(shipped("# mine\ndevices {\n}\n", "which version it is"),
			 DIAGNOSIS_WARNING);
	assert_int_equal(shipped("# pvewarden multipath x\n", "which version it is"),
			 DIAGNOSIS_WARNING);
	assert_int_equal(shipped("", "which version it is"), DIAGNOSIS_WARNING);
	assert_int_equal(shipped("# pvewarden multipath 99\n", "is version 99, and"),
			 DIAGNOSIS_WARNING);
}

/* A blacklist is lifted by exceptions of its own kind alone; the package's file has two kinds. */
static void multipath_blacklist(void **state)
{
	static const struct {
		const char *conf;
		int level;
	} rows[] = {
		{ "", DIAGNOSIS_OK },
		{ "blacklist { devnode \"^sd[a-z]\" }", DIAGNOSIS_BAD },
		{ "blacklist { devnode \"^(ram|loop|sda$)\" }", DIAGNOSIS_OK },
		{ "blacklist { devnode \"!^(sd[a-z]|dasd[a-z])\" }", DIAGNOSIS_OK },
		{ "blacklist { devnode \".*\" }\nblacklist_exceptions { devnode \"^sd[a-z]+\" }",
		  DIAGNOSIS_OK },
		{ "blacklist { devnode \".*\" }\nblacklist_exceptions { devnode \"^sda$\" }",
		  DIAGNOSIS_BAD },
		{ "blacklist { wwid \".*\" }", DIAGNOSIS_OK },
		{ "blacklist { device { vendor \".*\" product \".*\" } }", DIAGNOSIS_OK },
		{ "blacklist { protocol \"scsi:(iscsi|sas)\" }", DIAGNOSIS_BAD },
		{ "blacklist { protocol \"scsi:fcp\" }", DIAGNOSIS_OK },
		{ "blacklist { property \"ID_SERIAL\" }", DIAGNOSIS_BAD },
		{ "blacklist { property \"ID_ATA\" }", DIAGNOSIS_OK },
	};
	struct array_conf conf = { .protocol = ARRAY_ISCSI, .multipath = true };
	CLEANUP(buf_done) struct buf ours = {};

	(void)state;
	read_shipped(&ours);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct diagnosis d = {};
		struct tree t;

		tree_make(&t);
		put(&t, "etc/multipath.conf", rows[i].conf);
		put(&t, "etc/multipath/conf.d/pvewarden-purestorage.conf", buf_str(&ours));
		diagnose_multipath(&d, &t.root, &conf, NULL);
		if (level_of(&d, "blacklist") != rows[i].level)
			fail_msg("%s", rows[i].conf);
		diagnosis_done(&d);
		tree_done(&t);
	}
}

/* What multipathd itself goes by, where that is not what the files say. */
static void multipath_in_force(void **state)
{
	static const struct {
		const char *running;
		int level;
		const char *recheck;
		int rechecks;
	} rows[] = {
		{ NULL, DIAGNOSIS_OK, "recheck_wwid is yes", DIAGNOSIS_OK },
		{ "devices {\n\tdevice {\n\t\tvendor \"PURE\"\n\t\tproduct \"FlashArray\"\n"
		  "\t\tno_path_retry 12\n\t\trecheck_wwid \"yes\"\n\t}\n}\n",
		  DIAGNOSIS_OK, "recheck_wwid is yes", DIAGNOSIS_OK },
		{ "defaults {\n\trecheck_wwid \"no\"\n}\ndevices {\n\tdevice {\n"
		  "\t\tvendor \"PURE\"\n\t\tproduct \"FlashArray\"\n"
		  "\t\tno_path_retry \"fail\"\n\t}\n}\n",
		  DIAGNOSIS_WARNING, "recheck_wwid is not in force", DIAGNOSIS_WARNING },
		{ "devices {\n\tdevice {\n\t\tvendor \"PURE\"\n\t}\n}\n", DIAGNOSIS_WARNING,
		  "recheck_wwid is not in force", DIAGNOSIS_WARNING },
	};
	struct array_conf conf = { .protocol = ARRAY_ISCSI, .multipath = true };
	CLEANUP(buf_done) struct buf ours = {};

	(void)state;
	read_shipped(&ours);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct diagnosis d = {};
		struct tree t;

		tree_make(&t);
		put(&t, "etc/multipath/conf.d/pvewarden-purestorage.conf", buf_str(&ours));
		diagnose_multipath(&d, &t.root, &conf, rows[i].running);
		if (level_of(&d, "no_path_retry") != rows[i].level)
			fail_msg("row %zu", i);
		/* What multipathd says goes before what the files say. */
		assert_int_equal(level_of(&d, rows[i].recheck), rows[i].rechecks);
		diagnosis_done(&d);
		tree_done(&t);
	}
}

static void lvm(void **state)
{
	static const struct {
		const char *text;
		int level;
		const char *local; /* lvmlocal.conf, which goes before it */
		enum array_protocol protocol;
	} rows[] = {
		{ "devices {\n}\n", DIAGNOSIS_WARNING },
		/* As the old plugin's documentation has it. */
		{ "devices {\n}\n", DIAGNOSIS_OK,
		  "devices {\n  global_filter=[\"r|/dev/zd.*|\",\"r|/dev/rbd.*|\",\n"
		  "                 \"r|/dev/mapper/3624a9370.*|\"]\n}\n" },
		{ "global_filter = [ \"r|/dev/mapper/3624a9370.*|\" ]\n", DIAGNOSIS_WARNING,
		  "global_filter=[\"r|/dev/sd[ab]|\", # 3624a9370\n\"r|/dev/rbd.*|\"]\n"
		  "# \"r|/dev/mapper/3624a9370.*|\"]\n" },
		{ "global_filter=[\"r|/dev/sd[ab]|\",\n\"r|/dev/mapper/3624a9370.*|\"",
		  DIAGNOSIS_OK },
		{ "\tglobal_filter = [ \"r|/dev/mapper/3624a9370.*|\" ]\n", DIAGNOSIS_OK },
		{ "# global_filter = [ \"r|3624a9370|\" ]\n", DIAGNOSIS_WARNING },
		{ "\tuse_devicesfile = 1\n", DIAGNOSIS_OK },
		/* A namespace has another name. */
		{ "global_filter=[\"r|/dev/mapper/3624a9370.*|\"]", DIAGNOSIS_WARNING, NULL,
		  ARRAY_NVME_TCP },
		{ "global_filter=[\"r|/dev/disk/by-id/nvme-eui.*24a937.*|\"]", DIAGNOSIS_OK, NULL,
		  ARRAY_NVME_TCP },
		{ "global_filter=[\"r|/dev/disk/by-id/nvme-eui.*24a937.*|\"]", DIAGNOSIS_WARNING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct diagnosis d = {};
		struct tree t;

		tree_make(&t);
		put(&t, "etc/lvm/lvm.conf", rows[i].text);
		if (rows[i].local)
			put(&t, "etc/lvm/lvmlocal.conf", rows[i].local);
		diagnose_lvm(&d, &t.root, rows[i].protocol);
		assert_int_equal(d.n, 1);
		assert_int_equal(d.items[0].level, rows[i].level);
		diagnosis_done(&d);
		tree_done(&t);
	}
}

static void where_the_token_stands(void **state)
{
	struct array_conf conf = { .storage = "pure" };
	struct diagnosis d = { .storage = "pure" };

	(void)state;
	diagnose_secret(&d, &conf);
	assert_int_equal(level_of(&d, "storage.cfg"), DIAGNOSIS_WARNING);
	assert_string_equal(d.items[0].remedy, "pvewarden array token pure --move");
	diagnosis_done(&d);
	d = (struct diagnosis){ .storage = "pure" };
	conf.shared_secrets = true;
	diagnose_secret(&d, &conf);
	assert_int_equal(diagnosis_exit(&d), 0);
	assert_int_equal(d.n, 1);
	diagnosis_done(&d);
}

static void remedies_name_the_storage(void **state)
{
	struct diagnosis d = { .storage = "pure" };
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	diagnosis_add(&d, DIAGNOSIS_BAD, "x", "pvesm set STORAGE --token T", "a\033b");
	assert_string_equal(d.items[0].remedy, "pvesm set pure --token T");
	diagnosis_show(&d, 80, false, &out);
	assert_null(strchr(out.data, '\033'));
	diagnosis_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iscsi),
		cmocka_unit_test(fc),
		cmocka_unit_test(nvme),
		cmocka_unit_test(nvme_of_two),
		cmocka_unit_test(multipath_conf),
		cmocka_unit_test(multipath_shipped),
		cmocka_unit_test(multipath_blacklist),
		cmocka_unit_test(multipath_in_force),
		cmocka_unit_test(lvm),
		cmocka_unit_test(remedies_name_the_storage),
		cmocka_unit_test(where_the_token_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
