/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "sim.h"

/* Everything there is, for who compares it with a model. */

static json_t *dump_array(struct sim_array *a)
{
	struct sim *s = a->sim;
	json_t *ret = sim_array_json(a), *hosts = json_array(), *groups = json_array(),
	       *connections = json_array(), *volumes = json_array();

	vec_each (h, &s->hosts)
		if ((*h)->array == a->index)
			json_array_append_new(hosts, sim_host_json(a, *h));
	vec_each (g, &s->hgroups)
		if ((*g)->array == a->index)
			json_array_append_new(groups, sim_hgroup_json(a, *g));
	vec_each (c, &s->connections)
		if ((*c)->array == a->index)
			json_array_append_new(connections, sim_connection_json(*c));
	vec_each (v, &s->volumes)
		if (sim_volume_on(*v, a))
			json_array_append_new(volumes, json_string((*v)->o.name));
	json_object_update_new(
		ret,
		json_pack("{s:b, s:i, s:i, s:o, s:o, s:o, s:o}", "down", (int)a->down, "port",
			  a->port, "sessions", (int)a->sessions.n, "hosts", hosts, "host_groups",
			  groups, "connections", connections, "volumes", volumes));
	return ret;
}

static const struct sim_array *home(const struct sim *s, const struct sim_volume *v)
{
	for (unsigned int i = 0; i < s->n_arrays; i++)
		if (sim_volume_on(v, &s->arrays[i]))
			return &s->arrays[i];
	return &s->arrays[0];
}

static json_t *dump_volume(const struct sim *s, const struct sim_volume *v)
{
	const struct sim_array *a = home(s, v);
	json_t *ret = sim_volume_json(a, v), *snapshots = json_array(), *tags = json_array();

	vec_each (p, &v->snapshots)
		json_array_append_new(snapshots, sim_snapshot_json(a, *p));
	vec_each (t, &v->tags)
		json_array_append_new(tags, sim_tag_json(v, t));
	json_object_update_new(ret, json_pack("{s:o, s:o}", "snapshots", snapshots, "tags", tags));
	return ret;
}

static json_t *dump_faults(const struct sim *s)
{
	json_t *ret = json_array();

	vec_each (f, &s->faults)
		json_array_append_new(
			ret,
			json_pack("{s:s, s:s, s:s, s:I}", "kind", sim_fault_name(f->kind), "method",
				  f->method, "path", f->path, "count", (json_int_t)f->count));
	return ret;
}

json_t *sim_dump(struct sim *s)
{
	json_t *arrays = json_object(), *volumes = json_array(), *pods = json_array(),
	       *vgroups = json_array();

	for (unsigned int i = 0; i < s->n_arrays; i++)
		json_object_set_new(arrays, s->arrays[i].name, dump_array(&s->arrays[i]));
	vec_each (v, &s->volumes)
		json_array_append_new(volumes, dump_volume(s, *v));
	vec_each (p, &s->pods)
		json_array_append_new(pods, sim_pod_json(&s->arrays[0], *p));
	vec_each (g, &s->vgroups)
		json_array_append_new(vgroups, sim_vgroup_json(&s->arrays[0], *g));
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "now", (json_int_t)sim_now(s), "arrays",
			 arrays, "volumes", volumes, "pods", pods, "volume_groups", vgroups,
			 "faults", dump_faults(s));
}
