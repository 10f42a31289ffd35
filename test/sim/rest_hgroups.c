/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <strings.h>

#include "backend.h"
#include "sim.h"

static const char MISSING[] = "Host group does not exist.";

static void list(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (g, &r->sim->hgroups)
		if ((*g)->array == r->array->index && sim_wanted(&w, (*g)->o.name, "", false))
			sim_row(&rows, (*g)->o.seq, sim_hgroup_json(r->array, *g));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}

static void check_name(struct sim_request *r, const char *name)
{
	if (sim_hgroup_find(r->array, name))
		sim_error(r, 400, name, "Host group already exists.");
	else if (!sim_name_ok(slice_of(name)))
		sim_error(r, 400, name, "Host group name is invalid.");
}

static void create(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	vec_each (name, &names->list)
		check_name(r, *name);
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_hgroup *g = xcalloc(1, sizeof(*g));

		sim_object_init(r->sim, &g->o, names->list.items[i]);
		g->array = r->array->index;
		*vec_push(&r->sim->hgroups) = g;
		json_array_append_new(items, sim_hgroup_json(r->array, g));
	}
	sim_reply_items(r, items);
}

static void rename_group(struct sim_request *r, const struct sim_names *names)
{
	struct sim_hgroup *g = sim_hgroup_find(r->array, names->list.items[0]);
	const char *to = json_str(r->body, "name");

	if (!g)
		sim_error(r, 400, names->list.items[0], MISSING);
	else if (!to)
		sim_error(r, 400, g->o.name, "No attribute specified.");
	else
		check_name(r, to);
	if (r->spoilt)
		return;
	free(g->o.name);
	g->o.name = xstrdup(to);
	sim_reply_items(r, json_pack("[o]", sim_hgroup_json(r->array, g)));
}

static bool is_used(const struct sim *s, const struct sim_hgroup *g)
{
	vec_each (c, &s->connections)
		if ((*c)->group == g)
			return true;
	return false;
}

static void leave(struct sim *s, const struct sim_hgroup *g)
{
	vec_each (h, &s->hosts)
		if ((*h)->group == g)
			(*h)->group = NULL;
}

static void delete_all(struct sim_request *r, const struct sim_names *names)
{
	vec_each (name, &names->list) {
		const struct sim_hgroup *g = sim_hgroup_find(r->array, *name);

		if (!g)
			sim_error(r, 400, *name, MISSING);
		else if (is_used(r->sim, g))
			sim_error(r, 400, *name,
				  "Host group cannot be deleted due to existing connections.");
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_hgroup *g = sim_hgroup_find(r->array, names->list.items[i]);

		if (!g)
			continue;
		leave(r->sim, g);
		sim_hgroup_remove(r->sim, g);
	}
}

void rest_hgroups(struct sim_request *r)
{
	struct sim_names names;
	bool there;

	if (sim_is(r, "GET")) {
		list(r);
		return;
	}
	names = sim_list(r, "names", &there);
	if (names.list.n == 0)
		sim_error(r, 400, NULL, "Missing required parameter: names.");
	else if (sim_is(r, "POST"))
		create(r, &names);
	else if (sim_is(r, "PATCH"))
		rename_group(r, &names);
	else
		delete_all(r, &names);
	sim_names_free(&names);
}

/* ---- who is in a group ---- */

static void list_members(struct sim_request *r, const struct sim_names *groups, bool by_group,
			 const struct sim_names *members, bool by_member)
{
	struct sim_rows rows = {};

	vec_each (h, &r->sim->hosts) {
		const struct sim_hgroup *g = (*h)->group;

		if ((*h)->array != r->array->index || !g ||
		    (by_group && !sim_names_has(groups, g->o.name)) ||
		    (by_member && !sim_names_has(members, (*h)->o.name)))
			continue;
		sim_row(&rows, (*h)->o.seq,
			json_pack("{s:{s:s}, s:{s:s}}", "group", "name", g->o.name, "member",
				  "name", (*h)->o.name));
	}
	sim_list_reply(r, &rows);
}

/* Volumes of the group that the host sees by itself already. */
static bool would_clash(const struct sim *s, const struct sim_host *h, const struct sim_hgroup *g)
{
	vec_each (c, &s->connections)
		if ((*c)->group == g)
			vec_each (own, &s->connections)
				if ((*own)->host == h &&
				    ((*own)->volume == (*c)->volume || (*own)->lun == (*c)->lun))
					return true;
	return false;
}

static void check_member(struct sim_request *r, const struct sim_hgroup *g, const char *name)
{
	const struct sim_host *h = sim_host_find(r->array, name);
	bool leaves = sim_is(r, "DELETE");

	if (!h)
		sim_error(r, 400, name, "Host does not exist.");
	else if (leaves && h->group != g)
		sim_error(r, 400, name, "Host is not a member of the host group.");
	else if (!leaves && h->group)
		sim_error(r, 400, name, "Host already belongs to a host group.");
	else if (!leaves && would_clash(r->sim, h, g))
		sim_error(r, 400, name, "Connection already exists.");
}

static void change_members(struct sim_request *r, const struct sim_names *groups,
			   const struct sim_names *members)
{
	struct sim_hgroup *g = NULL;
	json_t *items = json_array();

	if (groups->list.n != 1 || members->list.n == 0)
		sim_error(r, 400, NULL, "Exactly one group and its members must be named.");
	else
		g = sim_hgroup_find(r->array, groups->list.items[0]);
	if (!r->spoilt && !g)
		sim_error(r, 400, groups->list.items[0], MISSING);
	for (size_t i = 0; g && i < members->list.n; i++)
		check_member(r, g, members->list.items[i]);
	for (size_t i = 0; i < members->list.n && !r->spoilt; i++) {
		struct sim_host *h = sim_host_find(r->array, members->list.items[i]);

		sim_backend_host_leaves(r->sim, h);
		h->group = sim_is(r, "POST") ? g : NULL;
		sim_backend_host_comes(r->sim, h);
		json_array_append_new(items, json_pack("{s:{s:s}, s:{s:s}}", "group", "name",
						       g->o.name, "member", "name", h->o.name));
	}
	if (sim_is(r, "DELETE") && !r->spoilt)
		json_decref(items);
	else
		sim_reply_items(r, items);
}

void rest_hgroup_hosts(struct sim_request *r)
{
	bool by_group, by_member;
	struct sim_names groups = sim_list(r, "group_names", &by_group);
	struct sim_names members = sim_list(r, "member_names", &by_member);

	if (sim_is(r, "GET"))
		list_members(r, &groups, by_group, &members, by_member);
	else
		change_members(r, &groups, &members);
	sim_names_free(&groups);
	sim_names_free(&members);
}
