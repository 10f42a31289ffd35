/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the agent makes of a guest's config. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/guestfacts.h"
#include "agent/guestparts.h"
#include "util/json.h"

static struct guestconfig config;

static void read_config(enum guest_type type, const char *text)
{
	guestconfig_read(&config, type, slice_of(text));
}

static struct guestfacts facts_of(enum guest_type type, const char *text)
{
	struct guestfacts f;

	read_config(type, text);
	guestfacts_read(&f, &config, 100);
	return f;
}

#define assert_slice(s, text)                            \
	do {                                             \
		assert_int_equal((s).n, strlen(text));   \
		assert_memory_equal((s).p, text, (s).n); \
	} while (0)

/* What one of guestparts' writers writes, as one line. */
static void assert_part(void (*write)(struct jsonw *w, const struct guestconfig *c),
			const char *expected)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;
	json_t *doc = NULL;

	jsonw_begin_row(&w, &out);
	write(&w, &config);
	jsonw_end(&w);
	assert_int_equal(json_parse(buf_slice(&out), "part", &doc, NULL), 0);
	json_decref(doc);
	assert_string_equal(out.data, expected);
}

static void test_defaults_are_proxmox_own(void **state)
{
	struct guestfacts f = facts_of(GUEST_QEMU, "");

	(void)state;
	assert_string_equal(f.own_name, "VM 100");
	assert_int_equal(f.cores, 1);
	assert_int_equal(f.sockets, 1);
	assert_int_equal(f.memory_mb, 512);
	assert_slice(f.ostype, "other");
	assert_slice(f.cpu_type, "kvm64");
	assert_true(f.kvm && f.cores_known);
	assert_int_equal(f.created, 0);
	assert_int_equal(f.n_boot, 0);

	f = facts_of(GUEST_LXC, "");
	assert_string_equal(f.own_name, "CT100");
	assert_int_equal(f.swap_mb, 512);
	assert_slice(f.arch, "amd64");
	assert_false(f.cores_known || f.unprivileged);
}

static void test_values_are_read(void **state)
{
	struct guestfacts f = facts_of(
		GUEST_QEMU, "cores: 4\nsockets: 2\nmemory: current=4096\nkvm: 0\n"
			    "cpu: host,flags=+aes\nmeta: creation-qemu=8,ctime=1700000000\n"
			    "lock: backup\nonboot: yes\n");

	(void)state;
	assert_int_equal(f.cores, 4);
	assert_int_equal(f.sockets, 2);
	assert_int_equal(f.memory_mb, 4096);
	assert_slice(f.cpu_type, "host");
	assert_slice(f.lock, "backup");
	assert_int_equal(f.created, 1700000000);
	assert_true(f.onboot && !f.kvm);
	/* What no machine has is not believed; nor a time that no calendar has. */
	f = facts_of(GUEST_QEMU, "cores: 0\nsockets: 99999999\nmemory: 99999999999999999999\n"
				 "meta: ctime=99999999999999\n");
	assert_int_equal(f.cores, 1);
	assert_int_equal(f.sockets, 1);
	assert_int_equal(f.memory_mb, 512);
	assert_int_equal(f.created, 0);
}

static void assert_boot(const char *text, const char *expected)
{
	CLEANUP(buf_done) struct buf out = {};
	struct guestfacts f = facts_of(GUEST_QEMU, text);

	buf_adds(&out, "");
	for (size_t i = 0; i < f.n_boot; i++)
		buf_addf(&out, "%s" SLICE_FMT, i ? " " : "", SLICE_ARG(f.boot[i]));
	assert_string_equal(buf_str(&out), expected);
}

static void test_boot_order(void **state)
{
	(void)state;
	assert_boot("boot: order=scsi0;ide2\n", "scsi0 ide2");
	assert_boot("boot: cdn\nbootdisk: virtio0\nvirtio0: a:b\nide2: none,media=cdrom\n"
		    "net0: virtio\n",
		    "virtio0 ide2 net0");
	assert_boot("boot: n\nnet1: virtio\nscsi0: a:b\n", "net1");
	/* Nothing said: the first disk, the first cdrom, the networks. */
	assert_boot("scsi3: a:b\nsata0: c:d\nnet0: virtio\n", "scsi3 net0");
	assert_boot("netx: 1\n", "");
}

static void test_tags_are_joined_by_commas(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	guestfacts_tags(SLICE("a;b, c  d;;"), &out);
	assert_string_equal(buf_str(&out), "a,b,c,d");
}

/* The hub takes 255 bytes of UTF-8, and each byte that is none comes out as three. */
static void test_names_have_an_end(void **state)
{
	char text[600] = "name: ";
	struct guestfacts f;

	(void)state;
	for (size_t i = 6; i < 500; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	f = facts_of(GUEST_QEMU, text);
	assert_int_equal(f.name.n, 254);
	memset(text + 6, 0xff, 500);
	f = facts_of(GUEST_QEMU, text);
	assert_int_equal(f.name.n, 85);
}

static void test_the_last_value_and_the_last_section_count(void **state)
{
	struct slice v;

	(void)state;
	read_config(GUEST_QEMU, "cores: 1\ncores: 2\ncdrom: none\n[PENDING]\ncores: 9\n"
				"[one]\nsnaptime: 5\n[PENDING]\ncores: 3\ndelete: a b,!cores\n"
				"[one]\nsnaptime: 7\nparent: two\n#text\n");
	assert_true(guestconfig_get(&config.main, "cores", &v));
	assert_slice(v, "2");
	assert_true(guestconfig_get(&config.main, "ide2", &v));
	assert_int_equal(config.snapshots.n, 1);
	assert_int_equal(config.snapshots.items[0].at, 7);
	assert_slice(guestconfig_snapshot_text(&config, &config.snapshots.items[0]), "text");
	assert_slice(guestconfig_description(&config), "");
	/* cores: 2 -> 3, and cores is to go; a and b are not there. */
	assert_int_equal(guestconfig_pending(&config, NULL, NULL), 2);
}

static void test_drives(void **state)
{
	(void)state;
	read_config(GUEST_QEMU,
		    "scsi0: local-lvm:vm-100-disk-0,size=32G,ro=1,ro=0\nide2: none,media=cdrom\n"
		    "sata1: file=/dev/sdb,size=banana\nunused0: nfs:100/vm-100-disk-3.qcow2\n"
		    "scsi99: x:y\n");
	assert_part(
		guestparts_drives,
		"{\"drives\": [{\"key\": \"ide2\", \"storage\": null, \"volume\": \"none\", "
		"\"media\": \"cdrom\"}, {\"key\": \"sata1\", \"storage\": null, \"volume\": "
		"\"/dev/sdb\", \"media\": \"disk\"}, {\"key\": \"scsi0\", \"storage\": "
		"\"local-lvm\", \"volume\": \"vm-100-disk-0\", \"size\": 34359738368, \"media\": "
		"\"disk\", \"options\": {\"ro\": \"1\"}}, {\"key\": \"unused0\", \"storage\": "
		"\"nfs\", \"volume\": \"100/vm-100-disk-3.qcow2\", \"media\": \"disk\"}]}\n");
	read_config(GUEST_LXC,
		    "rootfs: local-lvm:vm-1-disk-0,size=8G\nmp0: /srv/data,mp=/data,ro=1\n"
		    "mpx: /no\n");
	assert_part(guestparts_mountpoints,
		    "{\"mountpoints\": [{\"key\": \"mp0\", \"storage\": null, \"volume\": "
		    "\"/srv/data\", \"mp\": \"/data\", \"ro\": true}, {\"key\": \"rootfs\", "
		    "\"storage\": \"local-lvm\", \"volume\": \"vm-1-disk-0\", \"mp\": \"/\", "
		    "\"size\": 8589934592}]}\n");
}

static void test_nets(void **state)
{
	(void)state;
	read_config(GUEST_QEMU,
		    "net0: virtio=BC:24:11:12:34:56,bridge=vmbr0,firewall=1,tag=7,queues=4\n"
		    "net1: model=e1000,macaddr=AA:BB:CC:DD:EE:FF\nnet2: virtio\n"
		    "ipconfig0: ip=dhcp,gw6=fe80::1\n");
	assert_part(
		guestparts_nets,
		"{\"nets\": [{\"key\": \"net0\", \"model\": \"virtio\", \"mac\": "
		"\"BC:24:11:12:34:56\", \"bridge\": \"vmbr0\", \"ip\": \"dhcp\", \"gw6\": "
		"\"fe80::1\", \"tag\": 7, \"firewall\": true, \"options\": {\"queues\": \"4\"}}, "
		"{\"key\": \"net1\", \"model\": \"e1000\", \"mac\": \"AA:BB:CC:DD:EE:FF\"}, "
		"{\"key\": \"net2\", \"model\": \"virtio\"}]}\n");
	read_config(GUEST_LXC,
		    "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:12:34:56,ip=10.0.0.2/24,"
		    "gw=10.0.0.1,type=veth,tag=x\n");
	assert_part(
		guestparts_nets,
		"{\"nets\": [{\"key\": \"net0\", \"name\": \"eth0\", \"model\": \"veth\", "
		"\"mac\": \"BC:24:11:12:34:56\", \"bridge\": \"vmbr0\", \"ip\": \"10.0.0.2/24\", "
		"\"gw\": \"10.0.0.1\"}]}\n");
}

static void test_pending_and_snapshots(void **state)
{
	(void)state;
	read_config(GUEST_LXC,
		    "cores: 2\nmemory: 512\nenv: A=1\n[pve:pending]\nmemory: 512\nswap: 1\n"
		    "env: A=2\ndelete: cores\n[before]\nsnaptime: 1690000000\n"
		    "#50%25\n#two\nparent: x\n");
	assert_part(
		guestparts_pending,
		"{\"pending\": [{\"key\": \"env\", \"now\": \"**********\", \"new\": "
		"\"**********\"}, {\"key\": \"swap\", \"now\": null, \"new\": \"1\"}, {\"key\": "
		"\"cores\", \"now\": \"2\", \"new\": null}]}\n");
	assert_part(
		guestparts_snapshots,
		"{\"snapshots\": [{\"name\": \"before\", \"at\": \"2023-07-22T04:26:40Z\", "
		"\"parent\": \"x\", \"vmstate\": null, \"description\": \"50%\\u000atwo\"}]}\n");
}

static void test_secrets_are_masked(void **state)
{
	(void)state;
	read_config(GUEST_QEMU, "cipassword: geheim\nargs: -vnc :1,password-secret=x\nname: a\n");
	assert_part(guestparts_config,
		    "{\"config\": {\"args\": \"**********\", \"cipassword\": \"**********\", "
		    "\"name\": \"a\"}}\n");
	read_config(GUEST_QEMU, "args: -a\n[PENDING]\nargs: -smbios type=11,value=io.systemd."
				"Credential:x=y\ncipassword: geheim\n");
	assert_part(guestparts_pending,
		    "{\"pending\": [{\"key\": \"args\", \"now\": \"-a\", \"new\": \"**********\"}, "
		    "{\"key\": \"cipassword\", \"now\": null, \"new\": \"**********\"}]}\n");
	read_config(GUEST_LXC,
		    "lxc.environment: TOKEN=x\nlxc.environment: B=y\nlxc.idmap: u 0 1 1\n"
		    "lxc.idmap: g 0 1 1\n");
	assert_part(guestparts_config, "{\"config\": {\"lxc.environment\": \"**********\", "
				       "\"lxc.idmap\": \"u 0 1 1\\u000ag 0 1 1\"}}\n");
}

/* As pvesh prints it: a name of digits stays a text, and nothing is taken for a key that is none.
 */
static void test_numbers_of_the_api(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	guestparts_config_typed(
		SLICE("\"config\": {\"description\": \"\\\", \\\"cores\\\": \\\"8\\\\\", \"cores\": \"8\", "
		      "\"cpulimit\": \"1.5\", \"memory\": \"current=2048\", \"name\": \"4711\", "
		      "\"numa\": \"0\", \"onboot\": \"01\", \"sockets\": \"\", \"swap\": \"512\"}"),
		&out);
	assert_string_equal(
		buf_str(&out),
		"\"config\": {\"description\": \"\\\", \\\"cores\\\": \\\"8\\\\\", \"cores\": 8, "
		"\"cpulimit\": \"1.5\", \"memory\": \"current=2048\", \"name\": \"4711\", "
		"\"numa\": 0, \"onboot\": \"01\", \"sockets\": \"\", \"swap\": 512}");
	buf_reset(&out);
	guestparts_config_typed(SLICE("\"config\": {}"), &out);
	assert_string_equal(buf_str(&out), "\"config\": {}");
}

static void test_a_huge_config_stays_small(void **state)
{
	CLEANUP(buf_done) struct buf text = {}, out = {};
	struct jsonw w;

	(void)state;
	for (int i = 0; i < 60000; i++)
		buf_addf(&text, "net%d: \001\001\001\n", i);
	buf_adds(&text, "[PENDING]\n");
	for (int i = 0; i < 60000; i++)
		buf_addf(&text, "x%d: y\n", i);
	guestconfig_read(&config, GUEST_QEMU, buf_slice(&text));
	jsonw_begin_row(&w, &out);
	guestparts_nets(&w, &config);
	guestparts_pending(&w, &config);
	guestparts_config(&w, &config);
	jsonw_end(&w);
	assert_true(out.len < 512 * 1024);
}

static int free_config(void **state)
{
	(void)state;
	guestconfig_done(&config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_proxmox_own),
		cmocka_unit_test(test_values_are_read),
		cmocka_unit_test(test_boot_order),
		cmocka_unit_test(test_tags_are_joined_by_commas),
		cmocka_unit_test(test_names_have_an_end),
		cmocka_unit_test(test_the_last_value_and_the_last_section_count),
		cmocka_unit_test(test_drives),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_pending_and_snapshots),
		cmocka_unit_test(test_secrets_are_masked),
		cmocka_unit_test(test_numbers_of_the_api),
		cmocka_unit_test(test_a_huge_config_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, free_config);
}
