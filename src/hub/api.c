/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/api.h"

#include <errno.h>
#include <stdio.h>

#include "hub/etag.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/prom.h"
#include "util/str.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 500,
	PER_PAGE_DEFAULT = 20,
	PAGE_MAX = 1000000,
	HISTORY_DEFAULT_S = 24 * 3600,
};

/* Made by meson of docs/openapi.yaml. */
extern const char openapi_yaml[];
extern const size_t openapi_yaml_size;

/* Where the ages are in what is answered (hub/etag.h). */
enum { AGES_NONE = 0, AGES_ONE = 1, AGES_LIST = 3 };

static int answered(struct call *c, unsigned int ages)
{
	struct reply *r = &c->reply;

	r->status = 200;
	etag_of(buf_slice(&r->body), ages, r->etag);
	if (c->request.if_none_match && etag_matches(c->request.if_none_match, r->etag)) {
		r->status = 304;
		buf_reset(&r->body);
	}
	return 0;
}

static int bad(struct call *c, const char *what, const char *value, const char *expected)
{
	char shown[80];

	str_printable(shown, sizeof(shown), slice_of(value));
	reply_error(&c->reply, 400, "bad_request", NULL, "%s '%s': expected %s", what, shown,
		    expected);
	return 0;
}

/* A whole number among the parameters; false with the reply filled. */
static bool take_number(struct call *c, const char *key, uint32_t low, uint32_t high, uint32_t *ret)
{
	const char *v = target_param(&c->target, key);
	char expected[64];
	uint32_t n;

	if (!v)
		return true;
	if (str_to_u32(slice_of(v), &n) && n >= low && n <= high) {
		*ret = n;
		return true;
	}
	(void)snprintf(expected, sizeof(expected), "%u to %u", low, high);
	bad(c, key, v, expected);
	return false;
}

/* --- lists --------------------------------------------------------------------------------- */

static bool is_in(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

static void bad_word(struct call *c, const char *what, const char *value, const char *const *list)
{
	CLEANUP(buf_done) struct buf expected = {};

	buf_adds(&expected, list[0] ? "one of " : "none");
	for (size_t i = 0; list[i]; i++)
		buf_addf(&expected, "%s%s", i ? ", " : "", list[i]);
	bad(c, what, value, buf_str(&expected));
}

static bool take_filters(struct call *c, struct store_query *q)
{
	for (size_t i = 0; i < c->target.n_params; i++) {
		const char *key = c->target.params[i].key, *value = c->target.params[i].value;

		if (strcmp(key, "sort") == 0 || strcmp(key, "limit") == 0 ||
		    strcmp(key, "cursor") == 0)
			continue;
		if (!is_in(key, store_list_filters(q->list)) ||
		    q->n_filters == ARRAY_SIZE(q->filters)) {
			bad_word(c, "filter", key, store_list_filters(q->list));
			return false;
		}
		q->filters[q->n_filters++] = (struct store_filter){ key, value };
	}
	return true;
}

static bool take_sort(struct call *c, struct store_query *q)
{
	const char *v = target_param(&c->target, "sort");

	if (!v)
		return true;
	q->descending = v[0] == '-';
	q->sort = v + (q->descending ? 1 : 0);
	if (is_in(q->sort, store_list_sorts(q->list)))
		return true;
	bad_word(c, "sort", v, store_list_sorts(q->list));
	return false;
}

int api_list(struct call *c, struct store *s)
{
	struct store_query q = { .org = c->who.org,
				 .list = (enum store_list)c->match.route->detail,
				 .limit = LIMIT_DEFAULT,
				 .cursor = target_param(&c->target, "cursor") };
	CLEANUP(buf_done) struct buf cursor = {}, rest = {};
	struct buf *out = &c->reply.body;
	struct err e = {};
	struct jsonw w;
	int r;

	if (!take_number(c, "limit", 1, LIMIT_MAX, &q.limit) || !take_filters(c, &q) ||
	    !take_sort(c, &q))
		return 0;
	buf_adds(out, "{\"items\": ");
	r = store_list(s, &q, out, &cursor, &e);
	if (r)
		return call_store_error(c, r, &e);
	/* The rest of the object, written as one of its own without its first brace. */
	jsonw_begin_row(&w, &rest);
	jsonw_str(&w, "next", cursor.len ? cursor.data : NULL);
	jsonw_end(&w);
	buf_adds(out, ", ");
	buf_adds(out, strchr(rest.data, '{') + 1);
	return answered(c, AGES_LIST);
}

/* --- one, and its history ------------------------------------------------------------------ */

int api_one(struct call *c, struct store *s)
{
	struct err e = {};
	int r = store_one(s, c->who.org, (enum store_list)c->match.route->detail,
			  c->match.captures[0], c->match.captures[1], &c->reply.body, &e);

	return r ? call_store_error(c, r, &e) : answered(c, AGES_ONE);
}

static bool take_time(struct call *c, const char *key, int64_t *ret)
{
	const char *v = target_param(&c->target, key);
	uint32_t seconds;

	if (!v || clock_parse(slice_of(v), ret))
		return true;
	if (str_to_u32(slice_of(v), &seconds)) {
		*ret = seconds;
		return true;
	}
	bad(c, key, v, "a time as 2026-11-21T14:00:00Z, or Unix seconds");
	return false;
}

int api_history(struct call *c, struct store *s)
{
	static const char *const kinds[] = { [STORE_LIST_NODES] = "node",
					     [STORE_LIST_GUESTS] = "guest",
					     [STORE_LIST_STORAGES] = "storage" };
	const char *const *captures = c->match.captures;
	CLEANUP(buf_done) struct buf subject = {};
	int64_t from = INT64_MIN, to = c->request.now;
	struct err e = {};
	int r;

	if (!take_time(c, "from", &from) || !take_time(c, "to", &to))
		return 0;
	if (from == INT64_MIN)
		from = to - HISTORY_DEFAULT_S;
	if (from > to)
		return bad(c, "from", target_param(&c->target, "from"), "a time before to");
	buf_addf(&subject, "%s/%s", kinds[c->match.route->detail], captures[1]);
	if (captures[2])
		buf_addf(&subject, "/%s", captures[2]);
	buf_adds(&c->reply.body, "{\"items\": ");
	r = store_history(s, c->who.org, captures[0], subject.data, from, to, &c->reply.body, &e);
	if (r)
		return call_store_error(c, r, &e);
	buf_adds(&c->reply.body, "}\n");
	return answered(c, AGES_NONE);
}

/* --- NannyAPI's ---------------------------------------------------------------------------- */

int api_nanny_list(struct call *c, struct store *s)
{
	uint32_t page = 1, per_page = PER_PAGE_DEFAULT;
	struct err e = {};
	int r;

	if (!take_number(c, "page", 1, PAGE_MAX, &page) ||
	    !take_number(c, "perPage", 1, LIMIT_MAX, &per_page))
		return 0;
	r = store_nanny_list(s, c->who.org, (enum store_object)c->match.route->detail,
			     target_param(&c->target, "cluster_id"),
			     target_param(&c->target, "node_id"), page, per_page,
			     c->match.captures[0], &c->reply.body, &e);
	return r ? call_store_error(c, r, &e) : answered(c, AGES_NONE);
}

int api_nanny_delete(struct call *c, struct store *s)
{
	struct err e = {};
	int r = store_nanny_delete(s, c->who.org, (enum store_object)c->match.route->detail,
				   c->match.captures[0], &e);

	if (r)
		return call_store_error(c, r, &e);
	c->reply.status = 204;
	return 0;
}

/* --- about the hub itself ------------------------------------------------------------------ */

/* An answer that needs the database, whatever it says. */
int api_health(struct call *c, struct store *s)
{
	char org[STORE_ORG_MAX];
	struct err e = {};
	int r = store_org_find(s, "", org, &e);

	if (r && r != -ENOENT && r != -EINVAL)
		return call_store_error(c, r, &e);
	c->reply.status = 200;
	buf_adds(&c->reply.body, "{\"status\": \"ok\", \"version\": \"" PVEWARDEN_VERSION "\"}\n");
	return 0;
}

static void write_totals(struct store *s, struct buf *out)
{
	static const char *const keys[] = { "documents", "clusters", "nodes",
					    "guests",	 "events",   "bytes" };
	CLEANUP(buf_done) struct buf text = {};
	struct err e;
	json_t *root = NULL;

	if (!s || store_counts(s, &text, &e) ||
	    json_parse(buf_slice(&text), "store_counts()", &root, &e))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char name[64];
		uint64_t n;

		if (!json_u64(root, keys[i], &n))
			continue;
		(void)snprintf(name, sizeof(name), "pvewarden_hub_stored_%s", keys[i]);
		prom_gauge(out, name, "In the database now");
		buf_addf(out, "%s %llu\n", name, (unsigned long long)n);
	}
	json_decref(root);
}

int api_metrics(struct call *c, struct store *s)
{
	struct counts_now now = { .waiting_bytes = budget_used(c->hub->budget) +
						   budget_used(c->hub->strangers),
				  .connections = atomic_load(&c->hub->connections) };
	bool all = c->request.local && !c->request.authorization;

	if (!all) {
		if (!s)
			return call_store_error(c, -EIO, NULL);
		if (auth_check(c->hub->auth, s, &c->request, AUTH_READER, &c->who, &c->reply))
			return 0;
	}
	counts_write(c->hub->counts, all ? NULL : c->who.org, &now, &c->reply.body);
	if (all)
		write_totals(s, &c->reply.body);
	c->reply.status = 200;
	c->reply.type = "text/plain; version=0.0.4; charset=utf-8";
	return 0;
}

int api_openapi(struct call *c, struct store *s)
{
	(void)s;
	c->reply.status = 200;
	c->reply.type = "application/yaml";
	c->reply.const_body = openapi_yaml;
	c->reply.const_size = openapi_yaml_size;
	return 0;
}
