/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/absent.h"

struct known {
	struct registry_entry *items;
	size_t n;
};

static const struct registry_entry *entry_of(const struct known *k, const char *serial)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcasecmp(k->items[i].serial, serial) == 0)
			return &k->items[i];
	return NULL;
}

/* A namespace that its array could not be told to take away: what could be done here is done. */
static bool has_left(const struct registry_entry *entry, const struct map_state *s)
{
	return entry->leaving && map_is_namespace(s) && map_is_idle(s);
}

static bool is_anothers(const struct known *k, const struct map_found *device)
{
	const struct registry_entry *entry = entry_of(k, device->serial);

	return entry && ((entry->verified && !entry->leaving && device->state.in_use == MAP_OPEN) ||
			 has_left(entry, &device->state));
}

bool absent_here(struct call *c, const char *full)
{
	struct known known = {};
	struct map_list here = {};

	if (registry_list(c->ctx->registry, &c->arena, &known.items, &known.n, NULL) < 0 ||
	    workers_list(c->ctx->workers, &here, &c->arena, NULL) < 0)
		return false;
	/* Another section of storage.cfg may have mapped it. */
	for (size_t i = 0; i < known.n; i++)
		if (strcmp(known.items[i].array_volume, full) == 0)
			return false;
	for (size_t i = 0; i < here.n; i++)
		if (!is_anothers(&known, &here.items[i]))
			return false;
	return true;
}
