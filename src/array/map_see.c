/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map_see.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "array/fan.h"
#include "util/str.h"

enum { OPEN_ALONE_MS = 2000, OPENERS_TRIES = 3, OPENERS_STEP_MS = 20 };

static void name_it(struct map_view *v, const char *serial)
{
	array_wwid_of(serial, v->wwid);
	(void)snprintf(v->naa, sizeof(v->naa), "%s", v->wwid + 1);
	(void)snprintf(v->uuid, sizeof(v->uuid), "mpath-%s", v->wwid);
}

bool map_view_ours(const struct map_view *v, const struct scsi_disk *d)
{
	return strncmp(d->wwid, "naa.", 4) == 0 && strcmp(d->wwid + 4, v->naa) == 0;
}

bool map_view_in_map(const struct map_view *v, const struct scsi_disk *d)
{
	for (size_t i = 0; v->mapped && i < v->map.n_deps; i++)
		if (devno_eq(v->map.deps[i], d->dev))
			return true;
	return false;
}

static bool has_disk(const struct map_view *v, struct devno dev)
{
	vec_each (d, &v->disks)
		if (devno_eq(d->dev, dev))
			return true;
	return false;
}

/* Paths that say another identity by now are the map's all the same. */
static void add_paths(struct map_view *v, const struct root *root)
{
	for (size_t i = 0; i < v->map.n_deps; i++) {
		char name[SYSDISK_NAME_MAX];
		struct scsi_disk d;

		if (!has_disk(v, v->map.deps[i]) &&
		    sysdisk_name_of(root, v->map.deps[i], name) == 0 &&
		    scsi_disk_read(&d, root, name) == 0)
			*vec_push(&v->disks) = d;
	}
}

static int read_map(struct map_view *v, const struct root *root, struct err *e)
{
	struct stat st;
	int r;

	/* A kernel whose device-mapper nobody has loaded has no maps. */
	if (root_stat(root, "sys/class/misc/device-mapper", &st) == -ENOENT)
		return 0;
	r = dmdev_find(&v->map, v->uuid, &v->arena, e);
	if (r == -ENXIO)
		return 0;
	if (r == 0)
		r = sysdisk_name_of(root, v->map.dev, v->dm);
	if (r == 0)
		r = sysdisk_size(root, v->dm, &v->size);
	/* It went away between two questions. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	v->mapped = true;
	add_paths(v, root);
	return 0;
}

/* @all: the FlashArray disks of this node, if they are known already. */
static int view_read(struct map_view *ret, const struct root *root, const char *serial,
		     const struct scsi_disks *all, struct err *e)
{
	char wwid[64];

	*ret = (struct map_view){};
	name_it(ret, serial);
	(void)snprintf(wwid, sizeof(wwid), "naa.%s", ret->naa);
	if (!all)
		scsi_disks_like(&ret->disks, root, wwid);
	else
		vec_each (d, all)
			if (map_view_ours(ret, d))
				*vec_push(&ret->disks) = *d;
	return read_map(ret, root, e);
}

int map_view_read(struct map_view *ret, const struct root *root, const char *serial, struct err *e)
{
	return view_read(ret, root, serial, NULL, e);
}

void map_view_done(struct map_view *v)
{
	scsi_disks_done(&v->disks);
	arena_done(&v->arena);
}

/* --- who uses it ------------------------------------------------------------ */

static void read_dm(const struct root *root, const char *name, char ret_name[DM_NAME_SIZE],
		    char ret_uuid[DM_UUID_SIZE])
{
	sysdisk_attr(root, name, "dm/name", ret_name, DM_NAME_SIZE);
	sysdisk_attr(root, name, "dm/uuid", ret_uuid, DM_UUID_SIZE);
}

static void read_holder(struct map_holder *ret, const struct root *root, const char *name,
			struct arena *a)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names above = {};
	struct dm_dev d;

	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	read_dm(root, name, ret->dm_name, ret->dm_uuid);
	sysdisk_holders(root, name, &above);
	ret->held = above.n > 0;
	if (ret->held)
		read_dm(root, above.items[0].text, ret->above_name, ret->above_uuid);
	ret->open_count = -1;
	if (*ret->dm_uuid && dmdev_find(&d, ret->dm_uuid, a, NULL) == 0)
		ret->open_count = d.open_count;
}

/* How often it is open, by the kernel's own count; @known when it cannot be asked. */
static uint32_t open_count(const struct map_view *v, uint32_t known)
{
	CLEANUP(arena_done) struct arena a = {};
	struct dm_dev now;

	return dmdev_find(&now, v->uuid, &a, NULL) < 0 ? known : now.open_count;
}

/* With its openers, if @openers. *@gone: it is open, and who had it was gone when we looked. */
static enum map_in_use use_of_map(const struct map_view *v, const struct root *root,
				  const struct dm_users *known, struct map_openers *openers,
				  struct map_state *ret, bool *gone)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names names = {};
	CLEANUP(arena_done) struct arena a = {};
	struct map_holder *holders;
	enum map_in_use use;
	uint32_t opens, after;

	*gone = false;
	opens = openers ? open_count(v, v->map.open_count) : v->map.open_count;
	sysdisk_holders(root, v->dm, &names);
	holders = arena_alloc(&a, names.n * sizeof(*holders));
	for (size_t i = 0; i < names.n; i++)
		read_holder(&holders[i], root, names.items[i].text, &a);
	use = map_plan_use(v->uuid, opens, holders, names.n, NULL, ret->why, sizeof(ret->why));
	if (!openers || use != MAP_OPEN || opens <= names.n)
		return use;
	map_see_openers(root, v->map.dev, known, openers);
	*gone = !openers->user && !openers->probes;
	/* What a probe has opened meanwhile does not account for another's. */
	after = open_count(v, opens);
	return map_plan_use(v->uuid, after > opens ? after : opens, holders, names.n, openers,
			    ret->why, sizeof(ret->why));
}

/* Who has it open closes it perhaps between the count and the look. */
static enum map_in_use settled_use(const struct map_view *v, const struct root *root,
				   const struct dm_users *known, struct map_state *ret)
{
	struct map_openers openers = {};
	enum map_in_use use = MAP_OPEN;
	bool gone = true;

	for (int i = 0; gone && i < (known ? 1 : OPENERS_TRIES); i++) {
		if (i)
			(void)poll(NULL, 0, OPENERS_STEP_MS);
		use = use_of_map(v, root, known, &openers, ret, &gone);
	}
	return use;
}

static int by_number(const void *a, const void *b)
{
	return devno_cmp(*(const struct devno *)a, *(const struct devno *)b);
}

/* udev looks into each device that it hears of, for a moment. */
static bool is_passing(const char *command)
{
	static const char *const names[] = { "(udev-worker)", "systemd-udevd", "(blkid)",  "blkid",
					     "kpartx",	      "multipathd",    "multipath" };

	for (size_t i = 0; command && i < ARRAY_SIZE(names); i++)
		if (strcmp(command, names[i]) == 0)
			return true;
	return false;
}

/* The first of @users of one of the @n numbers that is a user. */
static bool find_user(const struct dm_users *users, const struct devno *numbers, size_t n,
		      char *why, size_t size)
{
	vec_each (u, users) {
		if (!bsearch(&u->dev, numbers, n, sizeof(*numbers), by_number) ||
		    (u->pid && is_passing(u->command)))
			continue;
		if (u->pid)
			(void)snprintf(why, size, "process %ld (%.30s) holds it: %.50s",
				       (long)u->pid, u->command ? u->command : "?", u->via);
		else
			(void)snprintf(why, size, "it is %.100s", u->via);
		return true;
	}
	return false;
}

/* @blind: nobody was found, and not everybody could be looked at. */
static bool find_user_of(const struct root *root, const char *name, const struct dm_users *known,
			 char *why, size_t size, bool *blind)
{
	CLEANUP(users_done) struct dm_users users = {};
	CLEANUP(arena_done) struct arena a = {};
	struct dm_set none = {};
	struct devno numbers[64];
	size_t n = sysdisk_numbers(root, name, numbers);

	qsort(numbers, n, sizeof(*numbers), by_number);
	if (!known)
		users_read(&users, root, &none, numbers, n, &a);
	*blind = known ? known->blind : users.blind;
	return find_user(known ? known : &users, numbers, n, why, size);
}

bool map_see_user(const struct root *root, const char *name, char *why, size_t size, bool *blind)
{
	return find_user_of(root, name, NULL, why, size, blind);
}

/* Opened alone: what a file system, swap, md, another mapping or a target in this kernel holds
 * cannot be. */
static int open_alone(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	char path[64];
	int fd;

	(void)root;
	(void)i;
	(void)answer;
	(void)snprintf(path, sizeof(path), "/dev/%.31s", (const char *)ctx);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	base_close_fd(&fd);
	return 0;
}

static enum map_in_use disk_use(const struct root *root, const char *name,
				const struct dm_users *known, char *why, size_t size)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};
	struct err e = {};
	bool blind;
	int r;

	*why = '\0';
	sysdisk_holders(root, name, &holders);
	if (holders.n) {
		char dm[DM_NAME_SIZE], uuid[DM_UUID_SIZE];

		read_dm(root, holders.items[0].text, dm, uuid);
		map_plan_name_holder(dm, uuid, holders.items[0].text, why, size);
		return MAP_OPEN;
	}
	if (find_user_of(root, name, known, why, size, &blind))
		return MAP_OPEN;
	if (!map_see_may_look(root)) {
		(void)snprintf(why, size,
			       "this process may not see what others have open (CAP_SYS_PTRACE)");
		return MAP_UNKNOWN;
	}
	r = fan_one(open_alone, (void *)name, root, OPEN_ALONE_MS, &e);
	/* QEMU opens a disk as anybody does, so that only /proc knows of it. */
	if (r != -EBUSY && blind) {
		(void)snprintf(why, size, "the open files of some processes cannot be seen");
		return MAP_UNKNOWN;
	}
	/* The kernel looks for other holders first: a disk that cannot be reached has none. */
	if (r == 0 || r == -ENXIO || r == -ENODEV || r == -EIO || r == -ENOENT)
		return MAP_FREE;
	if (r == -EBUSY)
		(void)snprintf(why, size, "the kernel holds it (mount, swap, md, a target)");
	else
		(void)snprintf(why, size, "whether it is in use cannot be told: %.80s", e.text);
	return r == -EBUSY ? MAP_OPEN : MAP_UNKNOWN;
}

enum map_in_use map_disk_use(const struct root *root, const char *name, char *why, size_t size)
{
	return disk_use(root, name, NULL, why, size);
}

void map_see_numbers(struct map_numbers *ret, const struct root *root, const char *name)
{
	struct devno some[64];

	for (size_t n = sysdisk_numbers(root, name, some); n; n--)
		*vec_push(ret) = some[n - 1];
}

/* --- all of a node ----------------------------------------------------------- */

/* Read once. */
struct all {
	const struct root *root;
	struct map_found *items; /* VEC() */
	size_t n, cap;
	struct scsi_disks disks;
	struct nvme_list namespaces;
	struct dm_users users;	   /* of disks and namespaces */
	struct dm_users map_users; /* of maps; the kernel counts, so they are read only when */
	bool has_map_users;	   /* a map may be stuck */
	struct arena arena;
};

static void read_users_of(struct dm_users *ret, const struct all *all, struct devno *numbers,
			  size_t n, struct arena *a)
{
	struct dm_set none = {};

	if (n)
		qsort(numbers, n, sizeof(*numbers), by_number);
	users_read(ret, all->root, &none, numbers, n, a);
}

/* One walk over /proc for all maps: in an outage many are without a path. */
static const struct dm_users *users_of_maps(struct all *all)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names maps = {};
	char serial[ARRAY_SERIAL_LEN + 1], uuid[DM_UUID_SIZE];
	struct map_numbers numbers = {};

	if (all->has_map_users)
		return &all->map_users;
	sysdisk_list(all->root, "dm-", &maps);
	vec_each (m, &maps) {
		sysdisk_attr(all->root, m->text, "dm/uuid", uuid, sizeof(uuid));
		if (!map_plan_serial_of_uuid(uuid, serial))
			continue;
		map_see_numbers(&numbers, all->root, m->text);
	}
	read_users_of(&all->map_users, all, numbers.items, numbers.n, &all->arena);
	all->has_map_users = true;
	vec_free(&numbers);
	return &all->map_users;
}

/* --- states ----------------------------------------------------------------- */

static void count_paths(const struct map_view *v, struct map_state *ret)
{
	unsigned int running = 0;

	vec_each (d, &v->disks) {
		ret->deaf += strcmp(d->state, "running") != 0;
		if (v->mapped && !map_view_in_map(v, d))
			continue;
		ret->paths++;
		running += strcmp(d->state, "running") == 0;
		ret->mismatched |= d->size != ret->size || !map_view_ours(v, d);
	}
	if (v->mapped && v->map.n_deps > ret->paths)
		ret->paths = (unsigned int)v->map.n_deps;
	ret->paths_ok = v->mapped && v->map.active_paths < running ? v->map.active_paths : running;
}

/* @all NULL: this one alone. */
static void view_state(const struct map_view *v, const struct root *root, struct all *all,
		       struct map_state *ret)
{
	const struct dm_users *known = all ? &all->users : NULL;
	bool gone;

	*ret = (struct map_state){};
	if (v->mapped) {
		(void)snprintf(ret->device, sizeof(ret->device), "%s", v->dm);
		ret->dev = v->map.dev;
		ret->size = v->size;
		count_paths(v, ret);
		if (!all || ret->paths_ok == 0)
			ret->in_use = settled_use(v, root, all ? users_of_maps(all) : NULL, ret);
		else
			ret->in_use = use_of_map(v, root, NULL, NULL, ret, &gone);
	} else if (v->disks.n) {
		(void)snprintf(ret->device, sizeof(ret->device), "%s", v->disks.items[0].name);
		ret->dev = v->disks.items[0].dev;
		ret->size = v->disks.items[0].size;
		vec_each (d, &v->disks)
			if (ret->in_use == MAP_FREE)
				ret->in_use =
					disk_use(root, d->name, known, ret->why, sizeof(ret->why));
	}
	ret->present = v->mapped || v->disks.n;
	if (!v->mapped)
		count_paths(v, ret);
	/* Whoever acts asks about one; of many it would be long work for nobody. Where a path of a
	 * disk without a map does not work, what goes may wait for it, and nothing here ends that.
	 */
	if (!all && ret->in_use == MAP_OPEN && (v->mapped || !map_is_failing(ret)))
		ret->lvm_only = map_see_lvm_only(v, root, ret->why);
}

void map_view_state(const struct map_view *v, const struct root *root, struct map_state *ret)
{
	view_state(v, root, NULL, ret);
}

int map_see_nvme(struct nvme_ns *ret, bool *present, const struct root *root, const char *serial,
		 struct err *e)
{
	CLEANUP(nvme_list_done) struct nvme_list list = {};
	char nguid[ARRAY_NGUID_LEN + 1];

	array_nguid_of(serial, nguid);
	nvme_namespaces(&list, root, nguid);
	*present = list.n > 0;
	if (list.n > 1)
		return map_plan_twins(&list.items[0], &list.items[1], e);
	if (list.n)
		*ret = list.items[0];
	return 0;
}

static void nvme_state(const struct nvme_ns *ns, const struct root *root,
		       const struct dm_users *known, struct map_state *ret)
{
	*ret = (struct map_state){ .present = true,
				   .dev = ns->dev,
				   .size = ns->size,
				   .paths = ns->paths,
				   .paths_ok = ns->paths_live };
	(void)snprintf(ret->device, sizeof(ret->device), "%s", ns->name);
	ret->in_use = disk_use(root, ns->name, known, ret->why, sizeof(ret->why));
	if (!known && ret->in_use == MAP_OPEN && ret->paths_ok)
		ret->lvm_only = map_see_lvm_only_nvme(ns, root, ret->why);
}

void map_nvme_state(const struct nvme_ns *ns, const struct root *root, struct map_state *ret)
{
	nvme_state(ns, root, NULL, ret);
}

/* --- all of them ------------------------------------------------------------- */

static bool is_known(const struct all *all, const char *serial)
{
	vec_each (old, all)
		if (strcmp(old->serial, serial) == 0)
			return true;
	return false;
}

static bool has_way(const struct map_found *f, const struct scsi_address *at)
{
	for (size_t i = 0; i < f->n_ways; i++)
		if (f->ways[i].host == at->host && f->ways[i].channel == at->channel &&
		    f->ways[i].target == at->target && f->ways[i].lun == map_plan_lun_of(at->lun))
			return true;
	return false;
}

/* A disk that multipathd has not taken is no path. */
static void note_ways(const struct map_view *v, struct map_found *ret)
{
	ret->ways_known = v->mapped;
	vec_each (d, &v->disks) {
		if (!map_view_in_map(v, d) || has_way(ret, &d->at))
			continue;
		if (ret->n_ways < MAP_WAYS_MAX)
			ret->ways[ret->n_ways++] =
				(struct map_way){ d->at.host, d->at.channel, d->at.target,
						  map_plan_lun_of(d->at.lun) };
		else
			ret->ways_known = false;
	}
}

static int add_scsi(struct all *all, const char *serial, struct err *e)
{
	struct map_found found = {};
	struct map_view v;
	int r;

	if (is_known(all, serial))
		return 0;
	r = view_read(&v, all->root, serial, &all->disks, e);
	(void)snprintf(found.serial, sizeof(found.serial), "%s", serial);
	if (r == 0) {
		view_state(&v, all->root, all, &found.state);
		note_ways(&v, &found);
	}
	if (r == 0 && found.state.present)
		*vec_push(all) = found;
	map_view_done(&v);
	return r;
}

static int all_scsi(struct all *all, struct err *e)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names maps = {};
	char serial[ARRAY_SERIAL_LEN + 1], uuid[DM_UUID_SIZE];
	int r = 0;

	sysdisk_list(all->root, "dm-", &maps);
	vec_each (m, &maps) {
		sysdisk_attr(all->root, m->text, "dm/uuid", uuid, sizeof(uuid));
		if (r == 0 && map_plan_serial_of_uuid(uuid, serial))
			r = add_scsi(all, serial, e);
	}
	vec_each (d, &all->disks)
		if (r == 0 && map_plan_serial_of_wwid(d->wwid, serial))
			r = add_scsi(all, serial, e);
	return r;
}

static void all_nvme(struct all *all)
{
	vec_each (ns, &all->namespaces) {
		struct map_found found = {};

		if (!map_plan_serial_of_nguid(ns->nguid, found.serial) ||
		    is_known(all, found.serial))
			continue;
		nvme_state(ns, all->root, &all->users, &found.state);
		*vec_push(all) = found;
	}
}

/* One walk over /proc for all that device-mapper does not count. */
static void read_users(struct all *all)
{
	struct map_numbers numbers = {};

	vec_each (d, &all->disks)
		if (!d->held)
			map_see_numbers(&numbers, all->root, d->name);
	vec_each (ns, &all->namespaces)
		map_see_numbers(&numbers, all->root, ns->name);
	read_users_of(&all->users, all, numbers.items, numbers.n, &all->arena);
	vec_free(&numbers);
}

int map_see_all(struct map_list *ret, const struct root *root, struct arena *a, struct err *e)
{
	struct all all = { .root = root };
	int r;

	scsi_disks_like(&all.disks, root, MAP_SEE_OUR_DISKS);
	nvme_namespaces(&all.namespaces, root, NULL);
	read_users(&all);
	r = all_scsi(&all, e);
	if (r == 0)
		all_nvme(&all);
	*ret = (struct map_list){ .n = all.n };
	ret->items = arena_alloc(a, all.n * sizeof(*all.items));
	if (all.n)
		memcpy(ret->items, all.items, all.n * sizeof(*all.items));
	vec_free(&all);
	scsi_disks_done(&all.disks);
	nvme_list_done(&all.namespaces);
	users_done(&all.users);
	users_done(&all.map_users);
	arena_done(&all.arena);
	return r;
}
