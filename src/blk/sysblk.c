/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/sysblk.h"

#include <errno.h>
#include <stdio.h>

#include "blk/netfs.h"
#include "util/str.h"

#define CLASS "sys/class/block"

static int by_devno(const void *a, const void *b)
{
	return devno_cmp(((const struct sysblk_dev *)a)->dev, ((const struct sysblk_dev *)b)->dev);
}

const struct sysblk_dev *sysblk_find(const struct sysblk *s, struct devno dev)
{
	struct sysblk_dev key = { .dev = dev };

	return s->n ? bsearch(&key, s->items, s->n, sizeof(key), by_devno) : NULL;
}

void sysblk_done(struct sysblk *s)
{
	vec_free(s);
}

/* Kinds that carry no physical volume of this node. zd and rbd are guests' own disks, which
 * Proxmox' lvm.conf keeps LVM away from. */
static bool is_ignored(const char *name)
{
	static const char *const prefixes[] = {
		"dm-", "ram", "zram", "zd", "rbd", "nbd", "sr", "fd"
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

struct reader {
	const struct root *root;
	struct arena *arena;
	struct netfs mounts;
	struct buf text;
};

static bool attribute(struct reader *r, const char *name, const char *attr)
{
	char path[512];

	(void)snprintf(path, sizeof(path), CLASS "/%s/%s", name, attr);
	return root_read_line(r->root, path, &r->text) == 0;
}

static bool attribute_u64(struct reader *r, const char *name, const char *attr, uint64_t *ret)
{
	return attribute(r, name, attr) && str_to_u64(slice_trim(buf_slice(&r->text)), ret);
}

/* An NVMe device lives while one of the controllers behind it does. */
static const char *nvme_illness(struct reader *r, const char *name)
{
	bool any = false, live = false;
	struct dirent *entry;
	char path[512];
	DIR *dir;

	if (attribute(r, name, "device/state"))
		return strcmp(r->text.data, "live") == 0 ? NULL : "its NVMe controller is not live";
	(void)snprintf(path, sizeof(path), CLASS "/%s/device", name);
	dir = root_opendir(r->root, path);
	while (dir && (entry = readdir(dir))) {
		char attr[300];

		if (strncmp(entry->d_name, "nvme", 4) != 0 || strchr(entry->d_name, 'n') == NULL)
			continue;
		(void)snprintf(attr, sizeof(attr), "device/%s/state", entry->d_name);
		if (!attribute(r, name, attr))
			continue;
		any = true;
		live |= strcmp(r->text.data, "live") == 0;
	}
	if (dir)
		(void)closedir(dir);
	return any && !live ? "none of its NVMe controllers is live" : NULL;
}

/* A loop device over an image on a file server that is gone never answers. */
static const char *loop_illness(struct reader *r, const char *name)
{
	if (attribute(r, name, "loop/backing_file") && netfs_holds(&r->mounts, buf_str(&r->text)))
		return "its image lies on a network file system";
	return NULL;
}

static const char *illness(struct reader *r, const char *name)
{
	if (strncmp(name, "loop", 4) == 0)
		return loop_illness(r, name);
	if (strncmp(name, "nvme", 4) == 0)
		return nvme_illness(r, name);
	if (strncmp(name, "md", 2) == 0) {
		if (attribute(r, name, "md/array_state") &&
		    (strcmp(r->text.data, "inactive") == 0 || strcmp(r->text.data, "clear") == 0 ||
		     strcmp(r->text.data, "suspended") == 0 || strcmp(r->text.data, "broken") == 0))
			return "its md array does not run";
		return NULL;
	}
	if (attribute(r, name, "device/state") && strcmp(r->text.data, "running") != 0)
		return "its SCSI device is not running";
	return NULL;
}

/* What an md array is made of, device-mapper's devices among it. */
static void read_slaves(struct reader *r, struct sysblk_dev *d, const char *name)
{
	VEC(struct devno) found = {};
	struct dirent *entry;
	char path[512];
	DIR *dir;

	(void)snprintf(path, sizeof(path), CLASS "/%s/slaves", name);
	dir = root_opendir(r->root, path);
	while (dir && (entry = readdir(dir))) {
		char attr[300];
		struct devno dev;

		(void)snprintf(attr, sizeof(attr), "slaves/%s/dev", entry->d_name);
		if (entry->d_name[0] != '.' && attribute(r, name, attr) &&
		    devno_parse(slice_trim(buf_slice(&r->text)), &dev))
			*vec_push(&found) = dev;
	}
	if (dir)
		(void)closedir(dir);
	d->n_slaves = found.n;
	d->slaves = arena_alloc(r->arena, found.n * sizeof(*d->slaves));
	if (found.n)
		memcpy(d->slaves, found.items, found.n * sizeof(*d->slaves));
	vec_free(&found);
}

static void read_one(struct reader *r, struct sysblk *ret, const char *name)
{
	struct sysblk_dev d = {};
	uint64_t sectors = 0, number;
	char *slash;

	if (!attribute(r, name, "dev") || !devno_parse(slice_trim(buf_slice(&r->text)), &d.dev))
		return;
	if (!attribute_u64(r, name, "size", &sectors) || sectors == 0)
		return;
	if (attribute_u64(r, name, "partition", &number)) {
		d.partition = attribute(r, name, "../dev") &&
			      devno_parse(slice_trim(buf_slice(&r->text)), &d.whole) &&
			      attribute_u64(r, name, "start", &d.start);
	} else {
		d.ill = illness(r, name);
		if (strncmp(name, "md", 2) == 0)
			read_slaves(r, &d, name);
	}
	/* sysfs writes the slash of a name in a sub-folder of /dev as '!'. */
	d.name = arena_str(r->arena, slice_of(name));
	for (slash = (char *)d.name; (slash = strchr(slash, '!'));)
		*slash = '/';
	*vec_push(ret) = d;
}

/* Members of md arrays: LVM must see the array, not its parts. */
static void mark_components(struct sysblk *s)
{
	vec_each (array, s)
		for (size_t i = 0; i < array->n_slaves; i++)
			vec_each (d, s)
				if (devno_eq(d->dev, array->slaves[i]))
					d->component = true;
}

/* A partition is as well as its disk. */
static void inherit_illness(struct sysblk *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct sysblk_dev *whole;

		if (!s->items[i].partition)
			continue;
		whole = sysblk_find(s, s->items[i].whole);
		if (whole)
			s->items[i].ill = whole->ill;
	}
}

int sysblk_read(struct sysblk *ret, const struct root *root, struct arena *a, struct err *e)
{
	struct reader r = { .root = root, .arena = a };
	DIR *dir = root_opendir(root, CLASS);
	struct dirent *entry;

	*ret = (struct sysblk){};
	if (!dir && !root->live)
		return 0;
	if (!dir)
		return err_set(e, -errno, "/" CLASS ": %s", strerror(errno));
	netfs_read(&r.mounts, root);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !is_ignored(entry->d_name))
			read_one(&r, ret, entry->d_name);
	(void)closedir(dir);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_devno);
	mark_components(ret);
	inherit_illness(ret);
	netfs_done(&r.mounts);
	buf_done(&r.text);
	return 0;
}
