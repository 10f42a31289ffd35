/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/refs.h"

#include "util/str.h"

static int by_name(const void *a, const void *b)
{
	const struct dm_ref *x = a, *y = b;
	int r = strcmp(x->lv, y->lv);

	if (r)
		return r;
	if (!x->vg || !y->vg)
		return (x->vg != NULL) - (y->vg != NULL);
	return strcmp(x->vg, y->vg);
}

/* "base-100-disk-0/vm-101-disk-0": the volume is what stands last. */
static const char *last_part(const char *volname)
{
	const char *slash = strrchr(volname, '/');

	return slash ? slash + 1 : volname;
}

/* Links of udev that name a device-mapper device, by its name or its UUID. */
static const char *dm_link(const char *path)
{
	static const char *const prefixes[] = { "/dev/mapper/", "/dev/disk/by-id/dm-name-",
						"/dev/disk/by-id/dm-uuid-" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
			return path + strlen(prefixes[i]);
	return NULL;
}

/* Paths of device-mapper devices and "/dev/VG/LV"; others say nothing about either. */
static void add_path(struct dm_refs *ret, struct dm_ref ref, const char *path, struct arena *a)
{
	struct slice rest = slice_of(path), vg;

	if (dm_link(path)) {
		ref.lv = dm_link(path);
		*vec_push(&ret->by_path) = ref;
		return;
	}
	if (!slice_starts(rest, "/dev/"))
		return;
	rest = slice_from(rest, 5);
	if (!slice_split(&rest, '/', &vg) || slice_empty(rest))
		return;
	ref.vg = arena_str(a, vg);
	ref.lv = arena_str(a, rest);
	*vec_push(ret) = ref;
}

/*
 * Whether volumes of @s can be logical volumes at all, and of which VG. A plugin that we do not
 * know may use LVM if its storage names a VG; an LVM storage that names none may mean any.
 */
static bool may_mean_lvm(const struct storage *s, const char **ret_vg)
{
	*ret_vg = s->vgname;
	if (!*ret_vg && s->section)
		*ret_vg = section_get(s->section, "vgname");
	return *ret_vg || strcmp(s->type, "lvm") == 0 || strcmp(s->type, "lvmthin") == 0;
}

static void add_volume(struct dm_refs *ret, const struct cluster *c, const struct guest *g,
		       const struct guest_volume *v, struct arena *a)
{
	struct dm_ref ref = { .guest = g, .volume = v };

	if (!v->storage) {
		add_path(ret, ref, v->volname, a);
		return;
	}
	ref.storage = storage_find(&c->storages, slice_of(v->storage));
	if (ref.storage && !may_mean_lvm(ref.storage, &ref.vg))
		return;
	ref.lv = last_part(v->volname);
	*vec_push(ret) = ref;
}

static void sort(struct dm_ref *items, size_t n)
{
	if (n)
		qsort(items, n, sizeof(*items), by_name);
}

void dm_refs_build(struct dm_refs *ret, const struct cluster *c, struct arena *a)
{
	for (size_t i = 0; i < c->n_guests; i++)
		for (size_t k = 0; k < c->guests[i].n_volumes; k++)
			add_volume(ret, c, &c->guests[i], &c->guests[i].volumes[k], a);
	sort(ret->items, ret->n);
	sort(ret->by_path.items, ret->by_path.n);
}

void dm_refs_done(struct dm_refs *r)
{
	vec_free(&r->by_path);
	vec_free(r);
}

static struct dm_ref_run find(const struct dm_ref *items, size_t n, struct slice lv)
{
	size_t low = 0, high = n, end;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (slice_cmp(slice_of(items[mid].lv), lv) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < n && slice_eq(lv, items[end].lv); end++)
		;
	return (struct dm_ref_run){ n ? items + low : NULL, end - low };
}

struct dm_ref_run dm_refs_named(const struct dm_refs *r, struct slice lv)
{
	return find(r->items, r->n, lv);
}

struct dm_ref_run dm_refs_path(const struct dm_refs *r, const char *dm_name)
{
	return find(r->by_path.items, r->by_path.n, slice_of(dm_name));
}
