/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What the agent says of a node: the document and NannyAPI's objects field by field. */

#include "collect_world.h"

static void test_the_document(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
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
	world_done(&w);
}

static void test_the_host_and_storages(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_cycle(&w);
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
	world_done(&w);
}

static void test_rows_of_guests(void **state)
{
	struct world w;
	json_t *row;

	(void)state;
	world_make(&w);
	world_cycle(&w);
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
	world_cycle(&w);
	assert_member(row_of(w.doc, "guests", 102), "status", "\"stopped\"");
	world_done(&w);
}

static void test_rows_of_configs(void **state)
{
	struct world w;
	json_t *row;

	(void)state;
	world_make(&w);
	world_cycle(&w);
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
	world_done(&w);
}

static void test_nannyapi(void **state)
{
	struct world w;
	json_t *body;

	(void)state;
	world_make(&w);
	world_cycle(&w);
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
	world_cycle(&w);
	assert_member(post(&w, 1, "/api/proxmox/cluster"), "quorate", "0");
	assert_member(w.doc, "quorate", "false");
	assert_member(w.doc, "complete", "false");
	assert_member(w.doc, "reporter", "false");
	world_done(&w);
}

static void test_a_standalone_node(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	tree_write(&w.tree, "etc/pve/.members", "{\n\"nodename\": \"pve1\",\n\"version\": 0}\n");
	tree_write(&w.tree, "etc/hosts",
		   "127.0.0.1 localhost pve1\n10.9.8.7\tpve1.example.com pve1\n");
	world_cycle(&w);
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
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_document),   cmocka_unit_test(test_the_host_and_storages),
		cmocka_unit_test(test_rows_of_guests), cmocka_unit_test(test_rows_of_configs),
		cmocka_unit_test(test_nannyapi),       cmocka_unit_test(test_a_standalone_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
