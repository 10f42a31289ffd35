/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/call.h"

enum { PATIENCE_MAX_MS = 6000 };

size_t call_arrays(const struct call *c)
{
	return strstr(c->conf.prefix, "::") ? c->n_arrays : 1;
}

/* It did not say anything of the object: another one may. */
static bool no_answer(int error)
{
	return error == -EHOSTUNREACH || error == -EPROTO || error == -EAGAIN ||
	       error == -ETIMEDOUT;
}

/* The pod is on this array and in step, so that what the array says holds. */
static int pod_is_online(struct call *c, struct fa *f, struct err *e)
{
	const char *prefix = c->conf.prefix, *end = strstr(prefix, "::");
	const char *name = arena_strndup(&c->arena, prefix, (size_t)(end - prefix));
	struct fa_about about = {};
	struct fa_pod pod = {};
	int ret = fa_about_get(f, &c->fa, &c->arena, &about, e);

	if (ret == 0)
		ret = fa_pod_get(f, &c->fa, name, &c->arena, &pod, e);
	if (ret)
		return ret;
	for (size_t i = 0; i < pod.n_arrays; i++)
		if (about.id && pod.arrays[i].id && strcmp(pod.arrays[i].id, about.id) == 0 &&
		    pod.arrays[i].status && strcmp(pod.arrays[i].status, "online") == 0)
			return 0;
	return err_set(e, -EHOSTUNREACH, "pod %s is not online on %s", name, fa_url(f));
}

/* Those that answer, in their order, and then those that were silent. */
static size_t in_turn(const struct call *c, struct fa *ret[ARRAY_ADDRESSES_MAX])
{
	size_t n = call_arrays(c), answering = 0, silent = 0;
	struct fa *last[ARRAY_ADDRESSES_MAX];

	for (size_t i = 0; i < n; i++) {
		if (fa_was_silent(c->arrays[i]))
			last[silent++] = c->arrays[i];
		else
			ret[answering++] = c->arrays[i];
	}
	for (size_t i = 0; i < silent; i++)
		ret[answering + i] = last[i];
	return n;
}

/* How long @f may be silent, so that @next gets its turn in time; 0: there is no other. */
static int patience(const struct call *c, const struct fa *f, const struct fa *next)
{
	int left = call_left(c, 0), third = left / 3;

	if (!next)
		return 0;
	if (!fa_was_silent(f) && fa_was_silent(next))
		return left - third;
	return third < PATIENCE_MAX_MS ? third : PATIENCE_MAX_MS;
}

/* The first array is the one that is meant; of another one the pod has to be online there. */
static int ask(struct call *c, struct fa *f, int (*fn)(struct fa *, void *arg, struct err *),
	       void *arg, struct err *e)
{
	if (f != c->arrays[0] && pod_is_online(c, f, e) < 0)
		return -EHOSTUNREACH;
	return fn(f, arg, e);
}

int call_first(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
	       struct err *e)
{
	struct fa *arrays[ARRAY_ADDRESSES_MAX];
	size_t n = in_turn(c, arrays);
	struct err first = {};
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why = {};
		int r;

		c->fa.patience_ms = patience(c, arrays[i], i + 1 < n ? arrays[i + 1] : NULL);
		r = ask(c, arrays[i], fn, arg, &why);
		c->fa.patience_ms = 0;
		if (!no_answer(r))
			return r ? err_set(e, r, "%s", why.text) : 0;
		if (i) {
			call_log(c, 0, "%s", why.text);
		} else {
			first = why;
			ret = r;
		}
	}
	return err_set(e, ret, "%s", first.text);
}
