/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The part of node_fixture.h that writes files. */

#include "node_fixture.h"
#include "util/jsonw.h"

#define TASK_STAT " (task) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 8 7 6 5\n"

enum { PID_OF_VM = 100000, PID_OF_TASK = 200000 };

static void write_config(struct fixture *f, const char *node, const char *folder, unsigned int vmid,
			 const char *conf)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "etc/pve/nodes/%s/%s/%u.conf", node, folder, vmid);
	tree_write(&f->tree, path, conf);
}

void fixture_vm(struct fixture *f, const char *node, unsigned int vmid, const char *conf)
{
	write_config(f, node, "qemu-server", vmid, conf);
}

void fixture_ct(struct fixture *f, const char *node, unsigned int vmid, const char *conf)
{
	write_config(f, node, "lxc", vmid, conf);
}

static void write_process(struct fixture *f, unsigned int pid, const struct buf *cmdline)
{
	char path[64], text[200];

	(void)snprintf(path, sizeof(path), "proc/%u/cmdline", pid);
	tree_write_n(&f->tree, path, cmdline->data, cmdline->len);
	(void)snprintf(path, sizeof(path), "proc/%u/stat", pid);
	(void)snprintf(text, sizeof(text), "%u" TASK_STAT, pid);
	tree_write(&f->tree, path, text);
}

static void add_word(struct buf *cmdline, const char *word)
{
	buf_add(cmdline, word, strlen(word) + 1);
}

static void start_vm(struct fixture *f, unsigned int vmid, bool incoming)
{
	CLEANUP(buf_done) struct buf cmdline = {};
	char path[64], text[64];

	add_word(&cmdline, "/usr/bin/kvm");
	add_word(&cmdline, "-pidfile");
	(void)snprintf(text, sizeof(text), "/var/run/qemu-server/%u.pid", vmid);
	add_word(&cmdline, text);
	if (incoming) {
		add_word(&cmdline, "-incoming");
		add_word(&cmdline, "unix:/run/x");
	}
	write_process(f, PID_OF_VM + vmid, &cmdline);
	(void)snprintf(path, sizeof(path), "run/qemu-server/%u.pid", vmid);
	(void)snprintf(text, sizeof(text), "%u\n", PID_OF_VM + vmid);
	tree_write(&f->tree, path, text);
}

void fixture_runs(struct fixture *f, unsigned int vmid)
{
	start_vm(f, vmid, false);
}

void fixture_incoming(struct fixture *f, unsigned int vmid)
{
	start_vm(f, vmid, true);
}

void fixture_ct_runs(struct fixture *f, unsigned int vmid)
{
	buf_addf(&f->unix_sockets,
		 "0000000000000000: 00000002 00000000 00010000 0001 01 4242 "
		 "@/var/lib/lxc/%u/command\n",
		 vmid);
}

void fixture_task(struct fixture *f, const char *type, unsigned int vmid)
{
	CLEANUP(buf_done) struct buf cmdline = {};

	add_word(&cmdline, "task");
	write_process(f, PID_OF_TASK + vmid, &cmdline);
	buf_addf(&f->tasks, "UPID:" FX_NODE ":%08X:%08X:65A00000:%s:%u:root@pam: 0\n",
		 PID_OF_TASK + vmid, 12345, type, vmid);
}

void fixture_flock(struct fixture *f, unsigned int vmid)
{
	buf_addf(&f->flocks, "%s{\"vmid\": %u, \"type\": \"qemu\", \"pid\": 4711}",
		 f->flocks.len ? ", " : "", vmid);
}

void fixture_storage(struct fixture *f, const char *text)
{
	buf_addf(&f->storages, "%s\n", text);
}

static void write_attribute(struct fixture *f, const char *folder, const char *attribute,
			    const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "sys/devices/block/%s/%s", folder, attribute);
	tree_write(&f->tree, path, text);
}

static void add_block_device(struct fixture *f, const char *folder, const char *name,
			     struct devno dev)
{
	char path[256], target[256], text[64];

	(void)snprintf(text, sizeof(text), DEVNO_FMT "\n", DEVNO_ARG(dev));
	write_attribute(f, folder, "dev", text);
	write_attribute(f, folder, "size", "209715200\n");
	(void)snprintf(path, sizeof(path), "sys/class/block/%s", name);
	(void)snprintf(target, sizeof(target), "../../devices/block/%s", folder);
	tree_link(&f->tree, path, target);
}

void fixture_disk(struct fixture *f, const char *name, struct devno dev)
{
	add_block_device(f, name, name, dev);
}

void fixture_partition(struct fixture *f, const char *disk, const char *name, struct devno dev,
		       uint64_t start)
{
	char folder[128], text[32];

	(void)snprintf(folder, sizeof(folder), "%s/%s", disk, name);
	add_block_device(f, folder, name, dev);
	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)start);
	write_attribute(f, folder, "start", text);
	write_attribute(f, folder, "partition", "1\n");
}

static void write_id(struct jsonw *w, const char *key, const char *id)
{
	char text[LVM_ID_LEN + 7];

	lvm_id_format(text, id);
	jsonw_str(w, key, text);
}

static void write_number(struct jsonw *w, const char *key, uint64_t n)
{
	jsonw_fmt(w, key, "%llu", (unsigned long long)n);
}

static void write_vg_row(struct jsonw *w, const struct fx_vg *vg)
{
	size_t missing = 0;

	vec_each (pv, &vg->pvs)
		missing += (*pv)->missing;
	jsonw_array(w, "vg");
	jsonw_row(w, NULL);
	jsonw_str(w, "vg_name", vg->name);
	write_id(w, "vg_uuid", vg->uuid);
	jsonw_str(w, "vg_seqno", "7");
	write_number(w, "vg_extent_size", FX_EXTENT * 512);
	jsonw_str(w, "vg_exported", vg->exported);
	jsonw_str(w, "vg_lock_type", vg->lock_type);
	jsonw_str(w, "vg_systemid", vg->system_id);
	write_number(w, "vg_missing_pv_count", missing);
	jsonw_str(w, "vg_shared", "");
	jsonw_str(w, "vg_autoactivation", vg->autoactivation ? "enabled" : "");
	jsonw_close(w);
	jsonw_close(w);
}

static void write_pv_row(struct jsonw *w, const struct fx_vg *vg, const struct fx_pv *pv)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "pv_name", pv->missing ? "[unknown]" : pv->name);
	write_id(w, "pv_uuid", pv->uuid);
	jsonw_fmt(w, "pv_major", "%d", pv->missing ? -1 : (int)pv->dev.major);
	jsonw_fmt(w, "pv_minor", "%d", pv->missing ? -1 : (int)pv->dev.minor);
	write_number(w, "pe_start", FX_PE_START * 512);
	jsonw_str(w, "pv_missing", pv->missing ? "missing" : "");
	jsonw_str(w, "pv_duplicate", pv->duplicate ? "duplicate" : "");
	jsonw_str(w, "pv_exported", vg->exported);
	write_id(w, "vg_uuid", vg->uuid);
	jsonw_close(w);
}

static void write_lv_row(struct jsonw *w, const struct fx_lv *lv)
{
	jsonw_row(w, NULL);
	jsonw_fmt(w, "lv_name", lv->internal ? "[%s]" : "%s", lv->name);
	write_id(w, "lv_uuid", lv->uuid);
	jsonw_str(w, "lv_attr", lv->attr);
	write_number(w, "lv_size", lv->extents * FX_EXTENT * 512);
	jsonw_str(w, "lv_tags", lv->tags);
	jsonw_str(w, "lv_time", lv->time);
	jsonw_str(w, "lv_role", lv->role);
	jsonw_str(w, "lv_layout", lv->layout);
	jsonw_str(w, "lv_autoactivation", lv->autoactivation ? "enabled" : "");
	jsonw_str(w, "lv_skip_activation", "");
	if (lv->pool)
		write_id(w, "pool_lv_uuid", lv->pool->uuid);
	else
		jsonw_str(w, "pool_lv_uuid", "");
	jsonw_str(w, "origin_uuid", "");
	jsonw_close(w);
}

static void write_ranges(struct jsonw *w, const struct fx_seg *seg)
{
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < seg->n_areas; i++) {
		uint64_t first = seg->areas[i].first, last = first + seg->size / seg->n_areas - 1;

		buf_addf(&text, "%s%s:%llu-%llu", i ? " " : "", seg->areas[i].pv->name,
			 (unsigned long long)first, (unsigned long long)last);
	}
	jsonw_str(w, "seg_le_ranges", seg->ranges ? seg->ranges : buf_str(&text));
}

static void write_seg_rows(struct jsonw *w, const struct fx_lv *lv)
{
	vec_each (seg, &lv->segs) {
		jsonw_row(w, NULL);
		write_id(w, "lv_uuid", lv->uuid);
		if (lv->pool)
			write_number(w, "thin_id", lv->thin_id);
		else
			jsonw_str(w, "thin_id", "");
		jsonw_str(w, "segtype", seg->type);
		write_number(w, "seg_start", seg->start * FX_EXTENT * 512);
		write_number(w, "seg_size", seg->size * FX_EXTENT * 512);
		write_number(w, "stripes", seg->n_areas);
		write_number(w, "stripe_size", seg->stripe);
		write_ranges(w, seg);
		jsonw_close(w);
	}
}

static void write_vg(struct jsonw *w, const struct fx_vg *vg)
{
	jsonw_object(w, NULL);
	write_vg_row(w, vg);
	jsonw_array(w, "pv");
	vec_each (pv, &vg->pvs)
		write_pv_row(w, vg, *pv);
	jsonw_close(w);
	jsonw_array(w, "lv");
	vec_each (lv, &vg->lvs)
		if (!(*lv)->deleted)
			write_lv_row(w, *lv);
	jsonw_close(w);
	jsonw_array(w, "pvseg");
	jsonw_close(w);
	jsonw_array(w, "seg");
	vec_each (lv, &vg->lvs)
		if (!(*lv)->deleted)
			write_seg_rows(w, *lv);
	jsonw_close(w);
	jsonw_close(w);
}

static void write_lvm(struct fixture *f)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;

	jsonw_begin(&w, &out);
	jsonw_array(&w, "report");
	vec_each (vg, &f->vgs)
		if (!(*vg)->hidden)
			write_vg(&w, *vg);
	jsonw_close(&w);
	jsonw_end(&w);
	tree_write(&f->tree, LVM_RECORD_PATH, f->lvm_text ? f->lvm_text : out.data);
}

static void write_map(struct buf *out, const struct fx_map *map)
{
	buf_addf(out, "device " DEVNO_FMT " open %u event 0 flags %s\nname %s\n",
		 DEVNO_ARG(map->dev), map->open, map->flags, map->name);
	if (*map->uuid)
		buf_addf(out, "uuid %s\n", map->uuid);
	if (map->deps.n)
		buf_adds(out, "deps");
	vec_each (dep, &map->deps)
		buf_addf(out, " " DEVNO_FMT, DEVNO_ARG(*dep));
	if (map->deps.n)
		buf_addc(out, '\n');
	vec_each (target, &map->targets)
		buf_addf(out, "target %s\n", *target);
	if (map->paths)
		buf_addf(out, "paths %u\n", map->paths);
}

static void write_dm(struct fixture *f)
{
	CLEANUP(buf_done) struct buf out = {};

	buf_adds(&out, "# pvewarden.dm-record/1\n");
	vec_each (map, &f->maps)
		write_map(&out, *map);
	tree_write(&f->tree, "capture/dm.txt", out.data);
}

static void write_capture(struct fixture *f)
{
	CLEANUP(buf_done) struct buf out = {};

	buf_addf(&out,
		 "{\"schema\": \"pvewarden.capture/1\", \"node\": \"" FX_NODE "\", "
		 "\"time\": \"" FX_NOW "\", \"quorate\": %s, \"flocks\": [%s]}\n",
		 f->quorate, buf_str(&f->flocks));
	tree_write(&f->tree, "capture.json", out.data);
}

void fixture_write(struct fixture *f)
{
	if (!f->no_guests)
		tree_write(&f->tree, "etc/pve/.members",
			   "{\"nodename\": \"" FX_NODE "\", \"version\": 7, \"cluster\": {"
			   "\"name\": \"lab\", \"version\": 3, \"nodes\": 2, \"quorate\": 1}, "
			   "\"nodelist\": {\"pve1\": {\"id\": 1, \"online\": 1}, "
			   "\"pve2\": {\"id\": 2, \"online\": 1}}}\n");
	if (!f->no_guests) /* the folders are there even if no guest is */
		tree_write(&f->tree, "etc/pve/nodes/" FX_NODE "/lxc/.keep", "");
	if (!f->no_storages)
		tree_write(&f->tree, "etc/pve/storage.cfg", buf_str(&f->storages));
	tree_write(&f->tree, "var/log/pve/tasks/active", buf_str(&f->tasks));
	tree_write(&f->tree, "proc/net/unix", buf_str(&f->unix_sockets));
	tree_write(&f->tree, "capture/users.txt", buf_str(&f->users));
	write_capture(f);
	write_dm(f);
	if (!f->no_lvm)
		write_lvm(f);
}
