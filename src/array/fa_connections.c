/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Which host sees which volume. Many names are allowed on one side of a request only. */

#include <errno.h>

#include "array/fa_inside.h"
#include "util/str.h"

enum { ROUNDS_MAX = 4, PAUSE_MS = 200 };

/* --- lists ----------------------------------------------------------------------------------- */

struct listing {
	const char *volume, *host;
	bool group;
	struct arena *arena;
	VEC(struct fa_connection) found;
};

static int take(void *arg, const json_t *item, struct err *e)
{
	struct listing *l = arg;
	struct fa_connection one;
	int r;

	if (l->volume && strcmp(fa_read_name_of(item, "volume"), l->volume) != 0)
		return 0;
	if (l->host &&
	    strcmp(fa_read_name_of(item, l->group ? "host_group" : "host"), l->host) != 0)
		return 0;
	r = fa_read_connection(item, l->arena, &one, e);
	if (r == 0)
		*vec_push(&l->found) = one;
	return r;
}

static int list(struct fa *f, const struct fa_call *c, struct listing *l,
		struct fa_connections *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};
	int r = l->volume ? fa_names_check("volume", &l->volume, 1, e) : 0;

	if (r == 0 && l->host)
		r = fa_names_check("host", &l->host, 1, e);
	if (r < 0)
		return r;
	buf_adds(&path, "connections");
	if (l->volume)
		fa_query_names(&path, "volume_names", &l->volume, 1);
	if (l->host)
		fa_query_names(&path, l->group ? "host_group_names" : "host_names", &l->host, 1);
	r = fa_list(f, c, "list of connections", buf_str(&path), take, l, e);
	if (r == 0)
		*ret = (struct fa_connections){ fa_keep(l->arena, &l->found), l->found.n };
	vec_free(&l->found);
	return r;
}

int fa_connections_list(struct fa *f, const struct fa_call *c, const char *volume, const char *host,
			struct arena *a, struct fa_connections *ret, struct err *e)
{
	struct listing l = { .volume = volume, .host = host, .arena = a };

	return list(f, c, &l, ret, e);
}

/* What is there of a connection tells the rest: the loops around it read again. */
static int look_next_round(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	(void)c;
	*(bool *)arg = true;
	return err_set(e, -EEXIST, "%s: the outcome is unknown", fa_url(f));
}

/* One side of @key_many, @n of them, and one of @key_one. */
struct pairing {
	const char *method, *verb;
	const char *key_many, *key_one;
	const char *one;
	unsigned int lun; /* 0: none is asked for */
};

/* The array has said itself that it is the LUN that it does not want; in other words than these it
 * is an error as any. */
static bool refuses_lun(const struct pairing *p, int r, const struct err *why)
{
	return p->lun && (r == -EEXIST || r == -EINVAL) &&
	       slice_holds_nocase(slice_of(why->text), "lun");
}

static int send(struct fa *f, const struct fa_call *c, const struct pairing *p,
		const char *const *many, size_t n, struct rest_reply *reply, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, body = {}, what = {};
	bool unknown = false;
	struct fa_change change = { .look = look_next_round, .arg = &unknown };
	struct err why = {};
	int r;

	if (p->lun)
		buf_addf(&body, "{\"lun\":%u}", p->lun);
	buf_adds(&path, "connections");
	fa_query_names(&path, p->key_one, &p->one, 1);
	fa_query_names(&path, p->key_many, many, n);
	buf_addf(&what, "%s %s and %s%s", p->verb, p->one, many[0], n > 1 ? " and others" : "");
	change.request = (struct rest_request){ .method = p->method,
						.path = buf_str(&path),
						.what = buf_str(&what) };
	if (p->lun)
		change.request.body = buf_slice(&body);
	r = fa_change(f, c, &change, &why);
	*reply = change.reply;
	if (!unknown && refuses_lun(p, r, &why))
		r = -EADDRINUSE;
	return r < 0 ? err_set(e, r, "%s", why.text) : r;
}

/* --- connect --------------------------------------------------------------------------------- */

struct connecting {
	const char *host;
	bool group;
	const char *const *volumes;
	size_t n;
	unsigned int lun;
	struct arena *arena;
	struct fa_connection *found; /* as many as volumes, volume NULL: none yet */
};

static void note(struct connecting *k, const struct fa_connection *one)
{
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->volumes[i], one->volume) == 0)
			k->found[i] = *one;
}

static size_t missing(const struct connecting *k, const char **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		if (!k->found[i].volume)
			ret[n++] = k->volumes[i];
	return n;
}

/* One volume's are few whoever sees it; of several, all of the host's are read. */
static int read_connected(struct fa *f, const struct fa_call *c, struct connecting *k,
			  struct err *e)
{
	struct listing l = { .host = k->host,
			     .group = k->group,
			     .volume = k->n == 1 ? k->volumes[0] : NULL,
			     .arena = k->arena };
	struct fa_connections found;
	int r = list(f, c, &l, &found, e);

	for (size_t i = 0; r == 0 && i < found.n; i++)
		note(k, &found.items[i]);
	return r;
}

static int connect_some(struct fa *f, const struct fa_call *c, struct connecting *k,
			const char *const *volumes, size_t n, struct err *e)
{
	const struct pairing p = { "POST",	   "connecting",
				   "volume_names", k->group ? "host_group_names" : "host_names",
				   k->host,	   k->lun };
	CLEANUP(rest_reply_done) struct rest_reply reply = {};
	int r = send(f, c, &p, volumes, n, &reply, e);
	const json_t *items = json_arr(reply.doc, "items");

	for (size_t i = 0; r == 0 && i < json_array_size(items); i++) {
		struct fa_connection one;

		if (fa_read_connection(json_array_get(items, i), k->arena, &one, NULL) == 0) {
			one.made = true;
			note(k, &one);
		}
	}
	return r;
}

static int connect_missing(struct fa *f, const struct fa_call *c, struct connecting *k,
			   struct err *e)
{
	const char **names = arena_alloc(k->arena, k->n * sizeof(*names));
	size_t n = missing(k, names);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += FA_NAMES_AT_ONCE)
		r = connect_some(f, c, k, names + i,
				 n - i < FA_NAMES_AT_ONCE ? n - i : FA_NAMES_AT_ONCE, e);
	return r;
}

static int unknown(struct fa *f, const char *what, const char *name, const struct err *why,
		   struct err *e)
{
	return err_set(e, -EINPROGRESS, "%s: it is not known whether %s was %s (%.300s)", fa_url(f),
		       name, what, why->text);
}

/* Reading until there is an answer: something was sent before. */
static int read_again(struct fa *f, const struct fa_call *c, struct connecting *k, struct err *e)
{
	struct err why = {};
	int r;

	while (fa_is_silence(r = read_connected(f, c, k, &why)))
		if (!rest_pause(c, PAUSE_MS))
			return unknown(f, "connected", k->volumes[0], &why, e);
	return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

/* First all at once. When some are there already, or it is not known, those that lack. */
static int connect_all(struct fa *f, const struct fa_call *c, struct connecting *k, struct err *e)
{
	const char **lacking = arena_alloc(k->arena, k->n * sizeof(*lacking));
	int r = connect_missing(f, c, k, e);

	for (int round = 0; round < ROUNDS_MAX; round++) {
		if (r < 0 && r != -EEXIST && !(round && fa_is_silence(r)))
			return r;
		if (missing(k, lacking) == 0)
			return 0;
		r = read_again(f, c, k, e);
		if (r < 0)
			return r;
		if (missing(k, lacking) == 0)
			return 0;
		r = connect_missing(f, c, k, e);
	}
	return missing(k, lacking) ? err_set(e, -EAGAIN, "%s: %s is not connected with %s",
					     fa_url(f), lacking[0], k->host)
				   : 0;
}

int fa_connect(struct fa *f, const struct fa_call *c, const char *host, bool group,
	       const char *const *volumes, size_t n, unsigned int lun, struct arena *a,
	       struct fa_connections *ret, struct err *e)
{
	struct connecting k = { .host = host,
				.group = group,
				.volumes = volumes,
				.n = n,
				.lun = n == 1 ? lun : 0,
				.arena = a };
	int r = fa_names_check(group ? "host group" : "host", &host, 1, e);

	if (r == 0)
		r = fa_names_check("volume", volumes, n, e);
	if (r < 0)
		return r;
	k.found = arena_alloc(a, (n ? n : 1) * sizeof(*k.found));
	r = n ? connect_all(f, c, &k, e) : 0;
	if (r == 0)
		*ret = (struct fa_connections){ k.found, n };
	return r;
}

/* --- disconnect ------------------------------------------------------------------------------ */

struct leaving {
	const char *const *hosts;
	size_t n;
	bool group;
	const char *volume;
	struct arena arena;
};

static bool is_leaving(const struct leaving *l, const struct fa_connection *one)
{
	const char *host = l->group ? one->host_group : one->host;

	/* A host's own connection; one that it has by its group goes with the group's. */
	if (!host || (!l->group && one->host_group))
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->hosts[i], host) == 0)
			return true;
	return false;
}

/* Those of the hosts that are still connected. No volume has no connections. */
static int still_there(struct fa *f, const struct fa_call *c, struct leaving *l, const char **ret,
		       size_t *ret_n, struct err *e)
{
	struct listing all = { .volume = l->volume, .arena = &l->arena };
	struct fa_connections found = {};
	int r = list(f, c, &all, &found, e);

	*ret_n = 0;
	if (r == -ENOENT || r == -ESTALE)
		return 0;
	for (size_t i = 0; r == 0 && i < found.n && *ret_n < l->n; i++)
		if (is_leaving(l, &found.items[i]))
			ret[(*ret_n)++] =
				l->group ? found.items[i].host_group : found.items[i].host;
	return r;
}

static int cut(struct fa *f, const struct fa_call *c, const struct leaving *l,
	       const char *const *hosts, size_t n, struct err *e)
{
	const struct pairing p = { "DELETE", "disconnecting",
				   l->group ? "host_group_names" : "host_names", "volume_names",
				   l->volume };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += FA_NAMES_AT_ONCE) {
		CLEANUP(rest_reply_done) struct rest_reply reply = {};

		r = send(f, c, &p, hosts + i, n - i < FA_NAMES_AT_ONCE ? n - i : FA_NAMES_AT_ONCE,
			 &reply, e);
	}
	return r;
}

/* Some of it is gone already, or it is not known what is: the list says. */
static bool must_look(int r)
{
	return r == -ENOENT || r == -ESTALE || r == -EEXIST;
}

static int cut_rest(struct fa *f, const struct fa_call *c, struct leaving *l, struct err *e)
{
	const char **left = arena_alloc(&l->arena, l->n * sizeof(*left));
	struct err why = {};
	int cuts = 0;

	for (;;) {
		size_t n;
		int r = still_there(f, c, l, left, &n, &why);

		if (r == 0 && n == 0)
			return cuts ? 0 : 1;
		if (r == 0 && cuts++ < ROUNDS_MAX)
			r = cut(f, c, l, left, n, &why);
		if (r < 0 && !fa_is_silence(r) && !must_look(r))
			return err_set(e, r, "%s", why.text);
		if (cuts > ROUNDS_MAX || !rest_pause(c, PAUSE_MS))
			return unknown(f, "disconnected", l->volume, &why, e);
	}
}

int fa_disconnect(struct fa *f, const struct fa_call *c, const char *const *hosts, size_t n,
		  bool group, const char *volume, struct err *e)
{
	struct leaving l = { .hosts = hosts, .n = n, .group = group, .volume = volume };
	int r = fa_names_check(group ? "host group" : "host", hosts, n, e);

	if (r == 0)
		r = fa_names_check("volume", &volume, 1, e);
	if (r < 0 || n == 0)
		return r;
	r = cut(f, c, &l, hosts, n, e);
	if (must_look(r))
		r = cut_rest(f, c, &l, e);
	arena_done(&l.arena);
	return r;
}
