/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/running.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pve/guest.h"
#include "pve/procstat.h"
#include "util/file.h"
#include "util/str.h"

#define MONITORS	  "sys/fs/cgroup/lxc.monitor"
#define UNIX_BYTES_MAX	  ((size_t)256 * 1024 * 1024)
#define CMDLINE_BYTES_MAX ((size_t)1024 * 1024)

/* Ticks of /proc/PID/stat: USER_HZ is 100 on every architecture that Proxmox runs on. */
#define TICKS_PER_SECOND 100

static bool vmid_parse(struct slice text, uint32_t *ret)
{
	return str_to_u32(text, ret) && *ret >= VMID_MIN && *ret <= VMID_MAX;
}

static bool is_qemu_program(struct slice path)
{
	struct slice base = path;

	if (slice_ends(path, "kvm"))
		return true;
	for (size_t i = path.n; i > 0; i--) {
		if (path.p[i - 1] == '/') {
			base = slice_from(path, i);
			break;
		}
	}
	return slice_starts(base, "qemu-") && base.n > strlen("qemu-");
}

/* "-name" and "--name" both name an option. */
static bool option_name(struct slice arg, struct slice *ret)
{
	if (!slice_starts(arg, "-"))
		return false;
	*ret = slice_from(arg, slice_starts(arg, "--") ? 2 : 1);
	return true;
}

bool running_is_qemu_of(struct slice cmdline, uint32_t vmid, bool *ret_incoming)
{
	bool ours = false, incoming = false;
	struct slice rest = cmdline, arg, option = {};
	char pidfile[64];

	/* Proxmox writes the path with /var in front, always. */
	(void)snprintf(pidfile, sizeof(pidfile), "/var/run/qemu-server/%u.pid", vmid);
	if (!slice_split(&rest, '\0', &arg) || !is_qemu_program(arg))
		return false;
	while (slice_split(&rest, '\0', &arg)) {
		if (slice_empty(arg))
			continue;
		if (option_name(arg, &option)) {
			incoming = incoming || slice_eq(option, "incoming");
			continue;
		}
		/* Only the first word behind an option is its value; the last -pidfile counts. */
		if (slice_eq(option, "pidfile"))
			ours = slice_eq(arg, pidfile);
		option = (struct slice){ arg.p, 0 };
	}
	if (ours && ret_incoming)
		*ret_incoming = incoming;
	return ours;
}

static bool pid_parse(struct slice text, pid_t *ret)
{
	uint32_t pid;

	text.n = slice_find(text, '\n');
	if (!str_to_u32(text, &pid) || pid == 0 || pid > INT32_MAX)
		return false;
	*ret = (pid_t)pid;
	return true;
}

static int64_t started_at(int64_t boot_time, uint64_t ticks)
{
	if (boot_time == 0 || ticks / TICKS_PER_SECOND > INT32_MAX)
		return 0;
	return boot_time + (int64_t)(ticks / TICKS_PER_SECOND);
}

struct reader {
	struct running *running;
	const struct root *root;
	int64_t boot_time;
	struct buf text;
};

static void read_vm(struct reader *rd, int dirfd, const char *file, uint32_t vmid)
{
	struct running_guest g = { .vmid = vmid, .type = GUEST_QEMU };
	struct procstat st;
	char path[40];

	if (file_read_at(dirfd, file, 4096, &rd->text) < 0 ||
	    !pid_parse(buf_slice(&rd->text), &g.pid))
		return;
	(void)snprintf(path, sizeof(path), "proc/%ld/cmdline", (long)g.pid);
	if (root_read(rd->root, path, CMDLINE_BYTES_MAX, &rd->text) < 0 ||
	    !running_is_qemu_of(buf_slice(&rd->text), vmid, &g.incoming))
		return;
	if (!procstat_read(rd->root, g.pid, &st) || st.state == 'Z')
		return;
	g.started = started_at(rd->boot_time, st.start);
	g.ticks = st.start;
	*vec_push(rd->running) = g;
}

static void close_dir(DIR *const *d)
{
	if (*d)
		(void)closedir(*d);
}

static int read_vms(struct reader *rd, struct err *e)
{
	CLEANUP(close_dir) DIR *d = root_opendir(rd->root, "run/qemu-server");
	const struct dirent *entry;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, -errno, "run/qemu-server: %s", strerror(errno));
	while ((entry = readdir(d))) {
		struct slice name = slice_of(entry->d_name);
		uint32_t vmid;

		if (slice_ends(name, ".pid") &&
		    vmid_parse((struct slice){ name.p, name.n - 4 }, &vmid))
			read_vm(rd, dirfd(d), entry->d_name, vmid);
	}
	return 0;
}

/* "... @/var/lib/lxc/101/command" at the end of a line of /proc/net/unix. */
static bool container_of_line(struct slice line, uint32_t *ret)
{
	static const char before[] = "@/var/lib/lxc/", behind[] = "/command";
	size_t from = line.n;

	if (!slice_ends(line, behind))
		return false;
	while (from > 0 && !str_is_space(line.p[from - 1]))
		from--;
	line = slice_from(line, from);
	if (!slice_starts(line, before) || line.n < sizeof(before) + sizeof(behind) - 2)
		return false;
	line = slice_from(line, sizeof(before) - 1);
	line.n -= sizeof(behind) - 1;
	return vmid_parse(line, ret);
}

static int read_containers(struct reader *rd, struct err *e)
{
	struct slice rest, line;
	uint32_t vmid;
	int code = root_read(rd->root, "proc/net/unix", UNIX_BYTES_MAX, &rd->text);

	if (code < 0)
		return err_set(e, code, "proc/net/unix: %s", strerror(-code));
	rest = buf_slice(&rd->text);
	while (slice_split(&rest, '\n', &line))
		if (container_of_line(line, &vmid))
			*vec_push(rd->running) =
				(struct running_guest){ .vmid = vmid, .type = GUEST_LXC };
	return 0;
}

/* Its monitor's first process says which run of the container it is. */
static void add_monitor(struct reader *rd, uint32_t vmid, struct slice pid)
{
	struct running_guest g = { .vmid = vmid, .type = GUEST_LXC };
	struct procstat st;

	if (pid_parse(pid, &g.pid) && procstat_read(rd->root, g.pid, &st))
		g.ticks = st.start;
	*vec_push(rd->running) = g;
}

/*
 * A container that reboots from inside has no socket for a moment, and Proxmox holds no lock: but
 * its monitor lives, in a cgroup of its own.
 */
static void read_monitors(struct reader *rd)
{
	DIR *dir = root_opendir(rd->root, MONITORS);
	const struct dirent *entry;
	char path[sizeof(MONITORS) + 300];
	uint32_t vmid;

	while (dir && (entry = readdir(dir))) {
		if (!vmid_parse(slice_of(entry->d_name), &vmid))
			continue;
		(void)snprintf(path, sizeof(path), MONITORS "/%s/cgroup.procs", entry->d_name);
		if (root_read_line(rd->root, path, &rd->text) == 0 && rd->text.len)
			add_monitor(rd, vmid, buf_slice(&rd->text));
	}
	if (dir)
		(void)closedir(dir);
}

static int cmp_guest(const void *a, const void *b)
{
	const struct running_guest *x = a, *y = b;

	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	return (int)x->type - (int)y->type;
}

/* A container has a line for its socket and one for each who is connected to it. */
static void sort_once(struct running *r)
{
	size_t n = 0;

	if (r->n > 1)
		qsort(r->items, r->n, sizeof(*r->items), cmp_guest);
	for (size_t i = 0; i < r->n; i++) {
		if (n == 0 || cmp_guest(&r->items[n - 1], &r->items[i]) != 0)
			r->items[n++] = r->items[i];
		else if (r->items[i].pid) /* the monitor's entry knows more */
			r->items[n - 1] = r->items[i];
	}
	r->n = n;
}

int running_read(struct running *ret, const struct root *r, struct err *e)
{
	struct running found = {};
	struct reader rd = { .running = &found, .root = r };
	int code;

	rd.boot_time = procstat_boot_time(r);
	code = read_vms(&rd, e);
	if (code == 0)
		code = read_containers(&rd, e);
	if (code == 0)
		read_monitors(&rd);
	buf_done(&rd.text);
	if (code < 0) {
		running_done(&found);
		return code;
	}
	sort_once(&found);
	*ret = found;
	return 0;
}

void running_done(struct running *r)
{
	vec_free(r);
}

static int cmp_vmid(const void *key, const void *item)
{
	const uint32_t *vmid = key;
	const struct running_guest *g = item;

	return *vmid < g->vmid ? -1 : *vmid > g->vmid;
}

const struct running_guest *running_find(const struct running *r, uint32_t vmid)
{
	if (!r->n)
		return NULL;
	return bsearch(&vmid, r->items, r->n, sizeof(*r->items), cmp_vmid);
}
