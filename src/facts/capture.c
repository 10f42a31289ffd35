/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "facts/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "blk/dmrec.h"
#include "blk/lvm.h"
#include "blk/users.h"
#include "facts/mask.h"
#include "pve/cluster.h"
#include "pve/host.h"
#include "pve/running.h"
#include "pve/task.h"
#include "pve/volname.h"
#include "util/file.h"
#include "util/jsonw.h"
#include "util/str.h"

#define FILE_LIMIT ((size_t)16 * 1024 * 1024)

struct recording {
	const struct root *from;
	int to; /* the folder */
	struct cluster cluster;
	struct dm_set dm;
	struct sysblk sys;
	struct candidates candidates;
	struct running running;
	struct tasks tasks;
	struct guest_locks locks;
	struct host host;
	struct arena arena;
	struct buf text, out; /* scratch */
	int failed;	      /* the first error of writing */
	char lvm_error[512];
};

/* Writes @text as @path below the recording; the first failure is kept and ends all writing. */
static void put(struct recording *r, const char *path, struct slice text)
{
	CLEANUP_FREE char *folder = xstrdup(path);
	CLEANUP_FD int fd = -1;
	char *slash = strrchr(folder, '/');

	if (r->failed)
		return;
	if (slash) {
		*slash = '\0';
		r->failed = file_mkdirs(r->to, folder, 0700);
		if (r->failed)
			return;
	}
	fd = openat(r->to, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return; /* said already: two guests of one id, or a process that is a task as well
			 */
	r->failed = fd < 0 ? -errno : file_write_all(fd, text);
}

/* A file as it is; one that is not there is not there in the recording either. */
static void copy(struct recording *r, const char *path)
{
	if (root_read(r->from, path, FILE_LIMIT, &r->text) == 0)
		put(r, path, buf_slice(&r->text));
}

static void copy_masked(struct recording *r, const char *path,
			void (*mask)(struct slice text, struct buf *out))
{
	if (root_read(r->from, path, FILE_LIMIT, &r->text) < 0)
		return;
	buf_reset(&r->out);
	mask(buf_slice(&r->text), &r->out);
	put(r, path, buf_slice(&r->out));
}

static void record_pve(struct recording *r)
{
	CLEANUP(buf_done) struct buf link = {};

	copy(r, "etc/pve/.members");
	copy(r, "etc/pve/.vmlist");
	copy(r, "etc/pve/.rrd");
	copy_masked(r, "etc/pve/storage.cfg", mask_storage_cfg);
	copy_masked(r, "etc/pve/datacenter.cfg", mask_datacenter_cfg);
	for (size_t i = 0; i < r->cluster.n_guests; i++) {
		const struct guest *g = &r->cluster.guests[i];

		if (root_read(r->from, g->file, FILE_LIMIT, &r->text) < 0)
			continue;
		buf_reset(&r->out);
		mask_guest(g->type, buf_slice(&r->text), &r->out);
		put(r, g->file, buf_slice(&r->out));
	}
	if (!r->failed && root_readlink(r->from, "etc/pve/local", &link) == 0 &&
	    symlinkat(link.data, r->to, "etc/pve/local") < 0)
		r->failed = -errno;
	copy(r, "run/pvewarden/array/array.json");
}

/* Only that line of Proxmox' version file that is read. */
static void record_release(struct recording *r)
{
	if (!r->cluster.node.release)
		return;
	buf_reset(&r->out);
	buf_addf(&r->out, "sub version { '%s' }\n", r->cluster.node.release);
	put(r, "usr/share/perl5/PVE/pvecfg.pm", buf_slice(&r->out));
}

static void record_process(struct recording *r, pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%ld/stat", (long)pid);
	copy(r, path);
	(void)snprintf(path, sizeof(path), "proc/%ld/cmdline", (long)pid);
	copy_masked(r, path, mask_cmdline);
}

static void record_work(struct recording *r)
{
	struct slice rest, line;

	for (size_t i = 0; i < r->running.n; i++) {
		const struct running_guest *g = &r->running.items[i];
		char path[64];

		if (g->type != GUEST_QEMU)
			continue;
		(void)snprintf(path, sizeof(path), "run/qemu-server/%u.pid", g->vmid);
		copy(r, path);
		record_process(r, g->pid);
	}
	for (size_t i = 0; i < r->tasks.n; i++)
		record_process(r, r->tasks.items[i].pid);
	copy(r, "var/log/pve/tasks/active");
	copy(r, "proc/uptime");

	/* Of all sockets of the machine only those that say that a container runs. */
	buf_reset(&r->out);
	if (root_read(r->from, "proc/net/unix", FILE_LIMIT, &r->text) < 0)
		return;
	rest = buf_slice(&r->text);
	while (slice_split(&rest, '\n', &line))
		if (slice_starts(line, "Num") || memmem(line.p, line.n, "/var/lib/lxc/", 13))
			buf_addf(&r->out, SLICE_FMT "\n", SLICE_ARG(line));
	put(r, "proc/net/unix", buf_slice(&r->out));
}

/* What a guest could be concerned by: only of that is asked who holds it. */
static bool looks_like_guests(const struct dm_dev *d)
{
	struct dm_lvm_name name;

	dmname_split(&name, d->name);
	return volname_is_guests(name.lv) || volname_in_dm_name(d->name).kind != VOLNAME_NONE;
}

static void record_lvm(struct recording *r)
{
	CLEANUP(buf_done) struct buf raw = {};
	struct lvm_report report;
	struct err e = {};

	candidates_choose(&r->candidates, &r->dm, &r->sys, volname_is_guests, &r->arena);
	if (lvm_read(&report, r->from, &r->candidates, &r->arena, &raw, &e) < 0)
		(void)snprintf(r->lvm_error, sizeof(r->lvm_error), "%s", e.text);
	else
		put(r, LVM_RECORD_PATH, buf_slice(&raw));
}

/* A partition is a folder of its disk's, as in the real sysfs; sys/class/block has the links. */
static void record_block_device(struct recording *r, const struct sysblk_dev *d)
{
	const struct sysblk_dev *whole = d->partition ? sysblk_find(&r->sys, d->whole) : NULL;
	char folder[256], path[512], link[300];
	const struct {
		const char *attribute;
		char value[64];
	} files[] = { { "dev", "" },   { "size", "" },	       { "partition", "" },
		      { "start", "" }, { "device/state", "" }, { "md/array_state", "" } };

	if (strchr(d->name, '/'))
		return;
	(void)snprintf(folder, sizeof(folder), "sys/devices/block/%s%s%s", whole ? whole->name : "",
		       whole ? "/" : "", d->name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "sys/class/block/%s/%s", d->name,
			       files[i].attribute);
		if (root_read(r->from, path, 4096, &r->text) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, files[i].attribute);
		put(r, path, buf_slice(&r->text));
	}
	(void)snprintf(path, sizeof(path), "sys/class/block/%s", d->name);
	(void)snprintf(link, sizeof(link), "../../%s", folder + strlen("sys/"));
	if (!r->failed && symlinkat(link, r->to, path) < 0)
		r->failed = -errno;
}

static void record_block(struct recording *r)
{
	struct devno *open = xcalloc(r->dm.n, sizeof(*open));
	struct dm_users users = {};
	size_t n = 0;

	buf_reset(&r->out);
	dmrec_write(&r->dm, &r->out);
	put(r, DMREC_PATH, buf_slice(&r->out));

	for (size_t i = 0; i < r->dm.n; i++)
		if (r->dm.items[i].open_count && looks_like_guests(&r->dm.items[i]))
			open[n++] = r->dm.items[i].dev;
	users_read(&users, r->from, &r->dm, open, n, &r->arena);
	buf_reset(&r->out);
	users_write(&users, &r->out);
	put(r, USERS_RECORD_PATH, buf_slice(&r->out));
	users_done(&users);
	free(open);

	if (!r->failed)
		r->failed = file_mkdirs(r->to, "sys/class/block", 0700);
	for (size_t i = 0; i < r->sys.n; i++)
		record_block_device(r, &r->sys.items[i]);
}

static void copy_one(void *arg, const char *path)
{
	copy(arg, path);
}

/* Of a long file the lines that begin with one of the words. */
static void copy_lines(struct recording *r, const char *path, const char *const *words, size_t n)
{
	struct slice rest, line;

	if (root_read(r->from, path, FILE_LIMIT, &r->text) < 0)
		return;
	rest = buf_slice(&r->text);
	buf_reset(&r->out);
	while (slice_split(&rest, '\n', &line))
		for (size_t i = 0; i < n; i++)
			if (slice_starts(slice_trim(line), words[i]))
				buf_addf(&r->out, SLICE_FMT "\n", SLICE_ARG(line));
	put(r, path, buf_slice(&r->out));
}

/* How the machine is doing: what the report shows of it. Guests' network devices stay out. */
static void record_host(struct recording *r)
{
	static const char *const cpu[] = { "processor", "model name", "physical id" };
	struct {
		const char **items;
		size_t n, cap;
	} nets = {};

	host_read(&r->host, r->from, &r->cluster, &r->arena);
	host_files(r->from, copy_one, r);
	copy_lines(r, "proc/cpuinfo", cpu, ARRAY_SIZE(cpu));
	vec_each (net, &r->host.nets) {
		const char *kind = net->bridge ? "bridge" : net->bond ? "bonding" : "device";

		put(r, arena_fmt(&r->arena, "sys/class/net/%s/%s", net->name, kind), SLICE(""));
		*vec_push(&nets) = arena_fmt(&r->arena, "%s:", net->name);
	}
	copy_lines(r, "proc/net/dev", nets.items, nets.n);
	vec_free(&nets);
}

static void write_refused(struct recording *r, struct jsonw *w)
{
	jsonw_array(w, "disks");
	for (size_t i = 0; i < r->candidates.n; i++) {
		const struct candidate *c = &r->candidates.items[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "path", c->path);
		jsonw_fmt(w, "device", DEVNO_FMT, DEVNO_ARG(c->dev));
		jsonw_str(w, "refused", c->refused);
		jsonw_close(w);
	}
	jsonw_close(w);
}

/* What a folder cannot hold: the clock, who has which lock, what the link's mode said of quorum. */
static void record_rest(struct recording *r)
{
	const struct node *n = &r->cluster.node;
	char driver[64] = "", library[64] = "";
	struct jsonw w;

	if (r->from->live)
		dmdev_versions(driver, library);
	buf_reset(&r->out);
	jsonw_begin(&w, &r->out);
	jsonw_str(&w, "schema", "pvewarden.capture/1");
	jsonw_str(&w, "pvewarden", PVEWARDEN_VERSION);
	jsonw_str(&w, "node", n->name);
	jsonw_time(&w, "time", n->now);
	jsonw_time(&w, "boot_time", n->boot_time);
	jsonw_str(&w, "kernel", n->kernel);
	if (n->quorate == TRI_UNKNOWN)
		jsonw_null(&w, "quorate");
	else
		jsonw_bool(&w, "quorate", n->quorate == TRI_YES);
	jsonw_str(&w, "dm_driver", driver);
	jsonw_str(&w, "dm_library", library);
	jsonw_str(&w, "lvm_error", *r->lvm_error ? r->lvm_error : NULL);
	host_write(&w, &r->host);
	write_refused(r, &w);
	jsonw_array(&w, "flocks");
	for (size_t i = 0; i < r->locks.n; i++) {
		jsonw_row(&w, NULL);
		jsonw_u64(&w, "vmid", r->locks.items[i].vmid);
		jsonw_str(&w, "type", guest_type_name(r->locks.items[i].type));
		jsonw_i64(&w, "pid", r->locks.items[i].pid);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
	put(r, "capture.json", buf_slice(&r->out));
}

static int read_sources(struct recording *r, struct err *why)
{
	int code = cluster_read(&r->cluster, r->from, why);

	if (code == 0)
		code = dmdev_read(&r->dm, r->from, &r->arena, why);
	if (code == 0)
		code = sysblk_read(&r->sys, r->from, &r->arena, why);
	if (code == 0)
		code = running_read(&r->running, r->from, why);
	if (code == 0)
		code = tasks_read(&r->tasks, r->from, &r->arena, why);
	if (code == 0)
		code = guest_locks_read(&r->locks, r->from, why);
	return code;
}

static int open_empty(const char *dir, struct err *why)
{
	struct dirent *entry;
	bool empty = true;
	DIR *d;
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_set(why, -errno, "%s: %s", dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = opendir(dir);
	if (fd < 0 || !d)
		return err_set(why, -errno, "%s: %s", dir, strerror(errno));
	while ((entry = readdir(d)))
		empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(d);
	if (!empty) {
		(void)close(fd);
		return err_set(why, -ENOTEMPTY, "%s is not empty: give the name of a new folder",
			       dir);
	}
	return fd;
}

static void recording_done(struct recording *r)
{
	base_close_fd(&r->to);
	host_done(&r->host);
	guest_locks_done(&r->locks);
	tasks_done(&r->tasks);
	running_done(&r->running);
	candidates_done(&r->candidates);
	sysblk_done(&r->sys);
	cluster_done(&r->cluster);
	arena_done(&r->arena);
	buf_done(&r->text);
	buf_done(&r->out);
}

int capture_node(const struct root *from, const char *dir, struct capture_counts *ret,
		 struct err *why)
{
	CLEANUP(recording_done) struct recording r = { .from = from };
	int code;

	r.to = open_empty(dir, why);
	if (r.to < 0)
		return r.to;
	code = read_sources(&r, why);
	if (code < 0)
		return code;
	record_pve(&r);
	record_release(&r);
	record_work(&r);
	record_block(&r);
	record_lvm(&r);
	record_host(&r);
	record_rest(&r);
	if (r.failed)
		return err_set(why, r.failed, "%s: %s", dir, strerror(-r.failed));
	*ret = (struct capture_counts){ .guests = r.cluster.n_guests, .mappings = r.dm.n };
	if (*r.lvm_error) {
		(void)err_set(why, 0, "%s", r.lvm_error);
		ret->lvm_error = why->text;
	}
	return 0;
}
