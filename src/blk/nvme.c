/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/nvme.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "blk/nvme_act.h"
#include "util/file.h"
#include "util/str.h"

/* Seconds that a lost controller is tried again, as the array's maker recommends; I/O waits that
 * long where no other controller is left. */
enum { CTRL_LOSS_SECONDS = 1800 };

bool nvme_nguid_parse(struct slice text, char ret[NVME_NGUID_MAX])
{
	char digits[NVME_NGUID_MAX];
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = (char)tolower((unsigned char)text.p[i]);

		if (c == '-')
			continue;
		if (!isxdigit((unsigned char)c) || n == NVME_NGUID_MAX - 1)
			return false;
		digits[n++] = c;
	}
	if (n != NVME_NGUID_MAX - 1)
		return false;
	digits[n] = '\0';
	memcpy(ret, digits, sizeof(digits));
	return true;
}

static struct slice option(struct slice text, const char *name)
{
	struct slice piece;

	while (slice_split(&text, ',', &piece))
		if (slice_starts(piece, name))
			return slice_from(piece, strlen(name));
	return (struct slice){ "", 0 };
}

bool nvme_address_parse(struct slice text, char ret[64])
{
	struct slice host = option(text, "traddr="), port = option(text, "trsvcid=");
	bool v6 = slice_find(host, ':') < host.n;

	if (slice_empty(host) || slice_empty(port) || host.n + port.n + 4 > 64)
		return false;
	(void)snprintf(ret, 64, "%s" SLICE_FMT "%s:" SLICE_FMT, v6 ? "[" : "", SLICE_ARG(host),
		       v6 ? "]" : "", SLICE_ARG(port));
	return true;
}

/* "nvme0n1" of "nvme0c2n1": a path of it. */
static bool is_path_of(const char *path, const char *name)
{
	size_t head = strcspn(name + 4, "n") + 4;
	const char *c = path + head;

	return strlen(name) > head && strncmp(path, name, head) == 0 && *c == 'c' &&
	       strcmp(c + 1 + strspn(c + 1, "0123456789"), name + head) == 0;
}

/* Its controller works, and the array does not say (ANA) that this way is closed at this moment.
 * Without such states the array opens all. */
static bool is_live(const struct root *root, const char *path)
{
	char state[32], access[32];

	sysdisk_attr(root, path, "device/state", state, sizeof(state));
	sysdisk_attr(root, path, "ana_state", access, sizeof(access));
	return strcmp(state, "live") == 0 && (!*access || strcmp(access, "optimized") == 0 ||
					      strcmp(access, "non-optimized") == 0);
}

static void count_paths(struct nvme_ns *ns, const struct root *root,
			const struct sysdisk_names *all)
{
	char state[32];

	vec_each (d, all) {
		if (!is_path_of(d->text, ns->name))
			continue;
		ns->paths++;
		ns->paths_live += is_live(root, d->text);
	}
	if (ns->paths)
		return;
	/* Without the kernel's multipathing the disk stands on its controller itself. */
	sysdisk_attr(root, ns->name, "device/state", state, sizeof(state));
	ns->paths = *state != '\0';
	ns->paths_live = is_live(root, ns->name);
}

static bool read_nguid(const struct root *root, const char *name, char ret[NVME_NGUID_MAX])
{
	char text[64];

	sysdisk_attr(root, name, "nguid", text, sizeof(text));
	return nvme_nguid_parse(slice_of(text), ret);
}

static void read_one(struct nvme_list *ret, const struct root *root, const char *name,
		     const char *nguid, const struct sysdisk_names *all)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	struct nvme_ns ns = {};

	if (!read_nguid(root, name, ns.nguid) || (nguid && strcmp(nguid, ns.nguid) != 0))
		return;
	(void)snprintf(ns.name, sizeof(ns.name), "%s", name);
	if (sysdisk_dev(root, name, &ns.dev) < 0 || sysdisk_size(root, name, &ns.size) < 0)
		return;
	/* Of the subsystem, or of the controller that it stands on. */
	sysdisk_attr(root, name, "device/subsysnqn", ns.nqn, sizeof(ns.nqn));
	count_paths(&ns, root, all);
	sysdisk_holders(root, name, &holders);
	ns.held = holders.n > 0;
	*vec_push(ret) = ns;
}

void nvme_namespaces(struct nvme_list *ret, const struct root *root, const char *nguid)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names names = {};

	sysdisk_list(root, "nvme", &names);
	vec_each (name, &names)
		if (!strchr(name->text, 'c')) /* hidden: one path */
			read_one(ret, root, name->text, nguid, &names);
}

static void ctrl_attr(const struct root *root, const char *ctrl, const char *attr, char *ret,
		      size_t size)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice line;
	char path[128];

	(void)snprintf(path, sizeof(path), "sys/class/nvme/%.31s/%s", ctrl, attr);
	if (root_read_line(root, path, &text) < 0)
		buf_reset(&text);
	line = slice_trim(buf_slice(&text));
	(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(line));
}

static void read_controller(struct nvme_ctrls *ret, const struct root *root, const char *name)
{
	struct nvme_ctrl c = {};
	char text[256];

	(void)snprintf(c.name, sizeof(c.name), "%.31s", name);
	ctrl_attr(root, name, "address", text, sizeof(text));
	if (!nvme_address_parse(slice_of(text), c.address))
		return;
	ctrl_attr(root, name, "subsysnqn", c.nqn, sizeof(c.nqn));
	ctrl_attr(root, name, "state", text, sizeof(text));
	c.live = strcmp(text, "live") == 0;
	*vec_push(ret) = c;
}

void nvme_controllers(struct nvme_ctrls *ret, const struct root *root)
{
	DIR *dir = root_opendir(root, "sys/class/nvme");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "nvme", 4) == 0)
			read_controller(ret, root, entry->d_name);
	if (dir)
		(void)closedir(dir);
}

static bool is_plain(const char *text)
{
	return *text && !strpbrk(text, ",= \t\n");
}

/* "[fe80::1]:4420" to its two halves. */
static bool split_address(const char *address, char host[64], char port[8])
{
	const char *colon = strrchr(address, ':');
	struct slice h;

	if (!colon || strlen(colon + 1) > 7)
		return false;
	h = (struct slice){ address, (size_t)(colon - address) };
	if (h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
		h = (struct slice){ h.p + 1, h.n - 2 };
	(void)snprintf(host, 64, SLICE_FMT, SLICE_ARG(h));
	(void)snprintf(port, 8, "%s", colon + 1);
	return is_plain(host) && is_plain(port);
}

int nvme_connect(const struct root *root, const struct nvme_target *t, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char host[64], port[8];
	CLEANUP_FD int fd = -1;

	if (!split_address(t->address, host, port) || !is_plain(t->nqn) || !is_plain(t->host_nqn) ||
	    !is_plain(t->host_id))
		return err_set(e, -EINVAL, "NVMe: \"%s\" at \"%s\" is no address of a port", t->nqn,
			       t->address);
	buf_addf(&text,
		 "transport=tcp,traddr=%s,trsvcid=%s,nqn=%s,hostnqn=%s,hostid=%s,"
		 "ctrl_loss_tmo=%d",
		 host, port, t->nqn, t->host_nqn, t->host_id, CTRL_LOSS_SECONDS);
	fd = root_openat(root, "dev/nvme-fabrics", O_RDWR);
	if (fd < 0)
		return err_set(e, fd, "/dev/nvme-fabrics: %s (modprobe nvme-tcp)", strerror(-fd));
	/* One write is one controller: a second one for what was left would be another request. */
	if (write(fd, text.data, text.len) < 0 && errno != EALREADY)
		return err_set(e, -errno, "NVMe: no controller to %s at %s: %s", t->nqn, t->address,
			       strerror(errno));
	return 0;
}

int nvme_rescan(const struct root *root, const char *ctrl, struct err *e)
{
	CLEANUP_FD int fd = -1;
	char path[128];
	int r;

	(void)snprintf(path, sizeof(path), "sys/class/nvme/%.31s/rescan_controller", ctrl);
	fd = root_openat(root, path, O_WRONLY);
	r = fd < 0 ? fd : file_write_all(fd, SLICE("1"));
	return r < 0 ? err_set(e, r, "/%s: %s", path, strerror(-r)) : 0;
}
