/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <strings.h>

#include "backend.h"
#include "sim.h"

enum { LUN_MAX = 4095, LUN_SHARED = 254 };

/* Both sides of a connection as the request names them. */
struct sides {
	struct sim_names hosts, groups, volumes, ids;
	bool by_host, by_group, by_volume, by_id;
};

static void sides_from(struct sim_request *r, struct sides *s)
{
	*s = (struct sides){};
	s->hosts = sim_list(r, "host_names", &s->by_host);
	s->groups = sim_list(r, "host_group_names", &s->by_group);
	s->volumes = sim_list(r, "volume_names", &s->by_volume);
	s->ids = sim_list(r, "volume_ids", &s->by_id);
}

static void sides_done(struct sides *s)
{
	sim_names_free(&s->hosts);
	sim_names_free(&s->groups);
	sim_names_free(&s->volumes);
	sim_names_free(&s->ids);
}

/* Ids become names, so that what follows knows names only. */
static void ids_to_names(struct sim_request *r, struct sides *s)
{
	if (s->by_id && s->by_volume)
		sim_error(r, 400, NULL, "Cannot provide both volume_names and volume_ids.");
	vec_each (id, &s->ids.list) {
		const struct sim_volume *v = sim_volume_by_id(r->array, *id);

		if (v)
			sim_names_add(&s->volumes, v->o.name);
		else
			sim_error(r, 400, *id, "Volume does not exist.");
	}
	s->by_volume |= s->by_id;
}

static void must_exist(struct sim_request *r, const struct sides *s)
{
	vec_each (name, &s->hosts.list)
		if (!sim_host_find(r->array, *name))
			sim_error(r, 400, *name, "Host does not exist.");
	vec_each (name, &s->groups.list)
		if (!sim_hgroup_find(r->array, *name))
			sim_error(r, 400, *name, "Host group does not exist.");
	vec_each (name, &s->volumes.list)
		if (!sim_volume_find(r->array, *name))
			sim_error(r, 400, *name, "Volume does not exist.");
}

static bool is_asked(const struct sides *s, const struct sim_connection *c)
{
	const struct sim_hgroup *g = c->group;

	if (s->by_volume && !sim_names_has(&s->volumes, c->volume->o.name))
		return false;
	if (s->by_host && !(c->host && sim_names_has(&s->hosts, c->host->o.name)))
		return false;
	return !s->by_group || (g && sim_names_has(&s->groups, g->o.name));
}

/* Tokens are made of rows' numbers, so each row has one of its own. */
static uint64_t row_number(const struct sim_connection *c, const struct sim_host *h)
{
	return (c->seq << 24) + (h ? h->o.seq : 0);
}

/* A group's connection is told once for each host in it, or once if it has none. */
static void add_members(struct sim_request *r, const struct sides *s,
			const struct sim_connection *c, struct sim_rows *rows)
{
	bool empty = true;

	vec_each (h, &r->sim->hosts) {
		struct sim_connection of_host = *c;

		if ((*h)->group != c->group)
			continue;
		empty = false;
		of_host.host = *h;
		if (is_asked(s, &of_host))
			sim_row(rows, row_number(c, *h), sim_connection_json(&of_host));
	}
	if (empty && is_asked(s, c))
		sim_row(rows, row_number(c, NULL), sim_connection_json(c));
}

static void list(struct sim_request *r, struct sides *s)
{
	struct sim_rows rows = {};

	must_exist(r, s);
	vec_each (c, &r->sim->connections) {
		if ((*c)->array != r->array->index)
			continue;
		if ((*c)->group)
			add_members(r, s, *c, &rows);
		else if (is_asked(s, *c))
			sim_row(&rows, row_number(*c, NULL), sim_connection_json(*c));
	}
	sim_list_reply(r, &rows);
}

/* Does a host see anything at @lun, directly or through its group? */
static bool host_has_lun(const struct sim_array *a, const struct sim_host *h, unsigned int lun)
{
	vec_each (c, &a->sim->connections)
		if ((*c)->array == a->index && (*c)->lun == lun &&
		    ((*c)->host == h || ((*c)->group && (*c)->group == h->group)))
			return true;
	return false;
}

static bool is_free(const struct sim_array *a, const struct sim_host *h, const struct sim_hgroup *g,
		    unsigned int lun)
{
	if (h)
		return !host_has_lun(a, h, lun);
	vec_each (c, &a->sim->connections)
		if ((*c)->array == a->index && (*c)->group == g && (*c)->lun == lun)
			return false;
	vec_each (m, &a->sim->hosts)
		if ((*m)->group == g && host_has_lun(a, *m, lun))
			return false;
	return true;
}

/* Private ones from 1 up; shared ones from 254 down, then from 255 up. 0: none is free. */
static unsigned int free_lun(const struct sim_array *a, const struct sim_host *h,
			     const struct sim_hgroup *g)
{
	for (unsigned int i = 1; i <= LUN_MAX; i++) {
		unsigned int lun = !h && i <= LUN_SHARED ? LUN_SHARED + 1 - i : i;

		if (is_free(a, h, g, lun))
			return lun;
	}
	return 0;
}

static bool lun_ok(struct sim_request *r, const struct sim_host *h, const struct sim_hgroup *g,
		   const char *context, unsigned int *ret)
{
	uint64_t lun;

	if (!json_u64(r->body, "lun", &lun)) {
		*ret = free_lun(r->array, h, g);
		if (*ret)
			return true;
		sim_error(r, 400, context, "No LUN is available.");
		return false;
	}
	if (lun >= 1 && lun <= LUN_MAX && is_free(r->array, h, g, (unsigned int)lun)) {
		*ret = (unsigned int)lun;
		return true;
	}
	sim_error(r, 400, context, "LUN is already in use.");
	return false;
}

/* There already, also when the host has it through its group. */
static bool is_connected(const struct sim_request *r, const struct sim_volume *v,
			 const struct sim_host *h, const struct sim_hgroup *g)
{
	if (sim_connection_find(r->array, v, h, g))
		return true;
	if (h)
		return h->group && sim_connection_find(r->array, v, NULL, h->group);
	vec_each (m, &r->sim->hosts)
		if ((*m)->group == g && sim_connection_find(r->array, v, *m, NULL))
			return true;
	return false;
}

static bool can_connect(struct sim_request *r, const struct sim_volume *v, const struct sim_host *h,
			const struct sim_hgroup *g)
{
	unsigned int lun;

	if (v->o.destroyed)
		sim_error(r, 400, v->o.name, "Volume has been destroyed.");
	else if (is_connected(r, v, h, g))
		sim_error(r, 400, v->o.name, "Connection already exists.");
	else
		return lun_ok(r, h, g, v->o.name, &lun);
	return false;
}

static void connect_one(struct sim_request *r, struct sim_volume *v, struct sim_host *h,
			struct sim_hgroup *g, json_t *items)
{
	struct sim_connection *c;
	unsigned int lun;

	if (!lun_ok(r, h, g, v->o.name, &lun))
		return;
	c = xcalloc(1, sizeof(*c));
	*c = (struct sim_connection){ .seq = ++r->sim->seq,
				      .array = r->array->index,
				      .host = h,
				      .group = g,
				      .volume = v,
				      .lun = lun };
	*vec_push(&r->sim->connections) = c;
	sim_backend_connect(r->sim, c);
	json_array_append_new(items, sim_connection_json(c));
}

static void one_side_only(struct sim_request *r, const struct sides *s)
{
	if (s->by_host == s->by_group)
		sim_error(r, 400, NULL, "Either host_names or host_group_names must be provided.");
	else if (!s->by_volume)
		sim_error(r, 400, NULL, "Missing required parameter: volume_names.");
	else if (s->hosts.list.n + s->groups.list.n > 1 && s->volumes.list.n > 1)
		sim_error(r, 400, NULL,
			  "Request cannot include a mix of multiple objects with multiple names.");
}

/* Calls @fn for each pair of the request. */
static void pairs(struct sim_request *r, const struct sides *s,
		  void (*fn)(struct sim_request *r, struct sim_volume *v, struct sim_host *h,
			     struct sim_hgroup *g, json_t *items),
		  json_t *items)
{
	vec_each (volume, &s->volumes.list) {
		struct sim_volume *v = sim_volume_find(r->array, *volume);

		vec_each (name, &s->hosts.list)
			fn(r, v, sim_host_find(r->array, *name), NULL, items);
		vec_each (name, &s->groups.list)
			fn(r, v, NULL, sim_hgroup_find(r->array, *name), items);
	}
}

static void check_one(struct sim_request *r, struct sim_volume *v, struct sim_host *h,
		      struct sim_hgroup *g, json_t *items)
{
	(void)items;
	(void)can_connect(r, v, h, g);
}

static void connect_all(struct sim_request *r, const struct sides *s)
{
	json_t *items = json_array();

	one_side_only(r, s);
	if (!r->spoilt)
		must_exist(r, s);
	if (!r->spoilt)
		pairs(r, s, check_one, NULL);
	if (!r->spoilt)
		pairs(r, s, connect_one, items);
	sim_reply_items(r, items);
}

static void check_gone(struct sim_request *r, struct sim_volume *v, struct sim_host *h,
		       struct sim_hgroup *g, json_t *items)
{
	(void)items;
	if (v->o.destroyed)
		sim_error(r, 400, v->o.name, "Volume has been destroyed.");
	else if (!sim_connection_find(r->array, v, h, g))
		sim_error(r, 400, v->o.name, "Connection does not exist.");
}

static void disconnect_one(struct sim_request *r, struct sim_volume *v, struct sim_host *h,
			   struct sim_hgroup *g, json_t *items)
{
	struct sim_connection *c = sim_connection_find(r->array, v, h, g);

	(void)items;
	if (c) /* a name given twice is gone by now */
		sim_connection_remove(r->sim, c);
}

static void disconnect_all(struct sim_request *r, const struct sides *s)
{
	one_side_only(r, s);
	if (!r->spoilt)
		must_exist(r, s);
	if (!r->spoilt)
		pairs(r, s, check_gone, NULL);
	if (!r->spoilt)
		pairs(r, s, disconnect_one, NULL);
}

void rest_connections(struct sim_request *r)
{
	struct sides s;

	sides_from(r, &s);
	ids_to_names(r, &s);
	if (r->spoilt)
		;
	else if (sim_is(r, "GET"))
		list(r, &s);
	else if (sim_is(r, "POST"))
		connect_all(r, &s);
	else
		disconnect_all(r, &s);
	sides_done(&s);
}
