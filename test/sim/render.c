/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>

#include "sim.h"

json_t *sim_ref(const char *id, const char *name)
{
	return json_pack("{s:s?, s:s?}", "id", id, "name", name);
}

static json_t *ref_name(const char *name)
{
	return json_pack("{s:s?}", "name", name);
}

static json_t *pod_ref(const struct sim_pod *p)
{
	return sim_ref(p ? p->o.id : NULL, p ? p->o.name : NULL);
}

static json_t *vgroup_ref(const struct sim_vgroup *g)
{
	return sim_ref(g ? g->o.id : NULL, g ? g->o.name : NULL);
}

static json_t *space(uint64_t used, uint64_t provisioned)
{
	json_int_t u = (json_int_t)used, p = (json_int_t)provisioned;

	return json_pack("{s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:n, s:n}",
			 "data_reduction", 1.0, "total_reduction", 1.0, "thin_provisioning",
			 p ? 1.0 - (double)u / (double)p : 0.0, "total_used", u, "total_physical",
			 u, "unique", u, "virtual", u, "total_provisioned", p, "used_provisioned",
			 p, "shared", "system");
}

static void set_snapshots(json_t *space_of, uint64_t n)
{
	json_object_set_new(space_of, "snapshots", json_integer((json_int_t)n));
}

static json_t *qos(const struct sim_qos *q)
{
	json_t *ret = json_object();

	if (q->bandwidth)
		json_object_set_new(ret, "bandwidth_limit", json_integer((json_int_t)q->bandwidth));
	if (q->iops)
		json_object_set_new(ret, "iops_limit", json_integer((json_int_t)q->iops));
	return ret;
}

/* What all have that can be destroyed. */
static json_t *object(const struct sim *s, const struct sim_object *o, const char *name)
{
	json_t *ret = json_pack("{s:s, s:s, s:b}", "id", o->id, "name", name, "destroyed",
				(int)o->destroyed);

	if (o->destroyed) {
		int64_t left = o->gone_at - sim_now(s);

		json_object_set_new(ret, "time_remaining", json_integer(left > 0 ? left : 0));
	}
	return ret;
}

json_t *sim_volume_json(const struct sim_array *a, const struct sim_volume *v)
{
	json_t *ret = object(a->sim, &v->o, v->o.name), *used;

	used = space(sim_used(a->sim, v), v->size);
	set_snapshots(used, 0);
	json_object_update_new(
		ret,
		json_pack("{s:s, s:I, s:I, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:i, s:s}",
			  "serial", v->serial, "provisioned", (json_int_t)v->size, "created",
			  (json_int_t)v->o.created, "connection_count",
			  (int)sim_connections_of(a, v), "subtype", "regular", "space", used, "qos",
			  qos(&v->qos), "pod", pod_ref(v->pod), "volume_group",
			  vgroup_ref(v->vgroup), "source", sim_ref(v->source_id, v->source_name),
			  "requested_promotion_state", "promoted", "promotion_status",
			  v->pod && v->pod->demoted ? "demoted" : "promoted", "priority", 0,
			  "host_encryption_key_status", "none"));
	return ret;
}

json_t *sim_volume_space_json(const struct sim_array *a, const struct sim_volume *v)
{
	return json_pack("{s:s, s:s, s:I, s:o}", "id", v->o.id, "name", v->o.name, "time",
			 (json_int_t)sim_now(a->sim), "space", space(sim_used(a->sim, v), v->size));
}

char *sim_snapshot_name(const struct sim_snapshot *p)
{
	struct buf name = {};

	buf_addf(&name, "%s.%s", p->volume->o.name, p->o.name);
	return name.data;
}

json_t *sim_snapshot_json(const struct sim_array *a, const struct sim_snapshot *p)
{
	const struct sim_volume *v = p->volume;
	CLEANUP_FREE char *name = sim_snapshot_name(p);
	json_t *ret = object(a->sim, &p->o, name), *used = space(0, p->size);

	set_snapshots(used, 0);
	json_object_update_new(
		ret,
		json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "serial", p->serial, "suffix",
			  p->o.name, "provisioned", (json_int_t)p->size, "created",
			  (json_int_t)p->o.created, "source", sim_ref(v->o.id, v->o.name), "pod",
			  pod_ref(v->pod), "volume_group", vgroup_ref(v->vgroup), "space", used));
	return ret;
}

json_t *sim_connection_json(const struct sim_connection *c)
{
	const struct sim_host *h = c->host;
	bool nvme = h && h->initiators[SIM_NQN].list.n;
	json_t *ret;

	ret = json_pack("{s:o, s:o, s:o, s:o, s:I, s:n}", "host", ref_name(h ? h->o.name : NULL),
			"host_group", ref_name(c->group ? c->group->o.name : NULL), "volume",
			sim_ref(c->volume->o.id, c->volume->o.name), "protocol_endpoint",
			json_object(), "lun", (json_int_t)c->lun, "nsid");
	if (nvme)
		json_object_set_new(ret, "nsid", json_integer((json_int_t)c->lun));
	/* So older versions have no word for a namespace's number (since.c). */
	if (nvme && !h->initiators[SIM_IQN].list.n && !h->initiators[SIM_WWN].list.n)
		json_object_set_new(ret, "lun", json_null());
	return ret;
}

static json_t *names(const struct sim_names *n)
{
	json_t *ret = json_array();

	vec_each (name, &n->list)
		json_array_append_new(ret, json_string(*name));
	return ret;
}

static json_t *preferred_arrays(const struct sim_array *a, const struct sim_host *h)
{
	json_t *ret = json_array();

	vec_each (name, &h->preferred.list) {
		const struct sim_array *p = sim_array_find(a->sim, *name);

		json_array_append_new(ret, sim_ref(p ? p->id : NULL, *name));
	}
	return ret;
}

/* Through its group as well. */
static unsigned int host_connections(const struct sim_array *a, const struct sim_host *h)
{
	unsigned int n = 0;

	vec_each (c, &a->sim->connections)
		n += (*c)->host == h || ((*c)->group && (*c)->group == h->group);
	return n;
}

json_t *sim_host_json(const struct sim_array *a, const struct sim_host *h)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:b, s:s?, s:o, s:{s:s, s:s}, s:o}",
			 "name", h->o.name, "iqns", names(&h->initiators[SIM_IQN]), "wwns",
			 names(&h->initiators[SIM_WWN]), "nqns", names(&h->initiators[SIM_NQN]),
			 "host_group", ref_name(h->group ? h->group->o.name : NULL),
			 "connection_count", (int)host_connections(a, h), "is_local", 1,
			 "personality", h->personality[0] ? h->personality : NULL,
			 "preferred_arrays", preferred_arrays(a, h), "port_connectivity", "details",
			 "Redundant", "status", "healthy", "space", space(0, 0));
}

json_t *sim_hgroup_json(const struct sim_array *a, const struct sim_hgroup *g)
{
	int hosts = 0, connections = 0;

	vec_each (h, &a->sim->hosts)
		hosts += (*h)->group == g;
	vec_each (c, &a->sim->connections)
		connections += (*c)->group == g;
	return json_pack("{s:s, s:i, s:i, s:b, s:o}", "name", g->o.name, "host_count", hosts,
			 "connection_count", connections, "is_local", 1, "space", space(0, 0));
}

static json_t *pod_arrays(const struct sim_array *a, const struct sim_pod *p)
{
	json_t *ret = json_array();

	for (unsigned int i = 0; i < a->sim->n_arrays; i++) {
		const struct sim_array *m = &a->sim->arrays[i];

		if (!sim_pod_on(p, m))
			continue;
		json_array_append_new(
			ret, json_pack("{s:s, s:s, s:s, s:s, s:b, s:n, s:n}", "id", m->id, "name",
				       m->name, "status",
				       m->down		 ? "offline"
				       : p->status[i][0] ? p->status[i]
							 : "online",
				       "mediator_status", m->down ? "unknown" : "online",
				       "pre_elected", 0, "frozen_at", "progress"));
	}
	return ret;
}

json_t *sim_pod_json(const struct sim_array *a, const struct sim_pod *p)
{
	json_t *ret = object(a->sim, &p->o, p->o.name), *arrays = pod_arrays(a, p);
	uint64_t used = 0;

	vec_each (v, &a->sim->volumes)
		if ((*v)->pod == p)
			used += sim_used(a->sim, *v);
	json_object_update_new(
		ret,
		json_pack("{s:i, s:o, s:s, s:s, s:s, s:[], s:{s:s}, s:o, s:I, s:i, s:i, s:o}",
			  "array_count", (int)json_array_size(arrays), "arrays", arrays, "mediator",
			  "purestorage", "promotion_status", p->demoted ? "demoted" : "promoted",
			  "requested_promotion_state", p->demoted ? "demoted" : "promoted",
			  "failover_preferences", "eradication_config", "manual_eradication",
			  p->safemode ? "disabled" : "enabled", "space",
			  space(used, sim_pod_provisioned(a->sim, p)), "footprint",
			  (json_int_t)used, "link_source_count", 0, "link_target_count", 0,
			  "source", sim_ref(NULL, NULL)));
	if (p->quota)
		json_object_set_new(ret, "quota_limit", json_integer((json_int_t)p->quota));
	return ret;
}

json_t *sim_vgroup_json(const struct sim_array *a, const struct sim_vgroup *g)
{
	json_t *ret = object(a->sim, &g->o, g->o.name);
	uint64_t used = 0, provisioned = 0;
	int n = 0;

	vec_each (v, &a->sim->volumes) {
		if ((*v)->vgroup != g || (*v)->o.destroyed)
			continue;
		used += sim_used(a->sim, *v);
		provisioned += (*v)->size;
		n++;
	}
	json_object_update_new(
		ret, json_pack("{s:i, s:o, s:o, s:o}", "volume_count", n, "pod", pod_ref(g->pod),
			       "qos", qos(&g->qos), "space", space(used, provisioned)));
	return ret;
}

json_t *sim_tag_json(const struct sim_volume *v, const struct sim_tag *t)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:o}", "namespace", t->space, "key", t->key, "value",
			 t->value, "copyable", (int)t->copyable, "resource",
			 sim_ref(v->o.id, v->o.name));
}

static json_t *array_space(const struct sim_array *a)
{
	uint64_t used = 0, provisioned = 0;

	vec_each (v, &a->sim->volumes) {
		if (!sim_volume_on(*v, a))
			continue;
		used += sim_used(a->sim, *v);
		provisioned += (*v)->size;
	}
	return space(used, provisioned);
}

json_t *sim_array_json(const struct sim_array *a)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:o, s:I, s:f, s:{s:I, s:I, s:I, s:s}}", "id",
			 a->id, "name", a->name, "capacity", (json_int_t)a->capacity, "version",
			 "6.6.10", "os", "Purity//FA", "space", array_space(a), "idle_timeout",
			 (json_int_t)a->idle_timeout, "parity", 1.0, "eradication_config",
			 "enabled_delay", (json_int_t)a->enabled_delay, "disabled_delay",
			 (json_int_t)a->disabled_delay, "eradication_delay",
			 (json_int_t)(a->safemode ? a->disabled_delay : a->enabled_delay),
			 "manual_eradication", a->safemode ? "all-disabled" : "all-enabled");
}

json_t *sim_array_space_json(const struct sim_array *a)
{
	return json_pack("{s:s, s:s, s:I, s:f, s:o, s:I}", "id", a->id, "name", a->name, "capacity",
			 (json_int_t)a->capacity, "parity", 1.0, "space", array_space(a), "time",
			 (json_int_t)sim_now(a->sim));
}
