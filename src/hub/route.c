/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/route.h"

#include <errno.h>
#include <stdio.h>

#include "agent/wire.h"
#include "hub/store.h"

/* An object is a tree of many small pieces while it is checked. */
enum { SMALL = 64 * 1024, OBJECT = 1024 * 1024 };

#define CLUSTER "/api/v1/clusters/{cluster}"

static const struct route routes[] = {
	{ "POST", WIRE_DOCUMENTS_PATH, ROUTE_DOCUMENTS, 0, NEED_AGENT, WIRE_BODY_MAX },
	{ "POST", WIRE_CLUSTER_PATH, ROUTE_OBJECT, STORE_CLUSTER, NEED_AGENT, OBJECT },
	{ "POST", WIRE_NODE_PATH, ROUTE_OBJECT, STORE_NODE, NEED_AGENT, OBJECT },
	{ "POST", WIRE_LXC_PATH, ROUTE_OBJECT, STORE_LXC, NEED_AGENT, OBJECT },
	{ "POST", WIRE_QEMU_PATH, ROUTE_OBJECT, STORE_QEMU, NEED_AGENT, OBJECT },
	{ "POST", WIRE_AGENT_PATH, ROUTE_AGENT, 0, NEED_NOBODY, SMALL },
	{ "GET", "/login", ROUTE_LOGIN, 0, NEED_NOBODY, 0 },
	{ "POST", "/login", ROUTE_LOGIN, 0, NEED_NOBODY, SMALL },
	{ "POST", "/logout", ROUTE_LOGOUT, 0, NEED_NOBODY, SMALL },
	{ "GET", "/agent/authorize", ROUTE_AUTHORIZE, 0, NEED_NOBODY, 0 },
	{ "POST", "/agent/authorize", ROUTE_AUTHORIZE, 0, NEED_NOBODY, SMALL },
	{ "GET", "/api/v1/clusters", ROUTE_LIST, STORE_LIST_CLUSTERS, NEED_READER, 0 },
	{ "GET", "/api/v1/nodes", ROUTE_LIST, STORE_LIST_NODES, NEED_READER, 0 },
	{ "GET", "/api/v1/guests", ROUTE_LIST, STORE_LIST_GUESTS, NEED_READER, 0 },
	{ "GET", "/api/v1/storages", ROUTE_LIST, STORE_LIST_STORAGES, NEED_READER, 0 },
	{ "GET", "/api/v1/findings", ROUTE_LIST, STORE_LIST_FINDINGS, NEED_READER, 0 },
	{ "GET", "/api/v1/events", ROUTE_LIST, STORE_LIST_EVENTS, NEED_READER, 0 },
	{ "GET", CLUSTER, ROUTE_ONE, STORE_LIST_CLUSTERS, NEED_READER, 0 },
	{ "GET", CLUSTER "/nodes/{node}", ROUTE_ONE, STORE_LIST_NODES, NEED_READER, 0 },
	{ "GET", CLUSTER "/guests/{vmid}", ROUTE_ONE, STORE_LIST_GUESTS, NEED_READER, 0 },
	{ "GET", CLUSTER "/nodes/{node}/history", ROUTE_HISTORY, STORE_LIST_NODES, NEED_READER, 0 },
	{ "GET", CLUSTER "/guests/{vmid}/history", ROUTE_HISTORY, STORE_LIST_GUESTS, NEED_READER,
	  0 },
	{ "GET", CLUSTER "/storages/{node}/{storage}/history", ROUTE_HISTORY, STORE_LIST_STORAGES,
	  NEED_READER, 0 },
	{ "GET", "/api/proxmox/clusters", ROUTE_NANNY_LIST, STORE_CLUSTER, NEED_READER, 0 },
	{ "GET", "/api/proxmox/nodes", ROUTE_NANNY_LIST, STORE_NODE, NEED_READER, 0 },
	{ "GET", "/api/proxmox/lxc", ROUTE_NANNY_LIST, STORE_LXC, NEED_READER, 0 },
	{ "GET", "/api/proxmox/qemu", ROUTE_NANNY_LIST, STORE_QEMU, NEED_READER, 0 },
	{ "GET", "/api/proxmox/clusters/{id}", ROUTE_NANNY_ONE, STORE_CLUSTER, NEED_READER, 0 },
	{ "GET", "/api/proxmox/nodes/{id}", ROUTE_NANNY_ONE, STORE_NODE, NEED_READER, 0 },
	{ "GET", "/api/proxmox/lxc/{id}", ROUTE_NANNY_ONE, STORE_LXC, NEED_READER, 0 },
	{ "GET", "/api/proxmox/qemu/{id}", ROUTE_NANNY_ONE, STORE_QEMU, NEED_READER, 0 },
	{ "DELETE", "/api/proxmox/clusters/{id}", ROUTE_NANNY_DELETE, STORE_CLUSTER, NEED_PERSON,
	  0 },
	{ "DELETE", "/api/proxmox/nodes/{id}", ROUTE_NANNY_DELETE, STORE_NODE, NEED_PERSON, 0 },
	{ "DELETE", "/api/proxmox/lxc/{id}", ROUTE_NANNY_DELETE, STORE_LXC, NEED_PERSON, 0 },
	{ "DELETE", "/api/proxmox/qemu/{id}", ROUTE_NANNY_DELETE, STORE_QEMU, NEED_PERSON, 0 },
	{ "GET", "/healthz", ROUTE_HEALTH, 0, NEED_NOBODY, 0 },
	{ "GET", "/metrics", ROUTE_METRICS, 0, NEED_NOBODY, 0 }, /* a token, or this machine */
	{ "GET", "/api/v1/openapi.yaml", ROUTE_OPENAPI, 0, NEED_NOBODY, 0 },
};

/* Does the path of @r fit; fills the captures. */
static bool fits(const struct route *r, const struct target *t, const char **captures)
{
	const char *p = r->path + 1;
	size_t n = 0;

	for (size_t i = 0; i < t->n_segments; i++) {
		size_t len = strcspn(p, "/");
		const char *segment = t->segments[i];

		if (p[0] == '{') {
			if (!segment[0])
				return false;
			captures[n++] = segment;
		} else if (strlen(segment) != len || memcmp(segment, p, len) != 0) {
			return false;
		}
		p += len;
		if (*p == '\0')
			return i + 1 == t->n_segments;
		p++;
	}
	return false;
}

static void allow_more(struct route_match *m, const char *method)
{
	size_t n = strlen(m->allow);

	(void)snprintf(m->allow + n, sizeof(m->allow) - n, "%s%s%s", n ? ", " : "", method,
		       strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

int route_find(const char *method, const struct target *t, struct route_match *ret)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	const char *captures[ROUTE_CAPTURES] = {};

	*ret = (struct route_match){};
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!fits(&routes[i], t, captures))
			continue;
		allow_more(ret, routes[i].method);
		if (strcmp(routes[i].method, wanted) != 0)
			continue;
		ret->route = &routes[i];
		memcpy(ret->captures, captures, sizeof(captures));
	}
	if (ret->route)
		return 0;
	return ret->allow[0] ? -EOPNOTSUPP : -ENOENT;
}

const struct route *route_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(routes);
	return routes;
}
