/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/candidates.h"

#include "util/str.h"

enum { DEPTH_MAX = 16 }; /* layers of device-mapper below one device */

struct chooser {
	const struct dm_set *dm;
	const struct sysblk *sys;
	bool (*guest_lv)(const char *lv);
	struct {
		/* Bits by device-mapper device: what stands on it. */
		bool feeds_lvm, feeds_map, feeds_partition;
	} * roles;
};

void candidates_done(struct candidates *c)
{
	vec_free(c);
}

static size_t index_of(const struct chooser *c, const struct dm_dev *d)
{
	return (size_t)(d - c->dm->items);
}

/* Volumes of one group stand on each other without being its disks. */
static bool is_in_vg(const struct dm_dev *d, struct slice vg)
{
	return slice_eq2(dmuuid_parse(d->uuid).vg, vg);
}

/* What a device is to those below it: LVM on a PV, or a map that hides them. */
static void note_roles(struct chooser *c)
{
	for (size_t i = 0; i < c->dm->n; i++) {
		const struct dm_dev *d = &c->dm->items[i];
		struct dm_uuid id = dmuuid_parse(d->uuid);
		enum dm_uuid_kind kind = id.kind;

		for (size_t k = 0; k < d->n_deps; k++) {
			const struct dm_dev *below = dm_set_find(c->dm, d->deps[k]);

			if (!below)
				continue;
			if (kind == DM_UUID_LVM || kind == DM_UUID_LVM_INTERNAL)
				c->roles[index_of(c, below)].feeds_lvm |= !is_in_vg(below, id.vg);
			else if (kind == DM_UUID_PART)
				c->roles[index_of(c, below)].feeds_partition = true;
			else if (kind == DM_UUID_MPATH || kind == DM_UUID_CRYPT)
				c->roles[index_of(c, below)].feeds_map = true;
		}
	}
}

/* A whole disk or partition that a multipath, crypt or partition map stands on. */
static bool is_under_a_map(const struct chooser *c, struct devno dev)
{
	for (size_t i = 0; i < c->dm->n; i++) {
		const struct dm_dev *d = &c->dm->items[i];
		enum dm_uuid_kind kind = dmuuid_parse(d->uuid).kind;

		if (kind != DM_UUID_MPATH && kind != DM_UUID_CRYPT && kind != DM_UUID_PART)
			continue;
		for (size_t k = 0; k < d->n_deps; k++)
			if (devno_eq(d->deps[k], dev))
				return true;
	}
	return false;
}

static bool is_multipath(const struct dm_dev *d)
{
	return d->n_targets == 1 && strcmp(d->targets[0].type, "multipath") == 0;
}

/*
 * Why reading @dev might never return, NULL if nothing says so. Walks down the layers with a stack
 * of its own; a multipath map lives by its paths' state, not by each disk's.
 */
static const char *illness(const struct chooser *c, struct devno dev)
{
	struct devno stack[DEPTH_MAX * 4] = { dev };
	size_t n = 1, steps = 0;

	while (n) {
		struct devno at = stack[--n];
		const struct dm_dev *d = dm_set_find(c->dm, at);
		const struct sysblk_dev *s = d ? NULL : sysblk_find(c->sys, at);

		if (s && s->ill)
			return s->ill;
		for (size_t i = 0; s && i < s->n_slaves && n < ARRAY_SIZE(stack); i++)
			stack[n++] = s->slaves[i];
		if (!d)
			continue;
		if (d->suspended)
			return "it, or a map below it, is suspended";
		if (is_multipath(d)) {
			if (!d->active_paths)
				return "no path of its multipath map is active";
			continue;
		}
		if (++steps > 1000 || n + d->n_deps > ARRAY_SIZE(stack))
			return "it stands on too many layers";
		for (size_t i = 0; i < d->n_deps; i++)
			stack[n++] = d->deps[i];
	}
	return NULL;
}

/* Something below is a guest's disk: what is inside is the guest's business. */
static bool inside_guest(const struct chooser *c, const struct dm_dev *d)
{
	for (int depth = 0; d && depth < DEPTH_MAX; depth++) {
		enum dm_uuid_kind kind = dmuuid_parse(d->uuid).kind;

		struct dm_lvm_name name;

		dmname_split(&name, d->name);
		if (kind == DM_UUID_LVM && c->guest_lv(name.lv))
			return true;
		if (kind == DM_UUID_LVM_INTERNAL || d->n_deps == 0)
			return false;
		d = dm_set_find(c->dm, d->deps[0]);
	}
	return false;
}

static bool is_md_member(const struct chooser *c, struct devno dev)
{
	vec_each (array, c->sys)
		for (size_t i = 0; i < array->n_slaves; i++)
			if (devno_eq(array->slaves[i], dev))
				return true;
	return false;
}

static bool map_may_be_pv(const struct chooser *c, const struct dm_dev *d)
{
	bool carries_lvm = c->roles[index_of(c, d)].feeds_lvm;

	if (is_md_member(c, d->dev) || c->roles[index_of(c, d)].feeds_map ||
	    c->roles[index_of(c, d)].feeds_partition || inside_guest(c, d))
		return false;
	switch (dmuuid_parse(d->uuid).kind) {
	case DM_UUID_MPATH:
	case DM_UUID_CRYPT:
	case DM_UUID_PART:
		return true;
	case DM_UUID_NONE:
	case DM_UUID_OTHER:
		return carries_lvm;
	case DM_UUID_LVM:
		return carries_lvm && strcmp(d->n_targets ? d->targets[0].type : "", "linear") == 0;
	case DM_UUID_LVM_INTERNAL:
	default:
		return false;
	}
}

static void add(struct candidates *ret, struct arena *a, const char *folder, const char *name,
		struct devno dev, const char *refused)
{
	struct candidate *cand = vec_push(ret);

	cand->path = arena_fmt(a, "/dev/%s%s", folder, name);
	cand->dev = dev;
	cand->refused = refused;
}

void candidates_choose(struct candidates *ret, const struct dm_set *dm, const struct sysblk *sys,
		       bool (*guest_lv)(const char *lv), struct arena *a)
{
	struct chooser c = { .dm = dm, .sys = sys, .guest_lv = guest_lv };

	c.roles = xcalloc(dm->n, sizeof(*c.roles));
	note_roles(&c);
	for (size_t i = 0; i < sys->n; i++) {
		const struct sysblk_dev *s = &sys->items[i];

		if (!s->component && !is_under_a_map(&c, s->dev) &&
		    !(s->partition && is_under_a_map(&c, s->whole)))
			add(ret, a, "", s->name, s->dev, illness(&c, s->dev));
	}
	for (size_t i = 0; i < dm->n; i++) {
		const struct dm_dev *d = &dm->items[i];

		if (map_may_be_pv(&c, d))
			add(ret, a, "mapper/", d->name, d->dev, illness(&c, d->dev));
	}
	free(c.roles);
}
