/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>
#include <strings.h>

#include "backend.h"
#include "sim.h"

static const char MISSING[] = "Host does not exist.";
static const char *const KIND[SIM_KINDS] = { "iqns", "wwns", "nqns" };

static void list(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (h, &r->sim->hosts)
		if ((*h)->array == r->array->index && sim_wanted(&w, (*h)->o.name, "", false))
			sim_row(&rows, (*h)->o.seq, sim_host_json(r->array, *h));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}

/* Which other host of the array has it? */
static const struct sim_host *owner(const struct sim_array *a, enum sim_kind kind,
				    const char *initiator)
{
	vec_each (h, &a->sim->hosts)
		if ((*h)->array == a->index && sim_names_has(&(*h)->initiators[kind], initiator))
			return *h;
	return NULL;
}

static void check_initiators(struct sim_request *r, const struct sim_host *h, const char *name,
			     enum sim_kind kind, const json_t *list_of)
{
	for (size_t i = 0; i < json_array_size(list_of); i++) {
		const char *text = json_string_value(json_array_get(list_of, i));
		const struct sim_host *other = text ? owner(r->array, kind, text) : NULL;

		if (!text || !sim_initiator_ok(kind, text))
			sim_error(r, 400, name, "Invalid initiator: %s.", text ? text : "");
		else if (other && other != h)
			sim_error(r, 400, name, "The specified %.3s is already in use.",
				  KIND[kind]);
	}
}

static json_t *initiators_in(struct sim_request *r, const char *head, enum sim_kind kind)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%s%s", head, KIND[kind]);
	return json_arr(r->body, key);
}

static void check_body(struct sim_request *r, const struct sim_host *h, const char *name)
{
	for (enum sim_kind k = 0; k < SIM_KINDS; k++) {
		check_initiators(r, h, name, k, initiators_in(r, "", k));
		check_initiators(r, h, name, k, initiators_in(r, "add_", k));
	}
}

static void add_all(struct sim_names *to, const json_t *list_of)
{
	for (size_t i = 0; i < json_array_size(list_of); i++) {
		const char *text = json_string_value(json_array_get(list_of, i));

		if (!sim_names_has(to, text))
			sim_names_add(to, text);
	}
}

static void apply_initiators(struct sim_request *r, struct sim_host *h)
{
	for (enum sim_kind k = 0; k < SIM_KINDS; k++) {
		const json_t *all = initiators_in(r, "", k), *less = initiators_in(r, "remove_", k);

		if (all) /* takes the place of what was there */
			sim_names_free(&h->initiators[k]);
		add_all(&h->initiators[k], all);
		add_all(&h->initiators[k], initiators_in(r, "add_", k));
		for (size_t i = 0; i < json_array_size(less); i++) {
			const char *text = json_string_value(json_array_get(less, i));

			if (text)
				(void)sim_names_remove(&h->initiators[k], text);
		}
	}
}

static void apply_body(struct sim_request *r, struct sim_host *h)
{
	const json_t *preferred = json_arr(r->body, "preferred_arrays");
	const char *personality = json_str(r->body, "personality");

	apply_initiators(r, h);
	if (personality)
		(void)snprintf(h->personality, sizeof(h->personality), "%s", personality);
	if (!preferred)
		return;
	sim_names_free(&h->preferred);
	for (size_t i = 0; i < json_array_size(preferred); i++) {
		const char *name = json_str(json_array_get(preferred, i), "name");

		if (name)
			sim_names_add(&h->preferred, name);
	}
}

static void create(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	vec_each (name, &names->list) {
		if (sim_host_find(r->array, *name))
			sim_error(r, 400, *name, "Host already exists.");
		else if (!sim_name_ok(slice_of(*name)))
			sim_error(r, 400, *name, "Host name is invalid.");
		else
			check_body(r, NULL, *name);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_host *h = xcalloc(1, sizeof(*h));

		sim_object_init(r->sim, &h->o, names->list.items[i]);
		h->array = r->array->index;
		apply_body(r, h);
		sim_backend_host_comes(r->sim, h);
		*vec_push(&r->sim->hosts) = h;
		json_array_append_new(items, sim_host_json(r->array, h));
	}
	sim_reply_items(r, items);
}

static bool new_name_ok(struct sim_request *r, const char *to)
{
	if (sim_host_find(r->array, to))
		sim_error(r, 400, to, "Host already exists.");
	else if (!sim_name_ok(slice_of(to)))
		sim_error(r, 400, to, "Host name is invalid.");
	else
		return true;
	return false;
}

/* A connection that the host has by itself may not be there again through a group. */
static void change_group(struct sim_request *r, struct sim_host *h, const char *name)
{
	struct sim_hgroup *g = *name ? sim_hgroup_find(r->array, name) : NULL;

	if (*name && !g)
		sim_error(r, 400, name, "Host group does not exist.");
	else
		h->group = g;
}

static void change(struct sim_request *r, struct sim_host *h)
{
	const char *to = json_str(r->body, "name");
	const json_t *group = json_obj(r->body, "host_group");

	check_body(r, h, h->o.name);
	if (to)
		(void)new_name_ok(r, to);
	if (r->spoilt)
		return;
	sim_backend_host_leaves(r->sim, h);
	if (group)
		change_group(r, h, json_str(group, "name") ? json_str(group, "name") : "");
	apply_body(r, h);
	sim_backend_host_comes(r->sim, h);
	if (to) {
		free(h->o.name);
		h->o.name = xstrdup(to);
	}
}

static void patch(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	if (json_object_size(r->body) == 0)
		sim_error(r, 400, NULL, "No attribute specified.");
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_host *h = sim_host_find(r->array, names->list.items[i]);

		if (h)
			change(r, h);
		else
			sim_error(r, 400, names->list.items[i], MISSING);
		if (h && !r->spoilt)
			json_array_append_new(items, sim_host_json(r->array, h));
	}
	sim_reply_items(r, items);
}

static bool is_connected(const struct sim *s, const struct sim_host *h)
{
	vec_each (c, &s->connections)
		if ((*c)->host == h)
			return true;
	return false;
}

static void delete_all(struct sim_request *r, const struct sim_names *names)
{
	vec_each (name, &names->list) {
		const struct sim_host *h = sim_host_find(r->array, *name);

		if (!h)
			sim_error(r, 400, *name, MISSING);
		else if (is_connected(r->sim, h))
			sim_error(r, 400, *name,
				  "Host cannot be deleted due to existing connections.");
		else if (h->group)
			sim_error(r, 400, *name, "Host is a member of a host group.");
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_host *h = sim_host_find(r->array, names->list.items[i]);

		if (h)
			sim_host_remove(r->sim, h);
	}
}

void rest_hosts(struct sim_request *r)
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
		patch(r, &names);
	else
		delete_all(r, &names);
	sim_names_free(&names);
}
