/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <strings.h>

#include "sim.h"

static const char MISSING[] = "Volume group does not exist.";

static void list(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (g, &r->sim->vgroups)
		if (sim_vgroup_on(*g, r->array) &&
		    sim_wanted(&w, (*g)->o.name, (*g)->o.id, (*g)->o.destroyed))
			sim_row(&rows, (*g)->o.seq, sim_vgroup_json(r->array, *g));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}

/* "pod::vg": the pod it is to lie in. False, and the error told, if that is not there. */
static bool pod_of(struct sim_request *r, const char *name, struct sim_pod **ret)
{
	struct sim_place place = sim_name_split(name);
	CLEANUP(buf_done) struct buf pod = {};

	*ret = NULL;
	if (place.vgroup.n || !sim_name_ok(place.own)) {
		sim_error(r, 400, name, "Volume group name is invalid.");
		return false;
	}
	if (!place.pod.n)
		return true;
	buf_addf(&pod, SLICE_FMT, SLICE_ARG(place.pod));
	*ret = sim_pod_find(r->array, buf_str(&pod));
	if (*ret && !(*ret)->o.destroyed)
		return true;
	sim_error(r, 400, name, "Pod does not exist.");
	return false;
}

static void create(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();
	struct sim_qos qos = {};
	struct sim_pod *pod;

	vec_each (name, &names->list) {
		if (sim_vgroup_find(r->array, *name))
			sim_error(r, 400, *name, "Volume group already exists.");
		else if (pod_of(r, *name, &pod))
			(void)sim_qos_from(r, *name, &qos);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_vgroup *g = xcalloc(1, sizeof(*g));

		(void)pod_of(r, names->list.items[i], &g->pod);
		sim_object_init(r->sim, &g->o, names->list.items[i]);
		g->array = r->array->index;
		g->qos = qos;
		*vec_push(&r->sim->vgroups) = g;
		json_array_append_new(items, sim_vgroup_json(r->array, g));
	}
	sim_reply_items(r, items);
}

static bool has_volumes(const struct sim *s, const struct sim_vgroup *g, bool live_only)
{
	vec_each (v, &s->volumes)
		if ((*v)->vgroup == g && !(live_only && (*v)->o.destroyed))
			return true;
	return false;
}

static void check_change(struct sim_request *r, const struct sim_vgroup *g)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");
	const char *to = json_str(r->body, "name");
	struct sim_qos qos = g->qos;
	struct sim_pod *pod;

	if (destroyed && json_is_true(destroyed) == g->o.destroyed)
		sim_error(r, 400, g->o.name,
			  g->o.destroyed ? "Volume group has been destroyed."
					 : "Volume group is not destroyed.");
	else if (json_is_true(destroyed) && has_volumes(r->sim, g, true) &&
		 !sim_flag(r, "destroy_contents"))
		sim_error(r, 400, g->o.name, "Volume group is not empty.");
	if (to && sim_vgroup_find(r->array, to))
		sim_error(r, 400, to, "Volume group already exists.");
	else if (to && pod_of(r, to, &pod) && pod != g->pod)
		sim_error(r, 400, to, "Cannot rename a volume group into or out of a pod.");
	(void)sim_qos_from(r, g->o.name, &qos);
}

static void move_name(struct sim_object *o, const char *from, const char *to)
{
	struct buf name = {};

	buf_addf(&name, "%s%s", to, o->name + strlen(from));
	free(o->name);
	o->name = name.data;
}

static void rename_group(struct sim_request *r, struct sim_vgroup *g, const char *to)
{
	CLEANUP_FREE char *from = xstrdup(g->o.name);

	vec_each (v, &r->sim->volumes)
		if ((*v)->vgroup == g)
			move_name(&(*v)->o, from, to);
	move_name(&g->o, from, to);
}

static void destroy_contents(struct sim_request *r, const struct sim_vgroup *g)
{
	vec_each (v, &r->sim->volumes) {
		if ((*v)->vgroup != g || (*v)->o.destroyed)
			continue;
		(*v)->o.destroyed = true;
		(*v)->o.gone_at = g->o.gone_at;
	}
}

static void change(struct sim_request *r, struct sim_vgroup *g)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");
	const char *to = json_str(r->body, "name");

	(void)sim_qos_from(r, g->o.name, &g->qos);
	if (destroyed) {
		g->o.destroyed = json_is_true(destroyed);
		g->o.gone_at = sim_pending(r->array, g->pod);
		if (g->o.destroyed)
			destroy_contents(r, g);
	}
	if (to)
		rename_group(r, g, to);
}

static void patch(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	if (json_object_size(r->body) == 0)
		sim_error(r, 400, NULL, "No attribute specified.");
	vec_each (name, &names->list) {
		const struct sim_vgroup *g = sim_vgroup_find(r->array, *name);

		if (g)
			check_change(r, g);
		else
			sim_error(r, 400, *name, MISSING);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_vgroup *g = sim_vgroup_find(r->array, names->list.items[i]);

		if (!g)
			continue;
		change(r, g);
		json_array_append_new(items, sim_vgroup_json(r->array, g));
	}
	sim_reply_items(r, items);
}

static void eradicate(struct sim_request *r, const struct sim_names *names)
{
	vec_each (name, &names->list) {
		const struct sim_vgroup *g = sim_vgroup_find(r->array, *name);

		if (!g)
			sim_error(r, 400, *name, MISSING);
		else if (!g->o.destroyed)
			sim_error(r, 400, *name, "Volume group is not destroyed.");
		else if (sim_may_eradicate(r, g->pod, *name) && has_volumes(r->sim, g, false) &&
			 !sim_flag(r, "eradicate_contents"))
			sim_error(r, 400, *name, "Volume group is not empty.");
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_vgroup *g = sim_vgroup_find(r->array, names->list.items[i]);

		if (g)
			sim_eradicate_vgroup(r->sim, g);
	}
}

void rest_vgroups(struct sim_request *r)
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

void rest_vgroup_volumes(struct sim_request *r)
{
	bool by_group;
	struct sim_names groups = sim_list(r, "group_names", &by_group);
	struct sim_rows rows = {};

	vec_each (v, &r->sim->volumes) {
		const struct sim_vgroup *g = (*v)->vgroup;

		if (!g || !sim_volume_on(*v, r->array) ||
		    (by_group && !sim_names_has(&groups, g->o.name)))
			continue;
		sim_row(&rows, (*v)->o.seq,
			json_pack("{s:o, s:o}", "group", sim_ref(g->o.id, g->o.name), "member",
				  sim_ref((*v)->o.id, (*v)->o.name)));
	}
	sim_names_free(&groups);
	sim_list_reply(r, &rows);
}
