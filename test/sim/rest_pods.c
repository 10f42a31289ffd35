/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <strings.h>

#include "sim.h"

static const char MISSING[] = "Pod does not exist.";

static void list(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (p, &r->sim->pods)
		if (sim_pod_on(*p, r->array) &&
		    sim_wanted(&w, (*p)->o.name, (*p)->o.id, (*p)->o.destroyed))
			sim_row(&rows, (*p)->o.seq, sim_pod_json(r->array, *p));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}

static bool quota_from(struct sim_request *r, const char *name, uint64_t *ret)
{
	const json_t *value = json_object_get(r->body, "quota_limit");

	if (!value || json_is_null(value))
		return true;
	if (r->minor >= 23 && json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value);
		return true;
	}
	sim_error(r, 400, name, "Invalid value for quota_limit.");
	return false;
}

static void create(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();
	uint64_t quota = 0;

	vec_each (name, &names->list) {
		if (sim_pod_find(r->array, *name))
			sim_error(r, 400, *name, "Pod already exists.");
		else if (!sim_name_ok(slice_of(*name)))
			sim_error(r, 400, *name, "Pod name is invalid.");
		(void)quota_from(r, *name, &quota);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_pod *p = xcalloc(1, sizeof(*p));

		sim_object_init(r->sim, &p->o, names->list.items[i]);
		p->arrays = 1u << r->array->index;
		p->quota = quota;
		*vec_push(&r->sim->pods) = p;
		json_array_append_new(items, sim_pod_json(r->array, p));
	}
	sim_reply_items(r, items);
}

static bool has_live_volumes(const struct sim *s, const struct sim_pod *p)
{
	vec_each (v, &s->volumes)
		if ((*v)->pod == p && !(*v)->o.destroyed)
			return true;
	return false;
}

static void check_change(struct sim_request *r, const struct sim_pod *p)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");
	const char *to = json_str(r->body, "name");
	uint64_t quota;

	if (destroyed && json_is_true(destroyed) == p->o.destroyed)
		sim_error(r, 400, p->o.name,
			  p->o.destroyed ? "Pod has been destroyed." : "Pod is not destroyed.");
	else if (json_is_true(destroyed) && has_live_volumes(r->sim, p) &&
		 !sim_flag(r, "destroy_contents"))
		sim_error(r, 400, p->o.name, "Pod is not empty.");
	else if (json_is_true(destroyed) && (p->arrays & (p->arrays - 1)))
		sim_error(r, 400, p->o.name, "Cannot destroy a stretched pod.");
	if (to && sim_pod_find(r->array, to))
		sim_error(r, 400, to, "Pod already exists.");
	else if (to && !sim_name_ok(slice_of(to)))
		sim_error(r, 400, to, "Pod name is invalid.");
	if (quota_from(r, p->o.name, &quota) && json_object_get(r->body, "quota_limit") &&
	    quota < sim_pod_provisioned(r->sim, p) && quota && !sim_flag(r, "ignore_usage"))
		sim_error(r, 400, p->o.name, "Pod quota limit is below the pod's usage.");
}

/* "old::x" becomes "new::x", "old" becomes "new". */
static void move_name(struct sim_object *o, const char *from, const char *to)
{
	struct buf name = {};

	buf_addf(&name, "%s%s", to, o->name + strlen(from));
	free(o->name);
	o->name = name.data;
}

static void rename_pod(struct sim_request *r, struct sim_pod *p, const char *to)
{
	CLEANUP_FREE char *from = xstrdup(p->o.name);

	vec_each (v, &r->sim->volumes)
		if ((*v)->pod == p)
			move_name(&(*v)->o, from, to);
	vec_each (g, &r->sim->vgroups)
		if ((*g)->pod == p)
			move_name(&(*g)->o, from, to);
	move_name(&p->o, from, to);
}

static void destroy_contents(struct sim_request *r, struct sim_pod *p)
{
	vec_each (v, &r->sim->volumes) {
		if ((*v)->pod != p || (*v)->o.destroyed)
			continue;
		(*v)->o.destroyed = true;
		(*v)->o.gone_at = p->o.gone_at;
	}
}

static void change(struct sim_request *r, struct sim_pod *p)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");
	const char *to = json_str(r->body, "name"),
		   *state = json_str(r->body, "requested_promotion_state");

	(void)quota_from(r, p->o.name, &p->quota);
	if (destroyed) {
		p->o.destroyed = json_is_true(destroyed);
		p->o.gone_at = sim_pending(r->array, p);
		if (p->o.destroyed)
			destroy_contents(r, p);
	}
	if (state)
		p->demoted = strcmp(state, "demoted") == 0;
	if (to)
		rename_pod(r, p, to);
}

static void patch(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	if (json_object_size(r->body) == 0)
		sim_error(r, 400, NULL, "No attribute specified.");
	vec_each (name, &names->list) {
		const struct sim_pod *p = sim_pod_find(r->array, *name);

		if (p)
			check_change(r, p);
		else
			sim_error(r, 400, *name, MISSING);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_pod *p = sim_pod_find(r->array, names->list.items[i]);

		if (!p)
			continue;
		change(r, p);
		json_array_append_new(items, sim_pod_json(r->array, p));
	}
	sim_reply_items(r, items);
}

static bool is_empty(const struct sim *s, const struct sim_pod *p)
{
	vec_each (v, &s->volumes)
		if ((*v)->pod == p)
			return false;
	return true;
}

static void eradicate(struct sim_request *r, const struct sim_names *names)
{
	vec_each (name, &names->list) {
		const struct sim_pod *p = sim_pod_find(r->array, *name);

		if (!p)
			sim_error(r, 400, *name, MISSING);
		else if (!p->o.destroyed)
			sim_error(r, 400, *name, "Pod is not destroyed.");
		else if (p->safemode || r->array->safemode)
			sim_error(r, 400, *name, "Cannot eradicate pod");
		else if (!is_empty(r->sim, p) && !sim_flag(r, "eradicate_contents"))
			sim_error(r, 400, *name, "Pod is not empty.");
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_pod *p = sim_pod_find(r->array, names->list.items[i]);

		if (p)
			sim_eradicate_pod(r->sim, p);
	}
}

void rest_pods(struct sim_request *r)
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
		eradicate(r, &names);
	sim_names_free(&names);
}

/* ---- pods over several arrays ---- */

static void list_arrays(struct sim_request *r, const struct sim_names *pods, bool by_pod)
{
	struct sim_rows rows = {};

	vec_each (p, &r->sim->pods) {
		if (!sim_pod_on(*p, r->array) || (by_pod && !sim_names_has(pods, (*p)->o.name)))
			continue;
		for (unsigned int i = 0; i < r->sim->n_arrays; i++) {
			const struct sim_array *a = &r->sim->arrays[i];

			if (sim_pod_on(*p, a))
				sim_row(&rows, ((*p)->o.seq << 4) + i,
					json_pack("{s:o, s:o}", "group",
						  sim_ref((*p)->o.id, (*p)->o.name), "member",
						  sim_ref(a->id, a->name)));
		}
	}
	sim_list_reply(r, &rows);
}

/* Volumes that nobody sees any more are not a state that an array has. */
static void unstretch(struct sim_request *r, struct sim_pod *p, const struct sim_array *a)
{
	struct sim *s = r->sim;

	for (size_t i = s->connections.n; i-- > 0;) {
		struct sim_connection *c = s->connections.items[i];

		if (c->array == a->index && c->volume->pod == p)
			sim_connection_remove(s, c);
	}
	p->arrays &= ~(1u << a->index);
}

static void change_arrays(struct sim_request *r, struct sim_pod *p, const struct sim_array *a)
{
	bool joins = sim_is(r, "POST");
	const struct sim_pod *there = sim_pod_find(a, p->o.name);

	if (joins && there)
		sim_error(r, 400, p->o.name,
			  there == p ? "Pod is already on the array." : "Pod already exists.");
	else if (!joins && !there)
		sim_error(r, 400, p->o.name, "Pod is not on the array.");
	else if (!joins && p->arrays == 1u << a->index)
		sim_error(r, 400, p->o.name, "Cannot remove the last array of a pod.");
	else if (joins)
		p->arrays |= 1u << a->index;
	else
		unstretch(r, p, a);
	if (joins && !r->spoilt)
		sim_reply_items(r, json_pack("[{s:o, s:o}]", "group", sim_ref(p->o.id, p->o.name),
					     "member", sim_ref(a->id, a->name)));
}

void rest_pod_arrays(struct sim_request *r)
{
	bool by_pod, by_array;
	struct sim_names pods = sim_list(r, "group_names", &by_pod);
	struct sim_names arrays = sim_list(r, "member_names", &by_array);
	const struct sim_array *a = NULL;
	struct sim_pod *p = NULL;

	if (sim_is(r, "GET")) {
		list_arrays(r, &pods, by_pod);
	} else if (pods.list.n != 1 || arrays.list.n != 1) {
		sim_error(r, 400, NULL, "Exactly one pod and one array must be named.");
	} else {
		p = sim_pod_find(r->array, pods.list.items[0]);
		a = sim_array_find(r->sim, arrays.list.items[0]);
		if (!p)
			sim_error(r, 400, pods.list.items[0], MISSING);
		else if (!a)
			sim_error(r, 400, arrays.list.items[0], "Array does not exist.");
		else
			change_arrays(r, p, a);
	}
	sim_names_free(&pods);
	sim_names_free(&arrays);
}
