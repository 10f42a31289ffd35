/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/space.h"

#include <errno.h>

#include "array/container.h"
#include "util/clock.h"
#include "util/str.h"

enum { LIFE_MS = 1000 };

/* What the memo keeps: plain memory of this process. */
struct answer {
	int error;
	int64_t at;
	struct err why;
	struct fa_space space;
};

struct asked {
	struct call *c;
	struct fa_space space;
};

/* The arrays that are asked: an address with its token is one of the pool's, whichever storage
 * names it. */
static const char *asked_of(struct call *c)
{
	const char *ret = "";

	for (size_t i = 0; i < call_arrays(c); i++)
		ret = arena_fmt(&c->arena, "%s%p ", ret, (const void *)c->arrays[i]);
	return ret;
}

static int ask_array(struct fa *f, void *arg, struct err *e)
{
	struct asked *q = arg;

	return fa_space_get(f, &q->c->fa, NULL, &q->space, e);
}

static int ask_pod(struct fa *f, void *arg, struct err *e)
{
	struct asked *q = arg;

	return fa_pod_space_get(f, &q->c->fa, container_pod(&q->c->conf, &q->c->arena), &q->space,
				e);
}

static int ask_group(struct fa *f, void *arg, struct err *e)
{
	struct asked *q = arg;

	return fa_space_get(f, &q->c->fa, container_group(&q->c->conf, &q->c->arena), &q->space, e);
}

static int ask_volumes(struct fa *f, void *arg, struct err *e)
{
	struct asked *q = arg;
	struct fa_volumes found = {};
	struct arena arena = {};
	int r = fa_volumes_list(f, &q->c->fa, NULL, 0, q->c->conf.prefix, false, &arena, &found, e);

	q->space = (struct fa_space){};
	for (size_t i = 0; r == 0 && i < found.n; i++)
		if (array_volname_of(&q->c->conf, found.items[i].name))
			q->space.used += found.items[i].size;
	arena_done(&arena);
	return r;
}

static int ask_provisioned(struct call *c, uint64_t *ret, struct err *e)
{
	struct asked q = { .c = c };
	int r = call_first(c, container_group(&c->conf, &c->arena) ? ask_group : ask_volumes, &q,
			   e);

	if (r == 0)
		*ret = q.space.used;
	return r;
}

/* ---- a pod: its quota, else what its array has ---- */

struct half {
	const char *what;
	int (*ask)(struct fa *f, void *arg, struct err *e);
	int (*first)(struct call *c, int (*fn)(struct fa *, void *arg, struct err *), void *arg,
		     struct err *e);
	bool fresh; /* asked by this call */
	struct said {
		int64_t at;
		struct fa_space space;
	} said;
};

struct half_asked {
	struct call *c;
	struct half *half;
};

static int fetch_half(void *arg, struct buf *ret, struct err *e)
{
	struct half_asked *h = arg;
	struct asked q = { .c = h->c };
	struct said said = { .at = clock_mono_ms() };
	int r = h->half->first(h->c, h->half->ask, &q, e);

	h->half->fresh = true;
	said.space = q.space;
	if (r == 0)
		buf_add(ret, &said, sizeof(said));
	return r;
}

static int get_half(struct call *c, struct half *half, int age_ms, struct err *e)
{
	CLEANUP(buf_done) struct buf kept = {};
	struct half_asked h = { c, half };
	const char *key = arena_fmt(&c->arena, "half %s %s%s", half->what, asked_of(c),
				    container_pod(&c->conf, &c->arena));
	int r = array_memo_get(c->ctx->memo, key, age_ms, c->fa.deadline, fetch_half, &h, &kept, e);

	if (r == 0)
		memcpy(&half->said, kept.data, sizeof(half->said));
	return r;
}

/*
 * Without a quota it takes two answers. Both are asked for at first, and then the older one each
 * time, so that a status is one request.
 */
static int ask_halves(struct call *c, struct fa_space *ret, struct err *e)
{
	struct half pod = { .what = "pod", .ask = ask_pod, .first = call_first_pod };
	struct half array = { .what = "array", .ask = ask_array, .first = call_first };
	int r = get_half(c, &pod, SPACE_HALF_MS, e);

	if (r == 0 && !pod.said.space.total)
		r = get_half(c, &array, SPACE_HALF_MS, e);
	if (r == 0 && !pod.fresh && !array.fresh) {
		bool pods_turn = pod.said.space.total || pod.said.at <= array.said.at;

		r = get_half(c, pods_turn ? &pod : &array, 0, e);
		/* The quota that was has been taken away. */
		if (r == 0 && !pod.said.space.total && !array.said.at)
			r = get_half(c, &array, SPACE_HALF_MS, e);
	}
	if (r == 0)
		*ret = pod.said.space.total ? pod.said.space : array.said.space;
	return r;
}

static int ask(struct call *c, struct fa_space *ret, struct err *e)
{
	struct asked q = { .c = c };
	int r;

	if (c->conf.quota) {
		ret->total = c->conf.quota;
		return ask_provisioned(c, &ret->used, e);
	}
	if (container_pod(&c->conf, &c->arena))
		r = ask_halves(c, &q.space, e);
	else
		r = call_first(c, ask_array, &q, e);
	if (r < 0)
		return r;
	if (!q.space.total)
		return err_set(e, -EPROTO, "%s says that it has no capacity", fa_url(c->arrays[0]));
	*ret = q.space;
	return 0;
}

/* ---- arrays that were silent ---- */

static int ask_life(struct fa *f, void *arg, struct err *e)
{
	CLEANUP(arena_done) struct arena arena = {};
	const struct call *c = arg;
	struct fa_call fa = c->fa;
	struct fa_about about;

	fa.deadline = clock_mono_ms() + LIFE_MS;
	fa.beside = true; /* who is slow would be silent for ever */
	return fa_about_get(f, &fa, &arena, &about, e);
}

static int fetch_life(void *arg, struct buf *ret, struct err *e)
{
	struct answer answer = { .at = clock_mono_ms() };
	int results[ARRAY_ADDRESSES_MAX] = {};
	struct err why[ARRAY_ADDRESSES_MAX] = {};
	struct call *c = arg;
	size_t n = call_arrays(c), silent = 0;

	(void)e;
	fa_each(c->arrays, n, ask_life, c, results, why);
	while (silent < n && results[silent] == -EHOSTUNREACH)
		silent++;
	if (silent == n) {
		answer.error = results[0];
		answer.why = why[0];
	}
	buf_add(ret, &answer, sizeof(answer));
	return 0;
}

/* What all of Proxmox' rounds over all storages of these arrays wait for is one short question. */
static int still_silent(struct call *c, struct err *e)
{
	CLEANUP(buf_done) struct buf kept = {};
	struct answer answer;
	int r;

	if (!call_is_silent(c))
		return 0;
	r = array_memo_get(c->ctx->memo, arena_fmt(&c->arena, "life %s", asked_of(c)),
			   SPACE_KEEP_FAILURE_MS, c->fa.deadline, fetch_life, c, &kept, e);
	if (r < 0)
		return r;
	memcpy(&answer, kept.data, sizeof(answer));
	return answer.error ? err_set(e, answer.error, "%s", answer.why.text) : 0;
}

/* A failure is an answer as well: who asks at once after it must not wait as long again. */
static int fetch(void *arg, struct buf *ret, struct err *e)
{
	struct answer answer = { .at = clock_mono_ms() };

	(void)e;
	answer.error = still_silent(arg, &answer.why);
	if (answer.error == 0)
		answer.error = ask(arg, &answer.space, &answer.why);
	buf_add(ret, &answer, sizeof(answer));
	return 0;
}

/* What the answer depends on. */
static const char *key_of(struct call *c)
{
	const char *pod = container_pod(&c->conf, &c->arena);

	if (c->conf.quota)
		return arena_fmt(&c->arena, "space %s%s %llu", asked_of(c), c->conf.prefix,
				 (unsigned long long)c->conf.quota);
	return arena_fmt(&c->arena, "space %s%s", asked_of(c), pod ? pod : "");
}

static int remembered(struct call *c, int age_ms, struct answer *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf kept = {};
	int r = array_memo_get(c->ctx->memo, key_of(c), age_ms, c->fa.deadline, fetch, c, &kept, e);

	if (r == 0)
		memcpy(ret, kept.data, sizeof(*ret));
	return r;
}

int space_get(struct call *c, struct fa_space *ret, struct err *e)
{
	struct answer answer = {};
	int r = remembered(c, SPACE_KEEP_MS, &answer, e);

	if (r == 0 && answer.error && clock_mono_ms() - answer.at > SPACE_KEEP_FAILURE_MS)
		r = remembered(c, SPACE_KEEP_FAILURE_MS, &answer, e);
	if (r < 0)
		return r;
	if (answer.error)
		return err_set(e, answer.error, "%s", answer.why.text);
	*ret = answer.space;
	if (ret->used > ret->total)
		ret->used = ret->total;
	return 0;
}

int space_room_for(struct call *c, uint64_t more, struct err *e)
{
	char is[24], limit[24], wanted[24];
	uint64_t used = 0;
	int r;

	if (!c->conf.quota)
		return 0;
	r = ask_provisioned(c, &used, e);
	if (r < 0)
		return r;
	if (used <= c->conf.quota && more <= c->conf.quota - used)
		return 0;
	return err_set(e, -EDQUOT,
		       "storage %s: purestorage-quota is %s, %s are provisioned, %s more are asked "
		       "for",
		       c->conf.storage, str_human_size(c->conf.quota, limit),
		       str_human_size(used, is), str_human_size(more, wanted));
}
