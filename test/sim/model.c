/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "backend.h"

int64_t sim_now(const struct sim *s)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + s->shift;
}

/* splitmix64: ids only have to differ, and to be the same in every run. */
static uint64_t draw(struct sim *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void sim_uuid(struct sim *s, char ret[static 40])
{
	uint64_t a = draw(s), b = draw(s);

	(void)snprintf(ret, 40, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned int)(a >> 32),
		       (unsigned int)(a >> 16 & 0xffff), (unsigned int)(a & 0xffff),
		       (unsigned int)(b >> 48), b & 0xffffffffffff);
}

void sim_serial(struct sim *s, char ret[static 25])
{
	uint64_t a = draw(s);

	/* The last digits count up, so no two are alike. */
	(void)snprintf(ret, 25, "%08X%08X%08X", (unsigned int)(a >> 32), (unsigned int)a,
		       (unsigned int)(0x11000 + s->seq));
}

void sim_init(struct sim *s)
{
	*s = (struct sim){ .random = 1 };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
}

struct sim_array *sim_array_find(struct sim *s, const char *name)
{
	for (unsigned int i = 0; i < s->n_arrays; i++)
		if (strcasecmp(s->arrays[i].name, name) == 0)
			return &s->arrays[i];
	return NULL;
}

struct sim_array *sim_array_add(struct sim *s, const char *name, int port)
{
	struct sim_array *a = &s->arrays[s->n_arrays];
	struct buf token = {};

	*a = (struct sim_array){
		.sim = s,
		.index = s->n_arrays++,
		.name = xstrdup(name),
		.user = xstrdup("pureuser"),
		.port = port,
		.capacity = 20ull << 40,
		.idle_timeout = 1800000,
		.enabled_delay = 86400000,
		.disabled_delay = 86400000,
		.counters = json_object(),
	};
	buf_addf(&token, "%s-token", name);
	a->api_token = token.data;
	sim_uuid(s, a->id);
	(void)snprintf(a->iqn, sizeof(a->iqn), "iqn.2010-06.com.purestorage:flasharray.%s", name);
	(void)snprintf(a->nqn, sizeof(a->nqn), "nqn.2010-06.com.purestorage:flasharray.%s", name);
	return a;
}

void sim_names_add(struct sim_names *n, const char *name)
{
	*vec_push(&n->list) = xstrdup(name);
}

static size_t names_index(const struct sim_names *n, const char *name)
{
	size_t i = 0;

	while (i < n->list.n && strcasecmp(n->list.items[i], name) != 0)
		i++;
	return i;
}

bool sim_names_has(const struct sim_names *n, const char *name)
{
	return names_index(n, name) < n->list.n;
}

bool sim_names_remove(struct sim_names *n, const char *name)
{
	size_t i = names_index(n, name);

	if (i == n->list.n)
		return false;
	free(n->list.items[i]);
	n->list.n--;
	memmove(&n->list.items[i], &n->list.items[i + 1],
		(n->list.n - i) * sizeof(n->list.items[0]));
	return true;
}

void sim_names_free(struct sim_names *n)
{
	vec_each (name, &n->list)
		free(*name);
	vec_free(&n->list);
}

bool sim_pod_on(const struct sim_pod *p, const struct sim_array *a)
{
	return p->arrays >> a->index & 1;
}

bool sim_vgroup_on(const struct sim_vgroup *g, const struct sim_array *a)
{
	return g->pod ? sim_pod_on(g->pod, a) : g->array == a->index;
}

bool sim_volume_on(const struct sim_volume *v, const struct sim_array *a)
{
	return v->pod ? sim_pod_on(v->pod, a) : v->array == a->index;
}

struct sim_pod *sim_pod_find(const struct sim_array *a, const char *name)
{
	vec_each (p, &a->sim->pods)
		if (sim_pod_on(*p, a) && strcasecmp((*p)->o.name, name) == 0)
			return *p;
	return NULL;
}

struct sim_vgroup *sim_vgroup_find(const struct sim_array *a, const char *name)
{
	vec_each (g, &a->sim->vgroups)
		if (sim_vgroup_on(*g, a) && strcasecmp((*g)->o.name, name) == 0)
			return *g;
	return NULL;
}

struct sim_volume *sim_volume_find(const struct sim_array *a, const char *name)
{
	vec_each (v, &a->sim->volumes)
		if (sim_volume_on(*v, a) && strcasecmp((*v)->o.name, name) == 0)
			return *v;
	return NULL;
}

struct sim_volume *sim_volume_by_id(const struct sim_array *a, const char *id)
{
	vec_each (v, &a->sim->volumes)
		if (sim_volume_on(*v, a) && strcmp((*v)->o.id, id) == 0)
			return *v;
	return NULL;
}

struct sim_snapshot *sim_snapshot_of(const struct sim_volume *v, const char *suffix)
{
	vec_each (p, &v->snapshots)
		if (strcasecmp((*p)->o.name, suffix) == 0)
			return *p;
	return NULL;
}

struct sim_snapshot *sim_snapshot_find(const struct sim_array *a, const char *name)
{
	const char *dot = strrchr(name, '.');
	struct sim_volume *v;
	char *volume;

	if (!dot)
		return NULL;
	volume = xstrdup(name);
	volume[dot - name] = '\0';
	v = sim_volume_find(a, volume);
	free(volume);
	return v ? sim_snapshot_of(v, dot + 1) : NULL;
}

struct sim_host *sim_host_find(const struct sim_array *a, const char *name)
{
	vec_each (h, &a->sim->hosts)
		if ((*h)->array == a->index && strcasecmp((*h)->o.name, name) == 0)
			return *h;
	return NULL;
}

struct sim_hgroup *sim_hgroup_find(const struct sim_array *a, const char *name)
{
	vec_each (g, &a->sim->hgroups)
		if ((*g)->array == a->index && strcasecmp((*g)->o.name, name) == 0)
			return *g;
	return NULL;
}

struct sim_connection *sim_connection_find(const struct sim_array *a, const struct sim_volume *v,
					   const struct sim_host *h, const struct sim_hgroup *g)
{
	vec_each (c, &a->sim->connections)
		if ((*c)->array == a->index && (*c)->volume == v && (*c)->host == h &&
		    (*c)->group == g)
			return *c;
	return NULL;
}

unsigned int sim_connections_of(const struct sim_array *a, const struct sim_volume *v)
{
	unsigned int n = 0;

	vec_each (c, &a->sim->connections)
		n += (*c)->array == a->index && (*c)->volume == v;
	return n;
}

void sim_object_init(struct sim *s, struct sim_object *o, const char *name)
{
	o->seq = ++s->seq;
	sim_uuid(s, o->id);
	o->name = xstrdup(name);
	o->created = sim_now(s);
}

struct sim_snapshot *sim_snapshot_add(struct sim *s, struct sim_volume *v, const char *suffix)
{
	struct sim_snapshot *p = xcalloc(1, sizeof(*p));

	sim_object_init(s, &p->o, suffix);
	sim_serial(s, p->serial);
	p->volume = v;
	p->size = v->size;
	*vec_push(&v->snapshots) = p;
	sim_backend_copy(s, v->serial, p->serial, p->size);
	return p;
}

uint64_t sim_used(const struct sim *s, const struct sim_volume *v)
{
	return v->used ? v->used : sim_backend_used(s, v->serial);
}

uint64_t sim_pod_provisioned(const struct sim *s, const struct sim_pod *p)
{
	uint64_t sum = 0;

	vec_each (v, &s->volumes)
		if ((*v)->pod == p)
			sum += (*v)->size;
	return sum;
}
