/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "backend.h"
#include "sim.h"

/* Takes @p out of a vector of pointers; the order of the others stays. */
#define strike(vec, p)                                                    \
	do {                                                              \
		size_t kept_ = 0;                                         \
		for (size_t i_ = 0; i_ < (vec)->n; i_++)                  \
			if ((vec)->items[i_] != (p))                      \
				(vec)->items[kept_++] = (vec)->items[i_]; \
		(vec)->n = kept_;                                         \
	} while (0)

static void free_snapshot(struct sim_snapshot *p)
{
	free(p->o.name);
	free(p);
}

static void free_volume(struct sim_volume *v)
{
	vec_each (p, &v->snapshots)
		free_snapshot(*p);
	vec_free(&v->snapshots);
	vec_each (t, &v->tags) {
		free(t->space);
		free(t->key);
		free(t->value);
	}
	vec_free(&v->tags);
	free(v->source_name);
	free(v->source_id);
	free(v->o.name);
	free(v);
}

static void free_host(struct sim_host *h)
{
	for (int i = 0; i < SIM_KINDS; i++)
		sim_names_free(&h->initiators[i]);
	sim_names_free(&h->preferred);
	free(h->o.name);
	free(h);
}

void sim_connection_remove(struct sim *s, struct sim_connection *c)
{
	sim_backend_disconnect(s, c);
	strike(&s->connections, c);
	free(c);
}

void sim_eradicate_snapshot(struct sim *s, struct sim_snapshot *p)
{
	sim_backend_remove(s, p->serial);
	strike(&p->volume->snapshots, p);
	free_snapshot(p);
}

void sim_eradicate_volume(struct sim *s, struct sim_volume *v)
{
	for (size_t i = s->connections.n; i-- > 0;)
		if (s->connections.items[i]->volume == v)
			sim_connection_remove(s, s->connections.items[i]);
	while (v->snapshots.n)
		sim_eradicate_snapshot(s, v->snapshots.items[v->snapshots.n - 1]);
	sim_backend_remove(s, v->serial);
	strike(&s->volumes, v);
	free_volume(v);
}

void sim_eradicate_vgroup(struct sim *s, struct sim_vgroup *g)
{
	for (size_t i = s->volumes.n; i-- > 0;)
		if (s->volumes.items[i]->vgroup == g)
			sim_eradicate_volume(s, s->volumes.items[i]);
	strike(&s->vgroups, g);
	free(g->o.name);
	free(g);
}

void sim_eradicate_pod(struct sim *s, struct sim_pod *p)
{
	for (size_t i = s->volumes.n; i-- > 0;)
		if (s->volumes.items[i]->pod == p)
			sim_eradicate_volume(s, s->volumes.items[i]);
	for (size_t i = s->vgroups.n; i-- > 0;)
		if (s->vgroups.items[i]->pod == p)
			sim_eradicate_vgroup(s, s->vgroups.items[i]);
	strike(&s->pods, p);
	free(p->o.name);
	free(p);
}

void sim_host_remove(struct sim *s, struct sim_host *h)
{
	sim_backend_host_leaves(s, h);
	strike(&s->hosts, h);
	free_host(h);
}

void sim_hgroup_remove(struct sim *s, struct sim_hgroup *g)
{
	strike(&s->hgroups, g);
	free(g->o.name);
	free(g);
}

static bool is_due(const struct sim_object *o, int64_t now)
{
	return o->destroyed && o->gone_at <= now;
}

static void expire_snapshots(struct sim *s, struct sim_volume *v, int64_t now)
{
	for (size_t i = v->snapshots.n; i-- > 0;)
		if (is_due(&v->snapshots.items[i]->o, now))
			sim_eradicate_snapshot(s, v->snapshots.items[i]);
}

static void expire_volumes(struct sim *s, int64_t now)
{
	for (size_t i = s->volumes.n; i-- > 0;) {
		expire_snapshots(s, s->volumes.items[i], now);
		if (is_due(&s->volumes.items[i]->o, now))
			sim_eradicate_volume(s, s->volumes.items[i]);
	}
}

void sim_expire(struct sim *s)
{
	int64_t now = sim_now(s);

	expire_volumes(s, now);
	for (size_t i = s->vgroups.n; i-- > 0;)
		if (is_due(&s->vgroups.items[i]->o, now))
			sim_eradicate_vgroup(s, s->vgroups.items[i]);
	for (size_t i = s->pods.n; i-- > 0;)
		if (is_due(&s->pods.items[i]->o, now))
			sim_eradicate_pod(s, s->pods.items[i]);
}

static void free_array(struct sim_array *a)
{
	free(a->name);
	free(a->api_token);
	free(a->user);
	sim_names_free(&a->portals);
	sim_names_free(&a->nvme_portals);
	sim_names_free(&a->wwns);
	vec_free(&a->sessions);
	json_decref(a->counters);
}

void sim_free(struct sim *s)
{
	while (s->connections.n)
		sim_connection_remove(s, s->connections.items[s->connections.n - 1]);
	while (s->hosts.n)
		sim_host_remove(s, s->hosts.items[0]);
	while (s->hgroups.n)
		sim_hgroup_remove(s, s->hgroups.items[0]);
	while (s->pods.n)
		sim_eradicate_pod(s, s->pods.items[0]);
	while (s->vgroups.n)
		sim_eradicate_vgroup(s, s->vgroups.items[0]);
	while (s->volumes.n)
		sim_eradicate_volume(s, s->volumes.items[0]);
	vec_free(&s->connections);
	vec_free(&s->hosts);
	vec_free(&s->hgroups);
	vec_free(&s->pods);
	vec_free(&s->vgroups);
	vec_free(&s->volumes);
	vec_free(&s->faults);
	sim_backend_close(s); /* goes over the arrays once more */
	for (unsigned int i = 0; i < s->n_arrays; i++)
		free_array(&s->arrays[i]);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
}
