/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>

#include "array/call.h"
#include "array/call_other.h"
#include "array/container.h"

enum { REFUSED_EVERY_MS = 600000 };

size_t call_arrays(const struct call *c)
{
	return strstr(c->conf.prefix, "::") ? c->n_arrays : 1;
}

bool call_is_silent(const struct call *c)
{
	for (size_t i = 0; i < call_arrays(c); i++)
		if (!fa_was_silent(c->arrays[i]))
			return false;
	return true;
}

/* It did not say anything of the object: another one may. */
static bool no_answer(int error)
{
	return error == -EHOSTUNREACH || error == -EPROTO || error == -EAGAIN ||
	       error == -ETIMEDOUT || error == -EKEYREJECTED;
}

/* Nobody else would say it while another array does what is asked for. */
static void name_refused(struct call *c, int error, const struct err *why)
{
	if (error == -EKEYREJECTED && call_is_news(c, why->text, REFUSED_EVERY_MS))
		call_log(c, 0, "%s", why->text);
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
	return third < CALL_PATIENCE_MAX_MS ? third : CALL_PATIENCE_MAX_MS;
}

struct question {
	int (*fn)(struct fa *, void *arg, struct err *);
	void *arg;
	bool tells; /* its answer says as well whether the pod is online */
};

/* Whether the first array has the pod online is mostly known, from what was asked of it before;
 * another one is asked for that each time: it is for an outage only. */
static int must_be_online(struct call *c, struct fa *f, const char *pod, struct err *e)
{
	enum tri online = f == c->arrays[0] ? fa_pod_is_online(f, pod) : TRI_UNKNOWN;
	int r = online == TRI_NO	? fa_pod_away(f, pod, e)
		: online == TRI_UNKNOWN ? fa_pod_ask(f, &c->fa, pod, e)
					: 0;

	/* Of the volume it has said nothing, and was told nothing. */
	if (r == -ENOENT)
		return err_set(e, -EHOSTUNREACH, "%s has no pod %s", fa_url(f), pod);
	return r < 0 && (f != c->arrays[0] || r == -EINPROGRESS) ? -EHOSTUNREACH : r;
}

/* What an array says of a pod that it does not have online may be of before an outage. */
static int ask(struct call *c, struct fa *f, const struct question *q, bool is_online,
	       struct err *e)
{
	const char *pod = container_pod(&c->conf, &c->arena);
	bool tells = q->tells && f == c->arrays[0];
	int r = pod && !tells && !is_online ? must_be_online(c, f, pod, e) : 0;

	if (r == 0)
		r = q->fn(f, q->arg, e);
	if (r == 0 && pod && tells && fa_pod_is_online(f, pod) == TRI_NO)
		r = fa_pod_away(f, pod, e);
	return r;
}

/* Waiting for @f as long as there is time, or until @next says that it can be asked instead. */
static int ask_or_next(struct call *c, struct fa *f, struct fa *next, const struct question *q,
		       bool *is_online, struct err *e)
{
	struct call_other other = {};
	int r;

	c->fa.patience_ms = patience(c, f, next);
	if (next)
		call_other_begin(&other, c, next);
	r = ask(c, f, q, *is_online, e);
	*is_online = next && call_other_end(&other, c);
	c->fa.patience_ms = 0;
	return r;
}

static int ask_in_turn(struct call *c, const struct question *q, struct err *e)
{
	struct fa *arrays[ARRAY_ADDRESSES_MAX];
	size_t n = in_turn(c, arrays);
	struct err first = {};
	bool is_online = false;
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why = {};
		int r = ask_or_next(c, arrays[i], i + 1 < n ? arrays[i + 1] : NULL, q, &is_online,
				    &why);

		if (!no_answer(r))
			return r ? err_set(e, r, "%s", why.text) : 0;
		if (i) {
			call_log(c, 0, "%s", why.text);
			continue;
		}
		first = why;
		ret = r;
		if (n > 1)
			name_refused(c, r, &why);
	}
	return err_set(e, ret, "%s", first.text);
}

int call_first(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
	       struct err *e)
{
	return ask_in_turn(c, &(struct question){ .fn = fn, .arg = arg }, e);
}

int call_first_pod(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
		   struct err *e)
{
	return ask_in_turn(c, &(struct question){ .fn = fn, .arg = arg, .tells = true }, e);
}
