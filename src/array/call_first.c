/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/call.h"

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

int call_first(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
	       struct err *e)
{
	struct err first = {}, next = {};
	int ret = fn(c->arrays[0], arg, &first);

	for (size_t i = 1; no_answer(ret) && i < call_arrays(c); i++) {
		bool online = pod_is_online(c, c->arrays[i], &next) == 0;
		int other = online ? fn(c->arrays[i], arg, &next) : 0;

		if (online && !no_answer(other))
			return other ? err_set(e, other, "%s", next.text) : 0;
		call_log(c, 0, "%s", next.text);
	}
	return ret ? err_set(e, ret, "%s", first.text) : 0;
}
