/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Pods, and on which arrays they are in step. Every answer that says so is remembered, whoever
 * asked for it, so that in the steady state nobody asks for that alone.
 */

#include <errno.h>

#include "array/fa_inside.h"

struct fa_pod_seen {
	struct fa_pod_seen *next;
	char *name;
	int64_t at; /* monotonic ms */
	struct fa_pod pod;
	struct arena arena; /* pod's */
};

void fa_pods_free(struct fa *f)
{
	while (f->pods) {
		struct fa_pod_seen *it = f->pods;

		f->pods = it->next;
		arena_done(&it->arena);
		free(it->name);
		free(it);
	}
	free(f->own_id);
}

/* --- what was said: under f->lock ------------------------------------------------------------ */

static struct fa_pod_seen *seen(struct fa *f, const char *name)
{
	struct fa_pod_seen *it = f->pods;

	while (it && strcmp(it->name, name) != 0)
		it = it->next;
	return it;
}

static bool is_online(const char *status)
{
	return status && strcmp(status, "online") == 0;
}

static const char *status_on(const struct fa_pod *p, const char *id)
{
	for (size_t i = 0; id && i < p->n_arrays; i++)
		if (p->arrays[i].id && strcmp(p->arrays[i].id, id) == 0)
			return p->arrays[i].status;
	return NULL;
}

static bool all_online(const struct fa_pod *p)
{
	for (size_t i = 0; i < p->n_arrays; i++)
		if (!is_online(p->arrays[i].status))
			return false;
	return p->n_arrays > 0;
}

/* Where it is online everywhere it does not matter which of the arrays this one is. */
static enum tri judge(const struct fa *f, const struct fa_pod *p)
{
	if (all_online(p))
		return TRI_YES;
	if (!f->own_id)
		return TRI_UNKNOWN;
	return is_online(status_on(p, f->own_id)) ? TRI_YES : TRI_NO;
}

/* An array that was out of reach since may have been left behind. */
static enum tri known(const struct fa *f, const struct fa_pod_seen *it)
{
	enum tri ret = it && it->at > rest_failed_at(f->rest) ? judge(f, &it->pod) : TRI_UNKNOWN;
	int64_t age = it ? rest_now_ms() - it->at : 0;

	return ret == TRI_UNKNOWN || age > (all_online(&it->pod) ? FA_POD_KEPT_MS : FA_POD_AWAY_MS)
		       ? TRI_UNKNOWN
		       : ret;
}

/* --- learned from answers -------------------------------------------------------------------- */

static struct fa_pod_seen *seen_or_new(struct fa *f, const char *name)
{
	struct fa_pod_seen *it = seen(f, name);

	if (it)
		return it;
	it = xcalloc(1, sizeof(*it));
	it->name = xstrdup(name);
	it->next = f->pods;
	f->pods = it;
	return it;
}

void fa_pods_learn(struct fa *f, const json_t *item, int64_t asked)
{
	struct arena arena = {};
	struct fa_pod_seen *it;
	struct fa_pod pod;

	if (fa_read_pod(item, &arena, &pod, NULL) < 0) {
		arena_done(&arena);
		return;
	}
	(void)pthread_mutex_lock(&f->lock);
	it = seen_or_new(f, pod.name);
	if (asked >= it->at) {
		struct arena old = it->arena;

		it->at = asked;
		it->pod = pod;
		it->arena = arena;
		arena = old;
	}
	(void)pthread_mutex_unlock(&f->lock);
	arena_done(&arena);
}

void fa_own_id_learn(struct fa *f, const char *id)
{
	(void)pthread_mutex_lock(&f->lock);
	if (!f->own_id || strcmp(f->own_id, id) != 0) {
		free(f->own_id);
		f->own_id = xstrdup(id);
	}
	(void)pthread_mutex_unlock(&f->lock);
}

/* --- asked for ------------------------------------------------------------------------------- */

enum tri fa_pod_is_online(struct fa *f, const char *name)
{
	enum tri ret;

	(void)pthread_mutex_lock(&f->lock);
	ret = known(f, seen(f, name));
	(void)pthread_mutex_unlock(&f->lock);
	return ret;
}

const char *fa_pod_status(struct fa *f, const char *name, const char *id, struct arena *a)
{
	const struct fa_pod_seen *it;
	const char *ret = NULL;

	(void)pthread_mutex_lock(&f->lock);
	it = seen(f, name);
	if (it && all_online(&it->pod))
		ret = "online";
	else if (it)
		ret = status_on(&it->pod, id);
	ret = ret ? arena_str(a, slice_of(ret)) : NULL;
	(void)pthread_mutex_unlock(&f->lock);
	return ret;
}

int fa_pod_away(struct fa *f, const char *name, struct err *e)
{
	const struct fa_pod_seen *it;
	const char *status;
	int r;

	(void)pthread_mutex_lock(&f->lock);
	it = seen(f, name);
	status = it ? status_on(&it->pod, f->own_id) : NULL;
	r = err_set(e, -EHOSTUNREACH, "pod %s is not online on %s%s%s%s", name, fa_url(f),
		    status ? ", but " : "", status ?: "",
		    status ? ": what it says of volumes may be of before" : "");
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

int fa_pod_ask(struct fa *f, const struct fa_call *c, const char *name, struct err *e)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct fa_about about;
	struct fa_pod pod;
	enum tri online;
	int r = fa_pod_get(f, c, name, &arena, &pod, e);

	(void)pthread_mutex_lock(&f->lock);
	online = r == 0 ? judge(f, &pod) : TRI_UNKNOWN;
	(void)pthread_mutex_unlock(&f->lock);
	if (r == 0 && online == TRI_UNKNOWN) {
		r = fa_about_get(f, c, &arena, &about, e);
		if (r == 0 && is_online(status_on(&pod, about.id)))
			online = TRI_YES;
	}
	if (r < 0)
		return r;
	return online == TRI_YES ? 0 : fa_pod_away(f, name, e);
}
