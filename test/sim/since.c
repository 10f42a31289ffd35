/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>

#include "sim.h"

/* Which version of REST 2.x told a member first; a caller that speaks an older one is not told.
 * From the vendor's descriptions of each version. */
static const struct {
	const char *path, *member; /* path "": of every object */
	unsigned int since;
} MEMBERS[] = {
	{ "", "space.total_used", 26 },
	{ "", "space.used_provisioned", 23 },
	{ "arrays", "eradication_config", 6 },
	{ "arrays", "eradication_config.manual_eradication", 10 },
	{ "arrays", "eradication_config.enabled_delay", 26 },
	{ "arrays", "eradication_config.disabled_delay", 26 },
	{ "connections", "nsid", 27 },
	{ "pods", "eradication_config", 13 },
	{ "pods", "quota_limit", 23 },
	{ "volume-groups", "pod", 20 },
	{ "volumes", "priority", 10 },
	{ "volumes", "promotion_status", 2 },
	{ "volumes", "requested_promotion_state", 2 },
};

/* Parameters of the query, in the same way: those that an older array refuses. */
static const struct {
	const char *method, *path, *key;
	unsigned int since;
} PARAMETERS[] = {
	{ "POST", "volumes", "with_default_protection", 16 },
	{ "GET", "connections", "volume_ids", 9 },
	{ "POST", "connections", "volume_ids", 9 },
	{ "DELETE", "connections", "volume_ids", 9 },
	{ "PATCH", "volume-snapshots", "replication_snapshot", 4 },
	{ "DELETE", "volume-snapshots", "replication_snapshot", 4 },
};

static void forget(json_t *item, const char *member)
{
	const char *dot = strchr(member, '.');
	char key[32];

	if (!dot) {
		(void)json_object_del(item, member);
		return;
	}
	(void)snprintf(key, sizeof(key), "%.*s", (int)(dot - member), member);
	forget(json_object_get(item, key), dot + 1);
}

static void forget_in(json_t *list, const char *member)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		forget(json_array_get(list, i), member);
}

void sim_since_members(struct sim_request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(MEMBERS); i++) {
		if (MEMBERS[i].since <= r->minor ||
		    (MEMBERS[i].path[0] && strcmp(MEMBERS[i].path, r->path) != 0))
			continue;
		forget_in(json_arr(r->reply, "items"), MEMBERS[i].member);
		forget_in(json_arr(r->reply, "total"), MEMBERS[i].member);
	}
}

bool sim_since_parameters(struct sim_request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(PARAMETERS); i++) {
		if (PARAMETERS[i].since <= r->minor || !sim_is(r, PARAMETERS[i].method) ||
		    strcmp(PARAMETERS[i].path, r->path) != 0 || !sim_arg(r, PARAMETERS[i].key))
			continue;
		sim_error(r, 400, NULL, "Invalid query parameter: %s.", PARAMETERS[i].key);
		return false;
	}
	return true;
}
