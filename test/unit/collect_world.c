/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "collect_world.h"

#define AT  "1795269590" /* ten seconds before */
#define OLD "1795269000"

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

void write_members(const struct tree *t, int quorate)
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

void write_vmlist(const struct tree *t, int version_of_100, const char *more)
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

void write_version(const struct tree *t, int starttime, int vmlist)
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

void world_make(struct world *w)
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

void world_forget(struct world *w)
{
	json_decref(w->doc);
	json_decref(w->posts);
	w->doc = w->posts = NULL;
}

void world_done(struct world *w)
{
	world_forget(w);
	collect_answer_done(&w->answer);
	picture_done(&w->picture);
	tree_done(&w->tree);
}

void world_cycle(struct world *w)
{
	struct err e = {};

	world_forget(w);
	collect_cycle(&w->picture, &w->tree.root, &w->ask, &w->answer);
	assert_int_equal(w->answer.error, 0);
	if (json_parse(buf_slice(&w->answer.document), "document", &w->doc, &e) < 0)
		fail_msg("%s", e.text);
	if (json_parse(buf_slice(&w->answer.posts), "posts", &w->posts, &e) < 0)
		fail_msg("%s", e.text);
}

void assert_json(json_t *v, const char *expected)
{
	json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_SORT_KEYS);

	if (!want || !json_equal(v, want))
		fail_msg("%s\n  is not\n%s", text ? text : "nothing", expected);
	free(text);
	json_decref(want);
}

void assert_member(json_t *obj, const char *key, const char *expected)
{
	assert_json(json_object_get(obj, key), expected);
}

json_t *row_of(json_t *doc, const char *list, int vmid)
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

json_t *post(const struct world *w, size_t i, const char *path)
{
	json_t *one = json_array_get(json_arr(w->posts, "posts"), i);

	assert_string_equal(json_str(one, "path"), path);
	return json_obj(one, "body");
}
