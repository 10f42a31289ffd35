/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Whole cycles of the agent over a cluster of three nodes made of files: the document and
 * NannyAPI's objects field by field, and what a cycle does when only a little has changed, or when
 * something is torn, missing or gone.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>

#include <cmocka.h>

#include "agent/collect.h"
#include "test_pve_tree.h"
#include "util/clock.h"
#include "util/json.h"

/* An administrator's own. */
#define OWN_CA                                                               \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBnTCCAUOgAwIBAgIUN0ag6hJDPRQJQjAqAiIuw/ciOJYwCgYIKoZIzj0EAwIw\n" \
	"IzEPMA0GA1UEAwwGT3duIENBMRAwDgYDVQQKDAdFeGFtcGxlMCAXDTI2MTEyMTE0\n" \
	"MzE0OFoYDzIxMjYxMDI4MTQzMTQ4WjAjMQ8wDQYDVQQDDAZPd24gQ0ExEDAOBgNV\n" \
	"BAoMB0V4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARYNfqdporBQzO6\n" \
	"J0RGpIkYsP+TYVlCTpnpmE9zPinsRc3S1uKgmW112sSIFqHRMpXhFgq7yjGYzqXc\n" \
	"XlsTsoQXo1MwUTAdBgNVHQ4EFgQUH0ENZ28PR0QaMbdqd+Ew1V1zkwgwHwYDVR0j\n" \
	"BBgwFoAUH0ENZ28PR0QaMbdqd+Ew1V1zkwgwDwYDVR0TAQH/BAUwAwEB/zAKBggq\n" \
	"hkjOPQQDAgNIADBFAiEAlmadj+MeGi5eHsk4W/+Bdsl/Jv9EKOwJFfhsBn5JmlkC\n" \
	"IEcUZNQ85pfrTNLFGhtTI6nayksRHLpAaTqMrbflq1rA\n"                     \
	"-----END CERTIFICATE-----\n"

#define NOW "2026-11-21T14:00:00Z"
#define AT  "1795269590" /* ten seconds before */
#define OLD "1795269000"

#define SCOPE "sys/fs/cgroup/qemu.slice/102.scope/cgroup.procs"

struct world {
	struct tree tree;
	struct picture picture;
	struct collect_answer answer;
	struct collect_ask ask;
	json_t *doc, *posts;
};

static void write_files(const struct tree *t)
{
	static const char vm[] = "name: web\ncores: 4\nmemory: 4096\ntags: b;a\n"
				 "scsi0: local-lvm:vm-100-disk-0,size=32G\nlock: backup\n"
				 "net0: virtio=BC:24:11:00:00:01,bridge=vmbr0\ncipassword: geheim\n"
				 "meta: ctime=1700000000\n"
				 "vmgenid: 7f1c2b3a-0000-4000-8000-000000000001\n"
				 "[PENDING]\ncores: 8\n[before]\nsnaptime: 1690000000\n";
	static const char ct[] = "arch: amd64\ncores: 2\nfeatures: nesting=1\nhostname: dns\n"
				 "memory: 1024\nnet0: name=eth0,bridge=vmbr0,ip=dhcp\n"
				 "ostype: debian\nrootfs: local-lvm:vm-101-disk-0,size=8G\n"
				 "swap: 0\nunprivileged: 1\ntimezone: Europe/Berlin\n";

	tree_write(t, "etc/pve/nodes/pve1/qemu-server/100.conf", vm);
	tree_write(t, "etc/pve/nodes/pve1/lxc/101.conf", ct);
	tree_write(t, "etc/pve/nodes/pve1/qemu-server/102.conf", "name: old\n");
	tree_write(t, "etc/pve/nodes/pve2/qemu-server/200.conf", "name: far\n");
	tree_write(t, "etc/pve/nodes/pve3/lxc/300.conf", "hostname: lost\n");
	tree_write(t, "etc/pve/storage.cfg",
		   "dir: local\n\tpath /var/lib/vz\n\tcontent iso,backup\n\n"
		   "lvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n\n"
		   "nfs: nas\n\tserver x\n\texport /x\n\tnodes pve2\n\n"
		   "dir: off\n\tpath /off\n\tdisable\n\n");
	tree_write(t, "etc/pve/jobs.cfg", "vzdump: a\n\tpool prod\n\tschedule 21:00\n");
	tree_write(t, "etc/pve/user.cfg", "pool:prod::100:local:\n");
	tree_write(t, "etc/pve/ha/resources.cfg", "vm: 100\n\tstate started\n");
	tree_write(t, "etc/pve/ha/manager_status",
		   "{\"master_node\":\"pve2\",\"timestamp\":" AT ",\"service_status\":{\"vm:100\":"
		   "{\"node\":\"pve1\",\"state\":\"started\"}}}");
	tree_write(t, "etc/pve/pve-root-ca.pem", OWN_CA);
	tree_write(t, "usr/share/perl5/PVE/pvecfg.pm",
		   "sub version { return '8.2.4'; }\nsub version_text { return 'x'; }\n"
		   "sub repoid { return 'faa83925c9641325'; }\n");
	tree_write(t, "capture.json",
		   "{\"schema\": \"pvewarden.capture/1\", \"node\": \"pve1\", \"time\": \"" NOW
		   "\", "
		   "\"boot_time\": \"2026-11-01T00:00:00Z\", \"quorate\": null}\n");
	tree_write(t, "proc/loadavg", "0.40 0.30 0.20 1/100 4711\n");
	tree_write(t, "proc/uptime", "315069.12 1.00\n");
	tree_write(t, "proc/net/unix", "");
	tree_write(t, "proc/cpuinfo",
		   "processor\t: 0\nmodel name\t: EPYC\nphysical id\t: 0\n"
		   "cpu cores\t: 16\nflags\t\t: svm\n");
	tree_write(t, SCOPE, "4711\n");
	tree_write_n(t, "proc/4711/cmdline",
		     "kvm\0-id\0"
		     "102",
		     12);
	tree_write(t, "run/pvewarden/dm/dm.json", "{\"schema\": \"pvewarden.dm/1\"}\n");
	tree_write(t, "run/pvewarden/watch/watch.json", "{\"broken\": \n");
}

static void write_members(const struct tree *t, int quorate)
{
	char text[600];

	(void)snprintf(
		text, sizeof(text),
		"{\n\"nodename\": \"pve1\",\n\"version\": 7,\n\"cluster\": { \"name\": \"prod\", "
		"\"version\": 3, \"nodes\": 3, \"quorate\": %d },\n\"nodelist\": {\n"
		"  \"pve1\": { \"id\": 1, \"online\": 1, \"ip\": \"10.0.1.10\"},\n"
		"  \"pve2\": { \"id\": 2, \"online\": 1, \"ip\": \"10.0.1.11\"},\n"
		"  \"pve3\": { \"id\": 3, \"online\": 0}\n  }\n}\n",
		quorate);
	tree_write(t, "etc/pve/.members", text);
}

static void write_vmlist(const struct tree *t, int version_of_100, const char *more)
{
	char text[900];

	(void)snprintf(text, sizeof(text),
		       "{\n\"version\": %d,\n\"ids\": {\n"
		       "\"100\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": %d },\n"
		       "\"101\": { \"node\": \"pve1\", \"type\": \"lxc\", \"version\": 3 },\n"
		       "\"102\": { \"node\": \"pve1\", \"type\": \"qemu\", \"version\": 4 },%s\n"
		       "\"200\": { \"node\": \"pve2\", \"type\": \"qemu\", \"version\": 5 },\n"
		       "\"300\": { \"node\": \"pve3\", \"type\": \"lxc\", \"version\": 6 }\n}\n}\n",
		       version_of_100, version_of_100, more);
	tree_write(t, "etc/pve/.vmlist", text);
}

static void write_version(const struct tree *t, int starttime, int vmlist)
{
	char text[400];

	(void)snprintf(
		text, sizeof(text),
		"{ \"starttime\": %d, \"clinfo\": 7, \"vmlist\": %d, \"storage.cfg\": 1, "
		"\"jobs.cfg\": 1, \"user.cfg\": 1, \"vzdump.cron\": 0, \"ha/resources.cfg\": 1, "
		"\"ha/manager_status\": 1, \"kvstore\": {\"pve1\": {\"a\": 1}}}\n",
		starttime, vmlist);
	tree_write(t, "etc/pve/.version", text);
}

/* Both generations: 100's younger sample is the new one, 101's the old one; 102's is stale. */
static void write_rrd(const struct tree *t)
{
	tree_write(t, "etc/pve/.rrd",
		   "pve2-node/pve1:1::" OLD ":9:9:9:9:9:9:9:9:9:9:9:9\n"
		   "pve-node-9.0/pve1:315069:c:" AT ":0.45:16:0.0456:0.002:64000:32000:8000:0:1000:"
		   "500:123:456:32000:0:1.5:0:0:0:0\n"
		   "pve2.3-vm/100:1:web:stopped:0:" OLD ":4:U:1:U:1:0:U:U:U:U\n"
		   "pve-vm-9.0/100:86400:web:running:0:" AT ":4:0.0105:8589934592:4294967296:"
		   "34359738368:0:15:77:74:15:4500:2:0:1:0:0:0\n"
		   "pve2.3-vm/101:10:dns:running:0:" AT
		   ":2:0.5:1073741824:1:8589934592:77:1:2:3:4\n"
		   "pve-vm-9.0/101:1:dns:stopped:0:" OLD ":2:U:1:U:1:0:U:U:U:U:U:U\n"
		   "pve2.3-vm/102:5:old:paused:0:" OLD ":1:0:1:1:1:0:1:1:1:1\n"
		   "pve2-storage/pve1/local:" OLD ":1:1\n"
		   "pve-storage-9.0/pve1/local:" AT ":31044079616:17571426304\n"
		   "pve-storage-9.0/pve2/local-lvm:" AT ":5:5\n");
}

static void make(struct world *w)
{
	*w = (struct world){};
	tree_make(&w->tree);
	write_files(&w->tree);
	write_members(&w->tree, 1);
	write_vmlist(&w->tree, 8, "");
	write_version(&w->tree, 1000, 14);
	write_rrd(&w->tree);
	w->ask = (struct collect_ask){ .hub = true, .nanny = true, .interval = 60, .sequence = 17 };
	(void)snprintf(w->ask.instance, sizeof(w->ask.instance), "%s",
		       "0123456789abcdef0123456789abcdef");
}

static void forget(struct world *w)
{
	json_decref(w->doc);
	json_decref(w->posts);
	w->doc = w->posts = NULL;
}

static void done(struct world *w)
{
	forget(w);
	collect_answer_done(&w->answer);
	picture_done(&w->picture);
	tree_done(&w->tree);
}

/* A cycle whose texts are JSON. */
static void cycle(struct world *w)
{
	struct err e = {};

	forget(w);
	collect_cycle(&w->picture, &w->tree.root, &w->ask, &w->answer);
	assert_int_equal(w->answer.error, 0);
	if (json_parse(buf_slice(&w->answer.document), "document", &w->doc, &e) < 0)
		fail_msg("%s", e.text);
	if (json_parse(buf_slice(&w->answer.posts), "posts", &w->posts, &e) < 0)
		fail_msg("%s", e.text);
}

/* @expected as it stands in the sources, compared as JSON. */
static void assert_json(json_t *v, const char *expected)
{
	json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS);

	if (!want || !json_equal(v, want))
		fail_msg("%s\n  is not\n%s", text ? text : "nothing", expected);
	free(text);
	json_decref(want);
}

static json_t *row_of(json_t *doc, const char *list, int vmid)
{
	json_t *row, *found = NULL;
	size_t i;

	json_array_foreach(json_arr(doc, list), i, row)
	{
		if (json_integer_value(json_object_get(row, "vmid")) == vmid)
			found = row;
	}
	return found;
}

static void assert_member(json_t *obj, const char *key, const char *expected)
{
	assert_json(json_object_get(obj, key), expected);
}

static void test_the_document(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	assert_member(w.doc, "schema", "\"pvewarden.node/1\"");
	assert_member(w.doc, "node", "\"pve1\"");
	assert_member(w.doc, "instance", "\"0123456789abcdef0123456789abcdef\"");
	assert_member(w.doc, "sequence", "17");
	assert_member(w.doc, "collected_at", "\"" NOW "\"");
	assert_member(w.doc, "interval", "60");
	assert_member(w.doc, "quorate", "true");
	assert_member(w.doc, "complete", "true");
	assert_member(w.doc, "reporter", "true");
	assert_member(w.doc, "blind", "[]");
	assert_member(json_object_get(w.doc, "pmxcfs"), "state", "\"ok\"");
	assert_member(json_object_get(w.doc, "cluster"), "name", "\"prod\"");
	assert_member(json_object_get(w.doc, "cluster"), "config_version", "3");
	assert_member(json_object_get(w.doc, "cluster"), "clustered", "true");
	assert_int_equal(strncmp(json_str(json_object_get(w.doc, "cluster"), "uuid"), "ca:", 3), 0);
	assert_member(w.doc, "nodes",
		      "[{\"name\": \"pve1\", \"id\": 1, \"ip\": \"10.0.1.10\", \"online\": true},"
		      " {\"name\": \"pve2\", \"id\": 2, \"ip\": \"10.0.1.11\", \"online\": true},"
		      " {\"name\": \"pve3\", \"id\": 3, \"ip\": null, \"online\": false}]");
	assert_member(
		w.doc, "vmids",
		"[[100, \"qemu\", \"pve1\"], [101, \"lxc\", \"pve1\"], [102, \"qemu\", \"pve1\"],"
		" [200, \"qemu\", \"pve2\"], [300, \"lxc\", \"pve3\"]]");
	assert_member(
		w.doc, "ha",
		"{\"master\": \"pve2\", \"at\": \"2026-11-21T13:59:50Z\", \"master_alive\": true}");
	assert_member(w.doc, "parts", "{\"dm\": {\"schema\": \"pvewarden.dm/1\"}}");
	assert_int_equal(w.answer.guests, 3);
	assert_string_equal(w.answer.node, "pve1");
	assert_string_equal(w.answer.cluster, "prod");
	assert_true(w.answer.clustered && w.answer.quorate);
	done(&w);
}

static void test_the_host_and_storages(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	assert_member(
		w.doc, "host",
		"{\"uptime\": 315069, \"boot_time\": \"2026-11-01T00:00:00Z\", \"loadavg\": [0.40, "
		"0.30, 0.20], \"cpuinfo\": {\"model\": \"EPYC\", \"sockets\": 1, \"cores\": 16, "
		"\"cpus\": 1, \"hvm\": true}, \"pveversion\": "
		"\"pve-manager/8.2.4/faa83925c9641325\", \"memory\": {\"total\": 64000, \"used\": "
		"32000, \"available\": 32000}, \"swap\": {\"total\": 8000, \"used\": 0}, "
		"\"rootfs\": {\"total\": 1000, \"used\": 500}, \"level\": \"c\", \"cpu\": 0.0456, "
		"\"iowait\": 0.002, \"netin\": 123, \"netout\": 456, \"sampled_at\": "
		"\"2026-11-21T13:59:50Z\", \"pressure\": {\"cpu_some\": 0.015, \"io_some\": 0, "
		"\"io_full\": 0, \"memory_some\": 0, \"memory_full\": 0}}");
	assert_member(
		w.doc, "storages",
		"[{\"name\": \"local\", \"type\": \"dir\", \"shared\": false, \"enabled\": true, "
		"\"content\": \"iso,backup\", \"nodes\": null, \"active\": true, \"total\": "
		"31044079616, \"used\": 17571426304, \"sampled_at\": \"2026-11-21T13:59:50Z\"},"
		"{\"name\": \"local-lvm\", \"type\": \"lvmthin\", \"shared\": false, \"enabled\": "
		"true, \"content\": null, \"nodes\": null, \"active\": null},"
		"{\"name\": \"nas\", \"type\": \"nfs\", \"shared\": true, \"enabled\": false, "
		"\"content\": null, \"nodes\": \"pve2\", \"active\": false},"
		"{\"name\": \"off\", \"type\": \"dir\", \"shared\": false, \"enabled\": false, "
		"\"content\": null, \"nodes\": null, \"active\": false}]");
	done(&w);
}

static void test_rows_of_guests(void **state)
{
	struct world w;
	json_t *row;

	(void)state;
	make(&w);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	row = row_of(w.doc, "guests", 100);
	json_object_del(row, "digest");
	assert_json(
		row,
		"{\"vmid\": 100, \"type\": \"qemu\", \"node\": \"pve1\", \"name\": \"web\", "
		"\"status\": \"running\", \"uptime\": 86400, \"template\": false, \"lock\": "
		"\"backup\", \"tags\": \"b;a\", \"cpus\": 4, \"cpu\": 0.0105, \"maxmem\": 8589934592, "
		"\"mem\": 4294967296, \"maxdisk\": 34359738368, \"netin\": 15, \"netout\": 77, "
		"\"diskread\": 74, \"diskwrite\": 15, \"memhost\": 4500, \"pressure\": {\"cpu_some\": "
		"0.02, \"cpu_full\": 0, \"io_some\": 0.01, \"io_full\": 0, \"memory_some\": 0, "
		"\"memory_full\": 0}, \"sampled_at\": \"2026-11-21T13:59:50Z\", \"ha\": {\"wanted\": "
		"\"started\", \"state\": \"started\", \"node\": \"pve1\"}, \"backup\": true, "
		"\"snapshots\": 1, \"oldest_snapshot\": \"2023-07-22T04:26:40Z\", \"pending\": true, "
		"\"identity\": \"1700000000/7f1c2b3a-0000-4000-8000-000000000001\"}");
	row = row_of(w.doc, "guests", 101);
	assert_member(row, "status", "\"running\"");
	assert_member(row, "disk", "77");
	assert_member(row, "backup", "false");
	assert_member(row, "identity", "\"/\"");
	assert_null(json_object_get(row, "pressure"));
	assert_null(json_object_get(row, "ha"));
	/* Its sample is ten minutes old: the process says that it runs. */
	assert_member(row_of(w.doc, "guests", 102), "status", "\"running\"");
	assert_member(row_of(w.doc, "guests", 102), "sampled_at", "\"2026-11-21T13:50:00Z\"");
	tree_remove(&w.tree, SCOPE);
	cycle(&w);
	assert_member(row_of(w.doc, "guests", 102), "status", "\"stopped\"");
	done(&w);
}

static void test_rows_of_configs(void **state)
{
	struct world w;
	json_t *row;

	(void)state;
	make(&w);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 3);
	row = row_of(w.doc, "configs", 101);
	json_object_del(row, "digest");
	assert_json(
		row,
		"{\"vmid\": 101, \"name\": \"dns\", \"type\": \"lxc\", \"cores\": 2, \"sockets\": 1, "
		"\"memory_mb\": 1024, \"swap_mb\": 0, \"rootfs\": "
		"\"local-lvm:vm-101-disk-0,size=8G\", \"ostype\": \"debian\", \"arch\": \"amd64\", "
		"\"hostname\": \"dns\", \"searchdomain\": null, \"nameserver\": null, \"timezone\": "
		"\"Europe/Berlin\", \"features\": {\"nesting\": \"1\"}, \"unprivileged\": true, "
		"\"protection\": false, \"onboot\": false, \"template\": false, \"tags\": null, "
		"\"drives\": [], \"mountpoints\": [{\"key\": \"rootfs\", \"storage\": \"local-lvm\", "
		"\"volume\": \"vm-101-disk-0\", \"mp\": \"/\", \"size\": 8589934592}], \"nets\": "
		"[{\"key\": \"net0\", \"name\": \"eth0\", \"bridge\": \"vmbr0\", \"ip\": \"dhcp\"}], "
		"\"snapshots\": [], \"pending\": [], \"config\": {\"arch\": \"amd64\", \"cores\": "
		"\"2\", \"features\": \"nesting=1\", \"hostname\": \"dns\", \"memory\": \"1024\", "
		"\"net0\": \"name=eth0,bridge=vmbr0,ip=dhcp\", \"ostype\": \"debian\", \"rootfs\": "
		"\"local-lvm:vm-101-disk-0,size=8G\", \"swap\": \"0\", \"timezone\": "
		"\"Europe/Berlin\", \"unprivileged\": \"1\"}}");
	row = row_of(w.doc, "configs", 100);
	assert_member(row, "boot", "{\"order\": [\"scsi0\", \"net0\"]}");
	assert_member(row, "agent", "{\"enabled\": false}");
	assert_member(row, "created_at", "\"2023-11-14T22:13:20Z\"");
	assert_member(row, "pending", "[{\"key\": \"cores\", \"now\": \"4\", \"new\": \"8\"}]");
	assert_null(strstr(w.answer.document.data, "geheim"));
	assert_null(strstr(w.answer.posts.data, "geheim"));
	done(&w);
}

static json_t *post(const struct world *w, size_t i, const char *path)
{
	json_t *one = json_array_get(json_arr(w->posts, "posts"), i);

	assert_string_equal(json_str(one, "path"), path);
	return json_obj(one, "body");
}

static void test_nannyapi(void **state)
{
	struct world w;
	json_t *body;

	(void)state;
	make(&w);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 5);
	body = post(&w, 0, "/api/proxmox/node");
	assert_member(body, "name", "\"pve1\"");
	assert_member(body, "node_id", "1");
	assert_member(body, "nodeid", "1");
	assert_member(body, "ip", "\"10.0.1.10\"");
	assert_member(body, "online", "1");
	assert_member(body, "local", "1");
	assert_member(body, "level", "\"c\"");
	assert_member(body, "pve_version", "\"pve-manager/8.2.4/faa83925c9641325\"");
	assert_member(body, "pveversion", "\"pve-manager/8.2.4/faa83925c9641325\"");
	assert_member(body, "agent_id", "\"\"");
	assert_member(body, "collected_at", "\"" NOW "\"");
	body = post(&w, 1, "/api/proxmox/cluster");
	assert_member(body, "cluster_name", "\"prod\"");
	assert_member(body, "name", "\"prod\"");
	assert_string_equal(json_str(body, "cluster_id"), w.answer.cluster_uuid);
	assert_string_equal(json_str(body, "px_cluster_id"), w.answer.cluster_uuid);
	assert_member(body, "nodes", "3");
	assert_member(body, "quorate", "1");
	assert_member(body, "version", "3");
	body = post(&w, 2, "/api/proxmox/lxc");
	assert_member(body, "lxc_id", "\"lxc/101\"");
	assert_member(body, "status", "\"running\"");
	assert_member(body, "uptime", "10");
	assert_member(body, "cpu_cores", "2");
	assert_member(body, "memory_mb", "1024");
	assert_member(body, "swap_mb", "0");
	assert_member(body, "unprivileged", "true");
	assert_member(body, "net0", "\"name=eth0,bridge=vmbr0,ip=dhcp\"");
	assert_member(body, "features", "\"nesting=1\"");
	assert_member(body, "timezone", "\"Europe/Berlin\"");
	body = post(&w, 3, "/api/proxmox/qemu");
	assert_member(body, "qemu_id", "\"qemu/100\"");
	assert_member(body, "node", "\"pve1\"");
	assert_member(body, "tags", "\"b,a\"");
	assert_member(json_object_get(body, "config"), "tags", "\"b;a\"");
	assert_member(json_object_get(body, "config"), "cores", "4");
	assert_member(json_object_get(row_of(w.doc, "configs", 100), "config"), "cores", "\"4\"");
	assert_member(body, "cpu", "\"kvm64\"");
	assert_member(body, "boot", "\"order=scsi0;net0\"");
	assert_member(body, "ostype", "\"other\"");
	assert_member(body, "kvm", "1");
	assert_member(body, "vmgenid", "\"7f1c2b3a-0000-4000-8000-000000000001\"");
	(void)post(&w, 4, "/api/proxmox/qemu");
	/* Lost quorum is told, not left out. */
	write_members(&w.tree, 0);
	cycle(&w);
	assert_member(post(&w, 1, "/api/proxmox/cluster"), "quorate", "0");
	assert_member(w.doc, "quorate", "false");
	assert_member(w.doc, "complete", "false");
	assert_member(w.doc, "reporter", "false");
	done(&w);
}

static void test_only_what_changed(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	cycle(&w);
	assert_member(w.doc, "configs", "[]");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	/* A text that pmxcfs has not counted is not read again... */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: renamed\n");
	tree_write(&w.tree, "etc/pve/jobs.cfg", "vzdump: a\n\tall 1\n");
	cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"web\"");
	assert_member(row_of(w.doc, "guests", 101), "backup", "false");
	/* ... one that it has counted is, and it alone. */
	write_vmlist(&w.tree, 15, "");
	write_version(&w.tree, 1000, 15);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "configs", 100), "name", "\"renamed\"");
	/* A write that changed nothing brings nothing. */
	write_vmlist(&w.tree, 16, "");
	write_version(&w.tree, 1000, 16);
	cycle(&w);
	assert_member(w.doc, "configs", "[]");
	w.ask.all_configs = true;
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 3);
	done(&w);
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
	make(&w);
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
		forget(&w);
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
	done(&w);
}

static void test_a_restart_of_pmxcfs_drops_all(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	/* The same counters, another life. */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: renamed\n");
	tree_write(&w.tree, "etc/pve/jobs.cfg", "vzdump: a\n\tall 1\n");
	write_version(&w.tree, 1001, 14);
	cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"renamed\"");
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "guests", 101), "backup", "true");
	/* Without .version nothing is believed to be the same. */
	tree_remove(&w.tree, "etc/pve/.version");
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: again\n");
	cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"again\"");
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: more\n");
	cycle(&w);
	assert_member(row_of(w.doc, "guests", 100), "name", "\"more\"");
	assert_member(w.doc, "complete", "true");
	done(&w);
}

static void test_a_guest_comes_moves_and_goes(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	tree_write(&w.tree, "etc/pve/nodes/pve1/lxc/150.conf", "hostname: new\n");
	write_vmlist(&w.tree, 8,
		     "\n\"150\": { \"node\": \"pve1\", \"type\": \"lxc\", \"version\": 15 },");
	write_version(&w.tree, 1000, 15);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 4);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 1);
	assert_member(row_of(w.doc, "configs", 150), "name", "\"new\"");
	write_vmlist(&w.tree, 8,
		     "\n\"150\": { \"node\": \"pve2\", \"type\": \"lxc\", \"version\": 16 },");
	write_version(&w.tree, 1000, 16);
	cycle(&w);
	assert_null(row_of(w.doc, "guests", 150));
	assert_int_equal(json_array_size(json_arr(w.doc, "vmids")), 6);
	write_vmlist(&w.tree, 8, "");
	write_version(&w.tree, 1000, 17);
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "vmids")), 5);
	done(&w);
}

static void test_the_reporter_speaks_for_the_unheard(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	(void)snprintf(w.ask.unheard[0], sizeof(w.ask.unheard[0]), "pve3");
	cycle(&w);
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 4);
	assert_member(row_of(w.doc, "guests", 300), "node", "\"pve3\"");
	assert_member(row_of(w.doc, "guests", 300), "status", "\"unknown\"");
	assert_member(row_of(w.doc, "configs", 300), "name", "\"lost\"");
	/* NannyAPI's are this node's alone. */
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 5);
	/* The hub has named another one. */
	(void)snprintf(w.ask.reporter, sizeof(w.ask.reporter), "pve2");
	cycle(&w);
	assert_member(w.doc, "reporter", "false");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	done(&w);
}

static void test_a_config_that_is_gone(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	tree_remove(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf");
	cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	assert_member(row_of(w.doc, "guests", 100), "name", "null");
	assert_member(row_of(w.doc, "guests", 100), "status", "\"running\"");
	assert_null(row_of(w.doc, "configs", 100));
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 4);
	/* It is looked for again, also if nothing was counted. */
	tree_write(&w.tree, "etc/pve/nodes/pve1/qemu-server/100.conf", "name: back\n");
	cycle(&w);
	assert_member(w.doc, "complete", "true");
	assert_member(row_of(w.doc, "configs", 100), "name", "\"back\"");
	done(&w);
}

static void test_torn_files(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	cycle(&w);
	tree_write(&w.tree, "etc/pve/.vmlist", "{\"version\": 15, \"ids\": {\"100\": { \"no");
	write_version(&w.tree, 1000, 15);
	cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_member(w.doc, "vmids", "[]");
	assert_member(w.doc, "guests", "[]");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	write_vmlist(&w.tree, 8, "");
	tree_write(&w.tree, "etc/pve/.rrd", "pve2.3-vm/100:1:web:runn");
	tree_write(&w.tree, "etc/pve/ha/manager_status", "{");
	write_version(&w.tree, 1001, 15);
	cycle(&w);
	assert_member(w.doc, "complete", "true");
	assert_int_equal(json_array_size(json_arr(w.doc, "guests")), 3);
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 2);
	assert_member(row_of(w.doc, "guests", 100), "ha",
		      "{\"wanted\": \"started\", \"state\": null, \"node\": null}");
	assert_null(json_object_get(row_of(w.doc, "guests", 100), "uptime"));
	tree_write(&w.tree, "etc/pve/.version", "{\"starttime\": ");
	tree_write(&w.tree, "etc/pve/.members", "{}");
	cycle(&w);
	assert_member(w.doc, "complete", "false");
	assert_true(json_array_size(json_arr(w.doc, "blind")) >= 4);
	done(&w);
}

static void test_a_standalone_node(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	tree_write(&w.tree, "etc/pve/.members", "{\n\"nodename\": \"pve1\",\n\"version\": 0}\n");
	tree_write(&w.tree, "etc/hosts",
		   "127.0.0.1 localhost pve1\n10.9.8.7\tpve1.example.com pve1\n");
	cycle(&w);
	assert_member(json_object_get(w.doc, "cluster"), "clustered", "false");
	assert_member(json_object_get(w.doc, "cluster"), "name", "null");
	assert_member(json_object_get(w.doc, "cluster"), "config_version", "null");
	assert_member(w.doc, "quorate", "true");
	assert_member(w.doc, "reporter", "true");
	assert_member(w.doc, "nodes",
		      "[{\"name\": \"pve1\", \"id\": 0, \"ip\": null, \"online\": true}]");
	assert_false(w.answer.clustered);
	assert_int_equal(json_array_size(json_arr(w.posts, "posts")), 4);
	assert_member(post(&w, 0, "/api/proxmox/node"), "ip", "\"10.9.8.7\"");
	(void)post(&w, 1, "/api/proxmox/lxc");
	done(&w);
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
	make(&w);
	tree_remove(&w.tree, "etc/pve/pve-root-ca.pem");
	cycle(&w);
	assert_string_equal(uuid_of(&w), "name:prod");
	assert_string_equal(w.answer.cluster_uuid, "name:prod");
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	assert_member(w.doc, "complete", "true");
	assert_member(post(&w, 1, "/api/proxmox/cluster"), "cluster_id", "\"name:prod\"");
	tree_write(&w.tree, "etc/pve/pve-root-ca.pem", OWN_CA);
	cycle(&w);
	(void)snprintf(was, sizeof(was), "%s", uuid_of(&w));
	assert_int_equal(strncmp(was, "ca:", 3), 0);
	(void)snprintf(w.ask.cluster_uuid, sizeof(w.ask.cluster_uuid), "%s", was);
	tree_remove(&w.tree, "etc/pve/pve-root-ca.pem");
	cycle(&w);
	assert_string_equal(uuid_of(&w), was);
	/* Nor is one that is just being written another cluster. */
	tree_write(&w.tree, "etc/pve/pve-root-ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
	cycle(&w);
	assert_string_equal(uuid_of(&w), was);
	assert_int_equal(json_array_size(json_arr(w.doc, "blind")), 1);
	done(&w);
}

/* No list of members says nothing about them, above all not that this node is alone. */
static void test_without_members(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	tree_remove(&w.tree, "etc/pve/.members");
	cycle(&w);
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
	cycle(&w);
	assert_string_equal(uuid_of(&w), "name:prod");
	done(&w);
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

	make(&w);
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
	done(&w);
}

static void test_parts_that_are_not_to_be_believed(void **state)
{
	CLEANUP(buf_done) struct buf big = {};
	struct world w;

	(void)state;
	make(&w);
	tree_remove(&w.tree, "run/pvewarden/dm/dm.json");
	tree_write(&w.tree, "run/pvewarden/dm/other", "{}");
	tree_link(&w.tree, "run/pvewarden/dm/dm.json", "other");
	tree_write(&w.tree, "run/pvewarden/array/array.json",
		   "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}");
	buf_adds(&big, "{\"a\": \"");
	while (big.len < 300 * 1024)
		buf_adds(&big, "xxxxxxxxxxxxxxxx");
	buf_adds(&big, "\"}");
	tree_write(&w.tree, "run/pvewarden/watch/watch.json", big.data);
	cycle(&w);
	assert_null(json_obj(json_obj(w.doc, "parts"), "array"));
	buf_reset(&big);
	buf_adds(&big, "{\"a\": [0");
	for (int i = 0; i < 4096; i++)
		buf_adds(&big, ",0");
	buf_adds(&big, "]}");
	tree_write(&w.tree, "run/pvewarden/array/array.json", big.data);
	buf_reset(&big);
	buf_adds(&big, "{\"a\": \"");
	while (big.len < 300 * 1024)
		buf_adds(&big, "xxxxxxxxxxxxxxxx");
	buf_adds(&big, "\"}");
	cycle(&w);
	assert_int_equal(json_object_size(json_obj(w.doc, "parts")), 1);
	assert_int_equal(json_integer_value(json_object_get(
				 json_obj(json_obj(w.doc, "parts"), "watch"), "too_large")),
			 big.len);
	done(&w);
}

/* --- the process -------------------------------------------------------------------------------
 */

static void take(struct collector *c, struct collect_answer *ret)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int r;

	while ((r = collector_take(c, ret)) == 0)
		assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(r, 1);
}

static void test_the_process(void **state)
{
	struct collect_answer a;
	struct collector c;
	struct world w;
	pid_t pid;

	(void)state;
	make(&w);
	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EBUSY);
	take(&c, &a);
	assert_int_equal(a.error, 0);
	assert_string_equal(a.node, "pve1");
	assert_int_equal(a.guests, 3);
	assert_int_equal(json_parse(buf_slice(&a.document), "document", &w.doc, NULL), 0);
	assert_int_equal(json_parse(buf_slice(&a.posts), "posts", &w.posts, NULL), 0);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 3);
	collect_answer_done(&a);
	forget(&w);
	/* It remembers. */
	w.ask.nanny = false;
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	take(&c, &a);
	assert_int_equal(json_parse(buf_slice(&a.document), "document", &w.doc, NULL), 0);
	assert_int_equal(json_array_size(json_arr(w.doc, "configs")), 0);
	assert_int_equal(a.posts.len, 0);
	collect_answer_done(&a);
	pid = c.pid;
	assert_false(collector_stop(&c, &pid));
	assert_int_equal(c.pid, 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EPIPE);
	assert_int_equal(kill(pid, 0), -1);
	done(&w);
}

static void test_a_process_that_dies_and_one_that_hangs(void **state)
{
	struct collect_answer a;
	struct pollfd p = { .events = POLLIN };
	struct collector c;
	struct world w;

	(void)state;
	make(&w);
	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(kill(c.pid, SIGKILL), 0);
	p.fd = c.fd;
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(collector_take(&c, &a), -EPIPE);
	assert_false(collector_stop(&c, NULL));

	assert_int_equal(collector_start(&c, &w.tree.root, NULL), 0);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	assert_int_equal(collector_ask(&c, &w.ask), 0);
	assert_int_equal(collector_take(&c, &a), 0);
	assert_int_equal(collector_ask(&c, &w.ask), -EBUSY);
	assert_false(collector_stop(&c, NULL));
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_document),
		cmocka_unit_test(test_the_host_and_storages),
		cmocka_unit_test(test_rows_of_guests),
		cmocka_unit_test(test_rows_of_configs),
		cmocka_unit_test(test_nannyapi),
		cmocka_unit_test(test_only_what_changed),
		cmocka_unit_test(test_what_does_not_fit_comes_later),
		cmocka_unit_test(test_a_restart_of_pmxcfs_drops_all),
		cmocka_unit_test(test_a_guest_comes_moves_and_goes),
		cmocka_unit_test(test_the_reporter_speaks_for_the_unheard),
		cmocka_unit_test(test_a_config_that_is_gone),
		cmocka_unit_test(test_torn_files),
		cmocka_unit_test(test_a_standalone_node),
		cmocka_unit_test(test_without_an_authority),
		cmocka_unit_test(test_without_members),
		cmocka_unit_test(test_no_proxmox_and_a_hanging_one),
		cmocka_unit_test(test_parts_that_are_not_to_be_believed),
		cmocka_unit_test(test_the_process),
		cmocka_unit_test(test_a_process_that_dies_and_one_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
