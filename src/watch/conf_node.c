/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <arpa/inet.h>

#include "util/ini.h"
#include "util/str.h"
#include "watch/conf_value.h"

void watch_node_default(struct watch_node *n)
{
	*n = (struct watch_node){ .tag = "mon-restart",
				  .correlate = 3,
				  .correlate_percent = 30,
				  .actions = 3,
				  .gateway = "auto",
				  .notify = true };
}

/* A tag of Proxmox' (PVE::JSONSchema, pve-tag). */
static bool is_tag(struct slice v)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (slice_empty(v) || v.n > 124 || !memchr(first, *v.p, sizeof(first) - 1))
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!memchr(first, v.p[i], sizeof(first) - 1) && !strchr("-+.", v.p[i]))
			return false;
	return true;
}

static const char *take_tag(struct slice v, void *into, struct arena *a)
{
	if (slice_eq(v, "none") || slice_empty(v)) {
		*(const char **)into = "";
		return NULL;
	}
	return is_tag(v) ? ini_take_text(v, into, a) : "a tag of Proxmox' or none";
}

static const char *take_gateway(struct slice v, void *into, struct arena *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;

	if (v.n < sizeof(text) && v.n)
		memcpy(text, v.p, v.n);
	if (strlen(text) != v.n ||
	    (!slice_eq(v, "auto") && !slice_eq(v, "none") &&
	     inet_pton(AF_INET, text, &address) != 1 && inet_pton(AF_INET6, text, &address) != 1))
		return "auto, none or an address";
	return ini_take_text(v, into, a);
}

static const char *take_number(struct slice v, uint32_t low, uint32_t high, void *into)
{
	uint32_t n;

	if (!str_to_u32(v, &n) || n < low || n > high)
		return "another number";
	*(uint32_t *)into = n;
	return NULL;
}

/* One guest alone is never the checker's problem. */
static const char *take_correlate(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, 2, 100000, into) ? "guests, 2 to 100000" : NULL;
}

static const char *take_percent(struct slice v, void *into, struct arena *a)
{
	(void)a;
	if (slice_ends(v, "%"))
		v = slice_rtrim((struct slice){ v.p, v.n - 1 });
	return take_number(v, 1, 100, into) ? "percent, 1 to 100" : NULL;
}

static const char *take_actions(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, 1, 100, into) ? "guests at the same time, 1 to 100" : NULL;
}

static const char *take_bool(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return conf_take_bool(v, into) ? "yes or no" : NULL;
}

void watch_node_read(struct watch_node *n, struct slice text, const char *file, struct arena *a,
		     struct diags *diags)
{
	static const struct ini_key keys[] = {
		{ "watch", "tag", take_tag, offsetof(struct watch_node, tag) },
		{ "watch", "correlate", take_correlate, offsetof(struct watch_node, correlate) },
		{ "watch", "correlate_percent", take_percent,
		  offsetof(struct watch_node, correlate_percent) },
		{ "watch", "actions", take_actions, offsetof(struct watch_node, actions) },
		{ "watch", "gateway", take_gateway, offsetof(struct watch_node, gateway) },
		{ "watch", "mvmm_names", take_bool, offsetof(struct watch_node, mvmm_names) },
		{ "watch", "notify", take_bool, offsetof(struct watch_node, notify) },
	};

	ini_read(text, file, keys, ARRAY_SIZE(keys), n, a, diags);
}
