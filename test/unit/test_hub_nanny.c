/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/nanny.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "util/file.h"
#include "util/json.h"

enum { NOW = 1795269600 };

/* Both as JSON: the same whatever the order of members. */
static bool same(const char *got, const char *wanted)
{
	json_t *a = json_loads(got, 0, NULL), *b = json_loads(wanted, 0, NULL);
	bool equal = a && b && json_equal(a, b);

	json_decref(a);
	json_decref(b);
	return equal;
}

static void expect(enum store_object kind, struct slice in, const char *wanted)
{
	CLEANUP(buf_done) struct buf out = {};
	struct check_fault fault = {};

	if (nanny_read(kind, in, NOW, &out, &fault) < 0)
		fail_msg(SLICE_FMT ": %s at %s", SLICE_ARG(in), fault.why, fault.path);
	if (!same(buf_str(&out), wanted))
		fail_msg(SLICE_FMT "\nis   %s\nwant %s", SLICE_ARG(in), buf_str(&out), wanted);
}

static void expect_file(enum store_object kind, const char *name, const char *wanted)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/nanny/%s", FIXTURES, name);
	assert_int_equal(file_read_at(AT_FDCWD, path, 1 << 20, &text), 0);
	expect(kind, buf_slice(&text), wanted);
}

/* The four examples of the seed document, word for word. */
static void seed_examples(void **state)
{
	(void)state;
	expect_file(STORE_CLUSTER, "cluster.json",
		    "{\"cluster\":{\"name\":\"production-cluster\",\"id\":\"cluster\",\"nodes\":3,"
		    "\"quorate\":true,\"version\":7}}");
	expect_file(STORE_NODE, "node.json",
		    "{\"node\":{\"name\":\"pve-node-01\",\"node_id\":1,\"ip\":\"10.0.1.10\","
		    "\"online\":true,\"local\":true,\"level\":\"\","
		    "\"pve_version\":\"pve-manager/7.4-3/9002ab8a\"}}");
	expect_file(
		STORE_LXC, "lxc.json",
		"{\"guest\":{\"type\":\"lxc\",\"vmid\":100,\"node\":\"pve-node-01\","
		"\"name\":\"web-prod-01\",\"status\":\"running\",\"uptime\":86400,\"cpu_cores\":4,"
		"\"memory_mb\":8192,\"swap_mb\":2048,"
		"\"rootfs\":\"local-lvm:vm-100-disk-0,size=32G\","
		"\"net0\":\"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.1.1,hwaddr=BC:24:11:12:34:56,"
		"ip=10.0.1.100/24,type=veth\",\"ostype\":\"ubuntu\",\"arch\":\"amd64\","
		"\"hostname\":\"web-prod-01\",\"searchdomain\":\"example.com\","
		"\"nameserver\":\"8.8.8.8 8.8.4.4\",\"features\":\"nesting=1,keyctl=1\","
		"\"unprivileged\":true,\"protection\":false,\"tags\":\"production;web;nginx\","
		"\"timezone\":\"America/New_York\",\"config\":{\"arch\":\"amd64\",\"cores\":4,"
		"\"features\":\"nesting=1,keyctl=1\",\"hostname\":\"web-prod-01\",\"memory\":8192,"
		"\"mp0\":\"/mnt/storage,mp=/data,backup=1\",\"nameserver\":\"8.8.8.8 8.8.4.4\","
		"\"net0\":\"name=eth0,bridge=vmbr0,firewall=1,gw=10.0.1.1,hwaddr=BC:24:11:12:34:56,"
		"ip=10.0.1.100/24,type=veth\",\"ostype\":\"ubuntu\",\"protection\":0,"
		"\"rootfs\":\"local-lvm:vm-100-disk-0,size=32G\",\"searchdomain\":\"example.com\","
		"\"swap\":2048,\"tags\":\"production;web;nginx\",\"timezone\":\"America/New_York\","
		"\"unprivileged\":1}}}");
	expect_file(
		STORE_QEMU, "qemu.json",
		"{\"guest\":{\"type\":\"qemu\",\"vmid\":200,\"node\":\"pve-node-01\","
		"\"name\":\"db-prod-01\",\"status\":\"running\",\"uptime\":172800,\"cpu_cores\":8,"
		"\"memory_mb\":32768,\"protection\":false,"
		"\"net0\":\"virtio=BC:24:11:AB:CD:EF,bridge=vmbr0,firewall=1\",\"ostype\":\"l26\","
		"\"vmgenid\":\"\",\"kvm\":true,\"boot\":\"order=scsi0;ide2;net0\",\"cpu\":\"host\","
		"\"tags\":\"production;database;postgresql\",\"config\":{"
		"\"agent\":\"enabled=1,fstrim_cloned_disks=1\",\"boot\":\"order=scsi0;ide2;net0\","
		"\"bootdisk\":\"scsi0\",\"cores\":8,\"cpu\":\"host\",\"machine\":\"pc-i440fx-7.2\","
		"\"ostype\":\"l26\",\"sockets\":2,"
		"\"scsi0\":\"local-lvm:vm-200-disk-0,iothread=1,size=500G\","
		"\"net0\":\"virtio=BC:24:11:AB:CD:EF,bridge=vmbr0,firewall=1\","
		"\"tags\":\"production,database,postgresql\"}}}");
}

/* What the real agent sends; quorum lost is 0 and has to arrive. */
static void real_agent(void **state)
{
	(void)state;
	expect(STORE_CLUSTER,
	       SLICE("{\"name\":\"prod\",\"nodes\":3,\"quorate\":0,\"version\":7,"
		     "\"px_cluster_id\":\"cluster\"}"),
	       "{\"cluster\":{\"name\":\"prod\",\"id\":\"cluster\",\"nodes\":3,\"quorate\":false,"
	       "\"version\":7}}");
	expect(STORE_NODE,
	       SLICE("{\"agent_id\":\"\",\"ip\":\"10.0.0.1\",\"level\":\"c\",\"local\":1,"
		     "\"name\":\"pve1\",\"nodeid\":2,\"online\":1,\"pveversion\":\"pve-manager/8\"}"),
	       "{\"node\":{\"name\":\"pve1\",\"node_id\":2,\"ip\":\"10.0.0.1\",\"online\":true,"
	       "\"local\":true,\"level\":\"c\",\"pve_version\":\"pve-manager/8\"}}");
	expect(STORE_LXC,
	       SLICE("{\"agent_id\":\"\",\"node_id\":\"\",\"name\":\"a\",\"lxc_id\":\"lxc/100\","
		     "\"status\":\"stopped\",\"ostype\":\"\",\"uptime\":0,\"vmid\":100,"
		     "\"node\":\"pve1\"}"),
	       "{\"guest\":{\"type\":\"lxc\",\"vmid\":100,\"node\":\"pve1\",\"name\":\"a\","
	       "\"status\":\"stopped\",\"uptime\":0,\"memory_mb\":512,\"swap_mb\":512,\"rootfs\":"
	       "\"\",\"net0\":\"\",\"ostype\":\"unmanaged\",\"arch\":\"amd64\",\"hostname\":\"\","
	       "\"searchdomain\":\"\",\"nameserver\":\"\",\"features\":\"\",\"unprivileged\":false,"
	       "\"protection\":false,\"tags\":\"\",\"timezone\":\"\",\"config\":{}}}");
	expect(STORE_QEMU,
	       SLICE("{\"agent_id\":\"\",\"node_id\":\"\",\"name\":\"\",\"qemu_id\":\"qemu/101\","
		     "\"status\":\"running\",\"ostype\":\"win11\",\"uptime\":5,\"vmid\":101,"
		     "\"node\":\"pve1\",\"vmgenid\":\"abc\",\"cpu\":\"host\"}"),
	       "{\"guest\":{\"type\":\"qemu\",\"vmid\":101,\"node\":\"pve1\",\"name\":\"VM 101\","
	       "\"status\":\"running\",\"uptime\":5,\"cpu_cores\":1,\"memory_mb\":512,\"net0\":"
	       "\"\",\"ostype\":\"win11\",\"vmgenid\":\"abc\",\"kvm\":true,\"boot\":\"cdn\","
	       "\"cpu\":\"host\",\"protection\":false,\"tags\":\"\",\"config\":{}}}");
}

/* Our own agent's additions. */
static void additions(void **state)
{
	(void)state;
	expect(STORE_NODE,
	       SLICE("{\"name\":\"pve1\",\"collected_at\":\"2026-11-21T14:00:00Z\","
		     "\"cluster_uuid\":\"u-1\",\"cluster_name\":\"prod\",\"uptime\":7,"
		     "\"loadavg\":[\"0.5\",1,0.25],\"cpu\":0.5,\"iowait\":0,"
		     "\"memory\":{\"total\":10,\"used\":null},\"kversion\":\"Linux 6\"}"),
	       "{\"collected_at\":\"2026-11-21T14:00:00Z\",\"node\":{\"name\":\"pve1\",\"node_id\":0,"
	       "\"ip\":\"\",\"online\":true,\"local\":true,\"level\":\"\",\"pve_version\":\"\","
	       "\"cluster_uuid\":\"u-1\",\"cluster_name\":\"prod\",\"host\":{\"uptime\":7,"
	       "\"loadavg\":[0.5,1.0,0.25],\"cpu\":0.5,\"iowait\":0.0,\"memory\":{\"total\":10},"
	       "\"kversion\":\"Linux 6\"}}}");
}

/* One member of a container, in and out. */
struct one {
	const char *sent, *member, *value;
};

static void tolerated(void **state)
{
	static const struct one cases[] = {
		{ "\"uptime\":\"86400\"", "uptime", "86400" },
		{ "\"uptime\":86400.0", "uptime", "86400" },
		{ "\"uptime\":null", "uptime", "0" },
		{ "\"uptime\":\"\"", "uptime", "0" },
		{ "\"unprivileged\":1", "unprivileged", "true" },
		{ "\"unprivileged\":\"1\"", "unprivileged", "true" },
		{ "\"unprivileged\":0", "unprivileged", "false" },
		{ "\"config\":{\"unprivileged\":1}", "unprivileged", "true" },
		{ "\"unprivileged\":false,\"config\":{\"unprivileged\":1}", "unprivileged",
		  "false" },
		{ "\"tags\":\"a,b\"", "tags", "\"a;b\"" },
		{ "\"tags\":\"a;b\"", "tags", "\"a;b\"" },
		{ "\"tags\":\" a ,, b;\"", "tags", "\"a;b\"" },
		{ "\"tags\":\";\"", "tags", "\"\"" },
		{ "\"config\":{\"tags\":\"x;y\"}", "tags", "\"x;y\"" },
		{ "\"name\":17", "name", "\"17\"" },
		{ "\"config\":{\"hostname\":\"h\"}", "name", "\"h\"" },
		{ "\"memory_mb\":\"2048\"", "memory_mb", "2048" },
		{ "\"config\":{\"memory\":\"current=4096,max=8192\"}", "memory_mb", "4096" },
		{ "\"config\":{\"memory\":\"what\"}", "memory_mb", "512" },
		{ "\"config\":{\"swap\":0}", "swap_mb", "0" },
		{ "\"status\":\"\"", "status", "\"unknown\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct check_fault fault = {};
		json_t *doc, *want;
		char in[512];

		(void)snprintf(in, sizeof(in), "{\"vmid\":100,\"node\":\"n\",%s}", cases[i].sent);
		if (nanny_read(STORE_LXC, slice_of(in), NOW, &out, &fault) < 0)
			fail_msg("%s: %s at %s", in, fault.why, fault.path);
		doc = json_loads(buf_str(&out), 0, NULL);
		want = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
		if (!json_equal(json_object_get(json_obj(doc, "guest"), cases[i].member), want))
			fail_msg("%s: %s", in, buf_str(&out));
		json_decref(doc);
		json_decref(want);
	}
}

static void refused(void **state)
{
	static const struct {
		enum store_object kind;
		const char *in;
		unsigned int status;
		const char *path;
	} cases[] = {
		{ STORE_CLUSTER, "", 400, "$" },
		{ STORE_CLUSTER, "[]", 422, "$" },
		{ STORE_CLUSTER, "{}", 422, "$" },
		{ STORE_CLUSTER, "{\"name\":\"\"}", 422, "$" },
		{ STORE_CLUSTER, "{\"name\":{}}", 422, "$.name" },
		{ STORE_NODE, "{\"name\":\"n\",\"cpu\":1e200}", 422, "$.cpu" },
		{ STORE_NODE, "{\"name\":\"n\",\"loadavg\":[\"0\",\"-2e18\"]}", 422, "$.loadavg" },
		{ STORE_CLUSTER, "{\"cluster_name\":[],\"name\":\"x\"}", 422, "$.cluster_name" },
		{ STORE_CLUSTER, "{\"name\":\"x\",\"quorate\":2}", 422, "$.quorate" },
		{ STORE_CLUSTER, "{\"name\":\"x\",\"quorate\":\"yes\"}", 422, "$.quorate" },
		{ STORE_CLUSTER, "{\"name\":\"x\",\"nodes\":-1}", 422, "$.nodes" },
		{ STORE_CLUSTER, "{\"name\":\"x\",\"nodes\":1.5}", 422, "$.nodes" },
		{ STORE_CLUSTER, "{\"name\":\"a\\nb\"}", 422, "$.name" },
		{ STORE_CLUSTER, "{\"cluster_name\":\"x\",\"cluster_uuid\":\"a\\u0001\"}", 422,
		  "$.cluster_uuid" },
		{ STORE_NODE, "{\"name\":\"a\\u001bb\"}", 422, "$.name" },
		{ STORE_NODE, "{\"name\":\"a\x7f\"}", 422, "$.name" },
		{ STORE_NODE, "{\"name\":\"x\",\"cluster_uuid\":\"a\\tb\"}", 422,
		  "$.cluster_uuid" },
		{ STORE_NODE, "{\"name\":\"x\",\"cluster_uuid\":{}}", 422, "$.cluster_uuid" },
		{ STORE_LXC, "{\"vmid\":100,\"node\":\"a\\nb\"}", 422, "$.node" },
		{ STORE_NODE, "{\"node_id\":1}", 422, "$" },
		{ STORE_NODE, "{\"name\":\"x\",\"nodeid\":\"one\"}", 422, "$.nodeid" },
		{ STORE_NODE, "{\"name\":\"x\",\"ip\":[]}", 422, "$.ip" },
		{ STORE_NODE, "{\"name\":\"x\",\"loadavg\":[\"a\"]}", 422, "$.loadavg" },
		{ STORE_NODE, "{\"name\":\"x\",\"memory\":{\"total\":-1}}", 422, "$.memory" },
		{ STORE_NODE, "{\"name\":\"x\",\"collected_at\":\"now\"}", 422, "$.collected_at" },
		{ STORE_NODE, "{\"name\":\"x\",\"collected_at\":\"2099-01-01T00:00:00Z\"}", 422,
		  "$.collected_at" },
		{ STORE_NODE, "{\"name\":\"x\",\"collected_at\":\"2026-11-22T14:00:01Z\"}", 422,
		  "$.collected_at" },
		{ STORE_LXC, "{\"node\":\"n\"}", 422, "$" },
		{ STORE_LXC, "{\"vmid\":100}", 422, "$" },
		{ STORE_LXC, "{\"vmid\":99,\"node\":\"n\"}", 422, "$.vmid" },
		{ STORE_LXC, "{\"vmid\":true,\"node\":\"n\"}", 422, "$.vmid" },
		{ STORE_LXC, "{\"lxc_id\":\"lxc/x\",\"node\":\"n\"}", 422, "$.lxc_id" },
		{ STORE_LXC, "{\"vmid\":100,\"node\":\"n\",\"tags\":[]}", 422, "$.tags" },
		{ STORE_LXC, "{\"vmid\":100,\"node\":\"n\",\"config\":\"x\"}", 422, "$.config" },
		{ STORE_LXC, "{\"vmid\":100,\"node\":\"n\",\"name\":\"\\u0000\"}", 400, "$.name" },
		{ STORE_QEMU, "{\"vmid\":100,\"node\":\"n\",\"memory_mb\":{}}", 422,
		  "$.memory_mb" },
		{ STORE_QEMU, "{\"vmid\":100,\"node\":\"n\",\"kvm\":\"no\"}", 422, "$.kvm" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct check_fault fault = {};

		if (nanny_read(cases[i].kind, slice_of(cases[i].in), NOW, &out, &fault) != -EBADMSG)
			fail_msg("accepted: %s", cases[i].in);
		if (fault.status != cases[i].status || strcmp(fault.path, cases[i].path) != 0)
			fail_msg("%s: %u %s %s", cases[i].in, fault.status, fault.path, fault.why);
		assert_true(fault.why[0]);
		assert_int_equal(out.len, 0);
	}
}

static void numbers_of_ids(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct check_fault fault = {};

	(void)state;
	assert_int_equal(nanny_read(STORE_QEMU, SLICE("{\"qemu_id\":\"qemu/200\",\"node\":\"n\"}"),
				    NOW, &out, &fault),
			 0);
	assert_non_null(strstr(buf_str(&out), "\"vmid\":200"));
}

static void answers(void **state)
{
	static const char *const said[] = {
		[STORE_CLUSTER] = "Cluster",
		[STORE_NODE] = "Node",
		[STORE_LXC] = "LXC",
		[STORE_QEMU] = "QEMU VM",
	};
	char wanted[128];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(said); i++) {
		CLEANUP(buf_done) struct buf out = {};

		(void)snprintf(wanted, sizeof(wanted),
			       "{\"success\":true,\"message\":\"%s ingested successfully\","
			       "\"id\":\"x1\"}",
			       said[i]);
		nanny_answer((enum store_object)i, "x1", &out);
		assert_true(same(buf_str(&out), wanted));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_examples), cmocka_unit_test(real_agent),
		cmocka_unit_test(additions),	 cmocka_unit_test(tolerated),
		cmocka_unit_test(refused),	 cmocka_unit_test(numbers_of_ids),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
