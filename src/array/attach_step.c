/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/attach_step.h"

#include <errno.h>

#include "util/clock.h"

int attach_time(const struct call *c, int reserve_ms)
{
	int left = call_left(c, reserve_ms);

	return left > STEP_MIN_MS ? left : STEP_MIN_MS;
}

const struct registry_entry *attach_entry(struct call *c, const char *volname, const char *snap)
{
	struct registry_entry *ret = arena_alloc(&c->arena, sizeof(*ret));
	int error = registry_find(c->ctx->registry, c->conf.storage, volname, snap, &c->arena, ret);

	if (error && error != -ENOENT)
		call_log(c, 0, "the registry of mapped volumes cannot be read: %s",
			 strerror(-error));
	return error ? NULL : ret;
}

struct registry_entry attach_new_entry(const struct call *c, const struct attach_target *t)
{
	return (struct registry_entry){ .storage = c->conf.storage,
					.volname = t->volname,
					.snap = t->snap,
					.array_volume = t->array_volume,
					.volume_id = t->volume_id ? t->volume_id : "",
					.serial = t->serial,
					.origin = t->origin ? t->origin : "",
					.protocol = c->conf.protocol,
					.size = t->size,
					.since = clock_now() };
}

const char *attach_group(const struct call *c, const struct attach_target *t)
{
	return *t->snap ? NULL : c->conf.host_group;
}

static size_t list_entries(struct call *c, struct registry_entry **ret)
{
	size_t n = 0;

	/* One that cannot be read was told of by attach_entry(). */
	return registry_list(c->ctx->registry, &c->arena, ret, &n, NULL) == 0 ? n : 0;
}

static bool is_alias(const struct registry_entry *it, const struct registry_entry *of)
{
	return of->serial && *of->serial && strcmp(it->storage, of->storage) == 0 &&
	       strcmp(it->serial, of->serial) == 0 &&
	       (strcmp(it->volname, of->volname) != 0 || strcmp(it->snap, of->snap) != 0);
}

const struct registry_entry *attach_alias(struct call *c, const struct attach_target *t)
{
	const struct registry_entry of = attach_new_entry(c, t);
	struct registry_entry *all = NULL;
	size_t n = list_entries(c, &all);

	for (size_t i = 0; i < n; i++)
		if (is_alias(&all[i], &of))
			return &all[i];
	return NULL;
}

int attach_drop_aliases(struct call *c, const struct registry_entry *entry, struct err *e)
{
	struct registry_entry *all = NULL;
	size_t n = list_entries(c, &all);
	int ret = 0;

	for (size_t i = 0; i < n && ret == 0; i++) {
		if (!is_alias(&all[i], entry))
			continue;
		call_log(c, 1, "%s was %s before", entry->volname, all[i].volname);
		ret = registry_drop(c->ctx->registry, all[i].storage, all[i].volname, all[i].snap,
				    e);
	}
	return ret;
}

const char *attach_own_name(struct call *c, const struct registry_entry *entry)
{
	struct registry_entry *all = NULL;
	size_t n = list_entries(c, &all);

	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].array_volume, entry->array_volume) == 0 &&
		    strcmp(all[i].serial, entry->serial) != 0)
			return NULL;
	return entry->array_volume;
}

int attach_put(struct call *c, const struct registry_entry *entry, struct err *e)
{
	int ret = registry_put(c->ctx->registry, entry, e);

	if (ret > 0)
		call_log(c, 0,
			 "the registry of mapped volumes could not be read: it is kept as "
			 "registry.json.bad, and a new one begun");
	return ret < 0 ? ret : 0;
}
