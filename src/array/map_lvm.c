/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/map_lvm.h"

#include "array/map_plan.h"

/* The map first, where there is one, then what stands on it. */
struct stack {
	const struct map_lvm_base *base;
	const struct dm_dev *items[1 + MAP_LVM_MAX];
	size_t first, n; /* what stands on it: from @first on */
};

static bool is_among(const struct map_numbers *numbers, struct devno dev)
{
	vec_each (it, numbers)
		if (devno_eq(*it, dev))
			return true;
	return false;
}

static bool has(const struct stack *s, struct devno dev)
{
	for (size_t i = 0; i < s->n; i++)
		if (devno_eq(s->items[i]->dev, dev))
			return true;
	return false;
}

static bool stands_on(const struct dm_dev *d, struct devno dev)
{
	for (size_t i = 0; i < d->n_deps; i++)
		if (devno_eq(d->deps[i], dev))
			return true;
	return false;
}

static bool stands_on_any(const struct dm_dev *d, const struct stack *s)
{
	for (size_t i = 0; i < d->n_deps; i++)
		if (has(s, d->deps[i]) || is_among(&s->base->disks, d->deps[i]))
			return true;
	return false;
}

static bool is_part(const struct dm_dev *d)
{
	return dmuuid_parse(d->uuid).kind == DM_UUID_PART;
}

static bool is_volume(const struct dm_dev *d)
{
	struct dm_uuid id = dmuuid_parse(d->uuid);
	char serial[ARRAY_SERIAL_LEN + 1];

	return map_plan_serial_of_uuid(id.kind == DM_UUID_PART ? id.rest.p : d->uuid, serial);
}

static bool is_lvm(const struct dm_dev *d)
{
	enum dm_uuid_kind kind = dmuuid_parse(d->uuid).kind;

	return kind == DM_UUID_LVM || kind == DM_UUID_LVM_INTERNAL;
}

/* A RAID or a cache that goes writes to its disks what it knows of them, which is of when it was
 * activated: the guest has run since, or runs on another node by now. */
static bool goes_without_writing(const struct dm_dev *d)
{
	static const char *const types[] = { "linear", "striped",   "error",	"zero",
					     "thin",   "thin-pool", "snapshot", "snapshot-origin" };
	size_t known = 0;

	for (size_t i = 0; i < d->n_targets; i++)
		for (size_t k = 0; k < ARRAY_SIZE(types); k++)
			known += strcmp(d->targets[i].type, types[k]) == 0;
	return known == d->n_targets;
}

/* False: there is more than anybody would look through. */
static bool collect(struct stack *ret, const struct dm_set *all)
{
	size_t before;

	do {
		before = ret->n;
		for (size_t i = 0; i < all->n; i++) {
			const struct dm_dev *d = &all->items[i];

			if (has(ret, d->dev) || !stands_on_any(d, ret))
				continue;
			if (ret->n - ret->first == MAP_LVM_MAX)
				return false;
			ret->items[ret->n++] = d;
		}
	} while (ret->n > before);
	return true;
}

/* Not only on this one: a guest's volume group may be over two of its disks. */
static bool lies_on_volumes(const struct dm_dev *d, const struct stack *s, const struct dm_set *all)
{
	for (size_t i = 0; i < d->n_deps; i++) {
		const struct dm_dev *below = dm_set_find(all, d->deps[i]);

		if (has(s, d->deps[i]))
			continue;
		if (below ? !is_volume(below) : !is_among(&s->base->volumes, d->deps[i]))
			return false;
	}
	return true;
}

/* By nothing but what stands on it, each of which counts once; nor is anybody changing it. */
static bool is_open_to_those_above(const struct dm_dev *d, const struct dm_set *all)
{
	uint32_t above = 0;

	for (size_t i = 0; i < all->n; i++)
		above += stands_on(&all->items[i], d->dev);
	return d->open_count == above && !d->suspended && !d->inactive_table;
}

static bool is_below_another(const struct stack *s, const struct dm_dev *d)
{
	for (size_t i = s->first; i < s->n; i++)
		if (stands_on(s->items[i], d->dev))
			return true;
	return false;
}

/* From the top: each that nothing of what is left stands on. */
static void order(struct map_lvm *ret, struct stack *s)
{
	size_t i = s->first;

	while (i < s->n) {
		const struct dm_dev *d = s->items[i];

		if (is_below_another(s, d)) {
			i++;
			continue;
		}
		if (is_lvm(d))
			ret->items[ret->n++] = d;
		s->items[i] = s->items[--s->n];
		i = s->first;
	}
}

/* False: it is not there, or there is more on it than anybody would look through. */
static bool build(struct stack *ret, const struct dm_set *all, const struct map_lvm_base *base)
{
	*ret = (struct stack){ .base = base };
	for (size_t i = 0; base->uuid && i < all->n && !ret->n; i++)
		if (strcmp(all->items[i].uuid, base->uuid) == 0)
			ret->items[ret->n++] = &all->items[i];
	ret->first = ret->n;
	return (base->uuid ? ret->n : base->disks.n) && collect(ret, all);
}

/* md, bcache and whoever else takes disks: device-mapper knows nothing of them. */
static bool has_all_holders(const struct stack *s)
{
	vec_each (holder, &s->base->holders)
		if (!has(s, *holder))
			return false;
	return true;
}

bool map_lvm_idle(const struct dm_set *all, const struct map_lvm_base *base, struct map_lvm *ret)
{
	struct stack s;

	*ret = (struct map_lvm){};
	if (!build(&s, all, base) || !has_all_holders(&s))
		return false;
	for (size_t i = s.first; i < s.n; i++)
		ret->writes |= is_lvm(s.items[i]) && !goes_without_writing(s.items[i]);
	if (ret->writes)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const struct dm_dev *d = s.items[i];

		if (!is_open_to_those_above(d, all))
			return false;
		if (i < s.first)
			continue;
		if ((!is_lvm(d) && !(is_part(d) && is_volume(d))) || !lies_on_volumes(d, &s, all))
			return false;
	}
	order(ret, &s);
	return ret->n > 0;
}
