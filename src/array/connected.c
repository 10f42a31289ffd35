/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/connected.h"

#include <errno.h>

#include "array/container.h"
#include "array/elsewhere.h"
#include "array/volumes.h"
#include "util/clock.h"

enum {
	SEVERAL_MS = 12000, /* of several arrays a silent one may not use up the time of all that
			       follows */
	FRESH_MS = 1000,    /* so old may be what is said to be so now */
	CLUSTER_RESERVE_MS = 8000,
};

struct asking {
	struct fa_call fa;
	struct connected *w;
	const char *pod; /* that the volume is in; NULL: none, or it is not asked for */
	/* The volume, if it is asked for as well, what this node knows of it (NULL: nothing), and
	 * whether the first array has shown it. */
	struct fa_volume *volume;
	const struct registry_entry *known;
	bool shown;
};

static struct connected_on *place_of(struct connected *w, const struct fa *f)
{
	size_t i = 0;

	while (w->on[i].array != f)
		i++;
	return &w->on[i];
}

static int list_one(struct fa *f, const struct fa_call *fa, const struct asking *q,
		    struct connected_on *on, struct err *e)
{
	int r;

	on->found = (struct fa_connections){};
	r = fa_connections_list(f, fa, q->w->full, NULL, &on->arena, &on->found, e);
	/* A second array without that volume has nobody connected to it. */
	return r == -ENOENT || r == -ESTALE ? 0 : r;
}

bool connected_shows(const struct fa_connections *found, const char *volume_id)
{
	for (size_t i = 0; i < found->n; i++)
		if (!found->items[i].volume_id || strcmp(found->items[i].volume_id, volume_id) != 0)
			return false;
	return found->n;
}

/* An array that is back from an outage tells of before, until its pod is online. */
static bool tells_of_now(struct fa *f, const struct fa_call *fa, const char *pod)
{
	enum tri online = pod ? fa_pod_is_online(f, pod) : TRI_YES;
	struct err ignored = {};

	return online == TRI_UNKNOWN ? fa_pod_ask(f, fa, pod, &ignored) == 0 : online == TRI_YES;
}

/* By its connections, where it is this node's; else by itself, and then by those that it says it
 * has. */
static int show_volume(struct fa *f, const struct fa_call *fa, struct asking *q,
		       struct connected_on *on, struct err *e)
{
	const struct registry_entry *known = q->known;
	int r = known ? list_one(f, fa, q, on, e) : 0;

	if (r == 0 && known && connected_shows(&on->found, known->volume_id)) {
		*q->volume = (struct fa_volume){ .name = q->w->full,
						 .id = known->volume_id,
						 .serial = known->serial,
						 .size = known->size };
		q->shown = true;
		return 0;
	}
	/* What it has connected counts all the same. */
	if (r == 0 && !tells_of_now(f, fa, q->pod))
		return known ? 0 : list_one(f, fa, q, on, e);
	if (r == 0)
		r = fa_volume_get(f, fa, q->w->full, &on->arena, q->volume, e);
	if (r < 0)
		return r;
	q->shown = true;
	on->found = (struct fa_connections){};
	return q->volume->connections ? list_one(f, fa, q, on, e) : 0;
}

static int ask_one(struct fa *f, void *arg, struct err *e)
{
	struct asking *q = arg;
	struct connected_on *on = place_of(q->w, f);
	struct fa_call fa = fa_call_beside(f, &q->fa, q->w->n_arrays);

	return q->volume && on == q->w->on ? show_volume(f, &fa, q, on, e)
					   : list_one(f, &fa, q, on, e);
}

static bool is_status(const char *status, const char *wanted)
{
	return status && strcmp(status, wanted) == 0;
}

/* Which arrays they are that answered: an array may have several addresses. NULL: it did not say.
 */
static void learn_ids(struct call *c, const struct connected *w,
		      const char *ret[ARRAY_ADDRESSES_MAX])
{
	for (size_t i = 0; i < w->n_arrays; i++) {
		struct fa_about about = {};
		struct err ignored = {};

		ret[i] = NULL;
		if (w->on[i].result == 0 &&
		    fa_about_get(w->on[i].array, &c->fa, &c->arena, &about, &ignored) == 0)
			ret[i] = about.id;
	}
}

static bool is_one_of(const char *id, const char *const *ids, size_t n)
{
	for (size_t i = 0; id && i < n; i++)
		if (ids[i] && strcmp(ids[i], id) == 0)
			return true;
	return false;
}

/*
 * Whether all arrays on which the pod may have I/O are among @ids, by the word of the one with
 * @own. Only one that is online knows: to others the peer, which may be the one that serves, is
 * "unknown". "suspended" becomes either.
 */
static bool none_lacks(const struct fa_pod *pod, const char *own, const char *const *ids, size_t n)
{
	bool online = false;

	for (size_t i = 0; i < pod->n_arrays; i++) {
		const char *id = pod->arrays[i].id, *status = pod->arrays[i].status;

		if (id && strcmp(id, own) == 0)
			online = is_status(status, "online");
		else if (!is_status(status, "offline") && !is_status(status, "resyncing") &&
			 !is_one_of(id, ids, n))
			return false;
	}
	return online;
}

/* Whether all on which the pod may have I/O are among those that answered. */
static bool silent_are_out(struct call *c, const struct connected *w)
{
	const char *name = container_pod(&c->conf, &c->arena), *ids[ARRAY_ADDRESSES_MAX];

	if (!name)
		return false;
	learn_ids(c, w, ids);
	for (size_t i = 0; i < w->n_arrays; i++) {
		struct fa_pod pod = {};
		struct err ignored = {};

		if (ids[i] &&
		    fa_pod_get(w->on[i].array, &c->fa, name, &c->arena, &pod, &ignored) == 0 &&
		    none_lacks(&pod, ids[i], ids, w->n_arrays))
			return true;
	}
	return false;
}

static int weigh(struct call *c, struct connected *ret, const struct err *why, struct err *e)
{
	size_t answered = 0, silent = 0;

	for (size_t i = 0; i < ret->n_arrays; i++) {
		if (ret->on[i].result == 0)
			answered++;
		else
			silent = i;
	}
	ret->all_known = answered == ret->n_arrays;
	if (ret->all_known)
		return 0;
	if (answered && silent_are_out(c, ret)) {
		call_log(
			c, 0,
			"%s: %s does not answer, and the pod is not online there: who is connected "
			"to %s there does not count",
			c->conf.storage, fa_url(ret->on[silent].array), ret->full);
		return 0;
	}
	return err_set(e, ret->on[silent].result, "who is connected to %s is not known: %s",
		       ret->full, why[silent].text);
}

static void begin(struct call *c, const char *full, struct connected *ret)
{
	*ret = (struct connected){ .full = full,
				   .n_arrays = call_arrays(c),
				   .read = clock_mono_ms() };
	for (size_t i = 0; i < ret->n_arrays; i++)
		ret->on[i].array = c->arrays[i];
}

static void ask_all(struct call *c, struct asking *q, struct err why[ARRAY_ADDRESSES_MAX])
{
	int results[ARRAY_ADDRESSES_MAX] = {};
	struct connected *w = q->w;

	q->fa = c->fa;
	if (w->n_arrays > 1 && call_left(c, 0) > SEVERAL_MS)
		q->fa.deadline = clock_mono_ms() + SEVERAL_MS;
	fa_each(c->arrays, w->n_arrays, ask_one, q, results, why);
	for (size_t i = 0; i < w->n_arrays; i++)
		w->on[i].result = results[i];
	w->read = clock_mono_ms();
}

int connected_read(struct call *c, const struct fa_volume *v, struct connected *ret, struct err *e)
{
	struct asking q = { .w = ret };
	struct err why[ARRAY_ADDRESSES_MAX];

	begin(c, v->name, ret);
	if (v->connections == 0 && ret->n_arrays == 1) {
		ret->all_known = true;
		return 0;
	}
	ask_all(c, &q, why);
	return weigh(c, ret, why, e);
}

/* Its name, id and serial were seen together in this boot, and neither id nor serial ever changes.
 */
static const struct registry_entry *known_as(struct call *c, const char *volname, const char *full)
{
	struct registry_entry *it = arena_alloc(&c->arena, sizeof(*it));
	int r = registry_find(c->ctx->registry, c->conf.storage, volname, "", &c->arena, it);

	return r == 0 && it->verified && !it->leaving && *it->volume_id && *it->serial &&
			       strcmp(it->array_volume, full) == 0
		       ? it
		       : NULL;
}

static uint64_t count(const struct connected *w)
{
	uint64_t ret = 0;

	for (size_t i = 0; i < w->n_arrays; i++)
		ret += w->on[i].result == 0 ? w->on[i].found.n : 0;
	return ret;
}

int connected_volume(struct call *c, const char *volname, const char *full, struct fa_volume *v,
		     struct connected *ret, struct err *e)
{
	struct asking q = { .w = ret,
			    .pod = container_pod(&c->conf, &c->arena),
			    .volume = v,
			    .known = known_as(c, volname, full) };
	struct err why[ARRAY_ADDRESSES_MAX];
	int r;

	begin(c, full, ret);
	ask_all(c, &q, why);
	r = ret->on[0].result;
	if (r == -ENOENT || r == -ESTALE)
		return err_set(e, r, "%s", why[0].text);
	/* Another one says it, if the pod is online there. */
	r = q.shown ? 0 : volume_get(c, full, v, e);
	if (r == 0)
		r = weigh(c, ret, why, e);
	if (r == 0)
		v->connections = count(ret);
	return r;
}

void connected_done(struct connected *w)
{
	for (size_t i = 0; i < w->n_arrays; i++)
		arena_done(&w->on[i].arena);
}

static int read_again(struct call *c, struct connected *w, struct err *e)
{
	struct asking q = { .w = w };
	struct err why[ARRAY_ADDRESSES_MAX];

	ask_all(c, &q, why);
	return weigh(c, w, why, e);
}

int connected_idle(struct call *c, const char *volname, struct connected *w, struct err *e)
{
	VEC(struct fa_connection) all = {};
	int r = clock_mono_ms() - w->read > FRESH_MS ? read_again(c, w, e) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < w->n_arrays; i++)
		for (size_t k = 0; k < w->on[i].found.n; k++)
			*vec_push(&all) = w->on[i].found.items[k];
	r = elsewhere_idle(&c->conf, c->ctx->pve, call_left(c, CLUSTER_RESERVE_MS), c->node,
			   volname, all.items, all.n, w->all_known, e);
	vec_free(&all);
	return r;
}

struct dropping {
	struct call *c;
	const char *full;
	struct connected *w;
};

static bool holds(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The names of one side: a connection through a group is the group's. This node's own has ended
 * before. */
static size_t names_of(const struct call *c, const struct fa_connections *found, bool groups,
		       const char **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++) {
		const struct fa_connection *it = &found->items[i];
		const char *name = groups ? it->host_group : it->host;

		if (!name || (!groups && (it->host_group || strcmp(name, c->conf.host) == 0)))
			continue;
		if (!holds(ret, n, name))
			ret[n++] = name;
	}
	return n;
}

static int drop_side(struct dropping *d, struct fa *f, struct connected_on *on, bool groups,
		     struct err *e)
{
	const char **names = arena_alloc(&on->arena, (on->found.n + 1) * sizeof(*names));
	size_t n = names_of(d->c, &on->found, groups, names);
	int r;

	if (!n)
		return 0;
	r = fa_disconnect(f, &d->c->fa, names, n, groups, d->full, e);
	for (size_t i = 0; r >= 0 && i < n; i++)
		call_log(d->c, groups ? 1 : 0, "%s was still connected to %s %s; it is no more%s",
			 d->full, groups ? "host group" : "host", names[i],
			 groups ? ""
				: ": what that node has of it, pvewarden array reap removes there");
	return r;
}

static int drop_one(struct fa *f, void *arg, struct err *e)
{
	struct dropping *d = arg;
	struct connected_on *on = place_of(d->w, f);
	int r;

	if (on->result < 0) {
		call_log(
			d->c, 0,
			"%s: its connections on %s remain. When that array is back, this node's is "
			"for `pvewarden array reap`; those of other nodes end when the destroyed "
			"volume is eradicated, or by purevol disconnect --host HOST %s there",
			d->full, fa_url(f), d->full);
		return 0;
	}
	r = drop_side(d, f, on, false, e);
	return r < 0 ? r : drop_side(d, f, on, true, e);
}

int connected_drop(struct call *c, const char *full, struct connected *w, struct err *e)
{
	struct dropping d = { .c = c, .full = full, .w = w };
	int results[ARRAY_ADDRESSES_MAX] = {};
	struct err why[ARRAY_ADDRESSES_MAX];

	fa_each(c->arrays, w->n_arrays, drop_one, &d, results, why);
	for (size_t i = 0; i < w->n_arrays; i++)
		if (results[i] < 0)
			return err_set(e, results[i], "%s", why[i].text);
	return 0;
}
