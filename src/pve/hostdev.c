/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/hostdev.h"

#include <stdio.h>

#include "pve/hostparse.h"
#include "util/str.h"

#define NET_FILE    "proc/net/dev"
#define NET_MAX	    ((size_t)4 * 1024 * 1024)
#define HWMON	    "sys/class/hwmon"
#define THERMAL	    "sys/class/thermal"
#define ZFS	    "proc/spl/kstat/zfs"
#define ENTRIES_MAX 4096 /* of one folder: what is beyond is not looked at */

typedef void (*path_fn)(void *arg, const char *path);

/* "FOLDER/NAME" for every entry that begins and ends so. */
static void each_entry(const struct root *root, const char *folder, const char *prefix,
		       const char *suffix, path_fn fn, void *arg)
{
	DIR *d = root_opendir(root, folder);
	const struct dirent *entry;
	char path[512];
	int left = ENTRIES_MAX;

	while (d && left-- > 0 && (entry = readdir(d))) {
		struct slice name = slice_of(entry->d_name);

		if (name.p[0] == '.' || !slice_starts(name, prefix) || !slice_ends(name, suffix))
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name.p) < sizeof(path))
			fn(arg, path);
	}
	if (d)
		(void)closedir(d);
}

/* First line of FOLDER/NAME. */
static bool line_of(const struct root *root, const char *folder, const char *name, struct buf *ret)
{
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return false;
	return root_read_line(root, path, ret) == 0;
}

struct walk {
	const struct root *root;
	path_fn each;
	void *arg;
};

static bool is_processors(const struct root *root, const char *folder)
{
	static const char *const names[] = { "coretemp", "k10temp", "zenpower", "cpu_thermal" };
	CLEANUP(buf_done) struct buf name = {};

	if (!line_of(root, folder, "name", &name))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_eq(buf_slice(&name), names[i]))
			return true;
	return false;
}

static void walk_hwmon(void *arg, const char *folder)
{
	const struct walk *w = arg;

	if (is_processors(w->root, folder))
		each_entry(w->root, folder, "temp", "_input", w->each, w->arg);
}

static void walk_zone(void *arg, const char *folder)
{
	const struct walk *w = arg;

	each_entry(w->root, folder, "temp", "temp", w->each, w->arg);
}

struct hottest {
	const struct root *root;
	struct host_figure found;
};

static void take_hotter(void *arg, const char *path)
{
	CLEANUP(buf_done) struct buf text = {};
	struct hottest *h = arg;
	struct host_figure f;

	if (root_read_line(h->root, path, &text) < 0)
		return;
	f = hostparse_celsius(buf_slice(&text));
	if (f.known && (!h->found.known || f.value > h->found.value))
		h->found = f;
}

struct host_figure hostdev_celsius(const struct root *root)
{
	struct hottest h = { .root = root };
	struct walk w = { root, take_hotter, &h };

	each_entry(root, HWMON, "hwmon", "", walk_hwmon, &w);
	if (!h.found.known)
		each_entry(root, THERMAL, "thermal_zone", "", walk_zone, &w);
	return h.found;
}

static bool net_has(const struct root *root, struct slice name, const char *what)
{
	struct stat st;
	char path[128];

	(void)snprintf(path, sizeof(path), "sys/class/net/" SLICE_FMT "/%s", SLICE_ARG(name), what);
	return root_stat(root, path, &st) == 0;
}

static void add_net(struct host_nets *ret, const struct root *root, struct slice line,
		    struct arena *a)
{
	struct host_net n = {};
	struct slice name;

	if (!hostparse_net(line, &name, &n.received, &n.sent))
		return;
	n.bridge = net_has(root, name, "bridge");
	n.bond = net_has(root, name, "bonding");
	/* fwbrNiM are the firewall's bridges, one for each guest's port. */
	if ((n.bridge && slice_starts(name, "fwbr")) ||
	    (!n.bridge && !n.bond && !net_has(root, name, "device")))
		return;
	n.name = arena_str(a, name);
	*vec_push(ret) = n;
}

void hostdev_nets(struct host_nets *ret, const struct root *root, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;

	if (root_read(root, NET_FILE, NET_MAX, &text) < 0)
		return;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		add_net(ret, root, line, a);
}

struct pool_walk {
	const struct root *root;
	struct host_pools *ret;
	struct arena *arena;
};

/* ZFS/POOL/state; other entries of the folder are files without one. */
static void add_pool(void *arg, const char *folder)
{
	CLEANUP(buf_done) struct buf state = {};
	struct pool_walk *w = arg;
	struct host_pool *p;

	if (!line_of(w->root, folder, "state", &state) || !state.len)
		return;
	p = vec_push(w->ret);
	p->name = arena_str(w->arena, slice_of(folder + strlen(ZFS "/")));
	p->state = arena_str(w->arena, buf_slice(&state));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct host_pool *)a)->name, ((const struct host_pool *)b)->name);
}

void hostdev_pools(struct host_pools *ret, const struct root *root, struct arena *a)
{
	struct pool_walk w = { root, ret, a };

	each_entry(root, ZFS, "", "", add_pool, &w);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
}

/* Files of a folder that a recording keeps beside the readings. */
static void pass_hwmon(void *arg, const char *folder)
{
	const struct walk *w = arg;
	char path[520];

	if (!is_processors(w->root, folder))
		return;
	(void)snprintf(path, sizeof(path), "%s/name", folder);
	w->each(w->arg, path);
	walk_hwmon(arg, folder);
}

static void pass_pool(void *arg, const char *folder)
{
	const struct walk *w = arg;
	char path[520];

	(void)snprintf(path, sizeof(path), "%s/state", folder);
	w->each(w->arg, path);
}

void host_files(const struct root *root, path_fn each, void *arg)
{
	struct walk w = { root, each, arg };

	each(arg, "proc/loadavg");
	each(arg, "proc/meminfo");
	each(arg, "sys/class/dmi/id/sys_vendor");
	each(arg, "sys/class/dmi/id/product_name");
	each_entry(root, HWMON, "hwmon", "", pass_hwmon, &w);
	each_entry(root, THERMAL, "thermal_zone", "", walk_zone, &w);
	each_entry(root, ZFS, "", "", pass_pool, &w);
}
