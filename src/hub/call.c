/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/call.h"

#include <errno.h>
#include <stdio.h>

#include "hub/api.h"
#include "hub/ingest.h"
#include "hub/listen.h"
#include "util/clock.h"
#include "util/str.h"

enum { CHARGE_MIN = 4096, RETRY_S = 5 };

/* --- the first look ------------------------------------------------------------------------ */

static void set_allow(struct reply *r, unsigned int status, const char *allow)
{
	r->status = status;
	(void)snprintf(r->allow, sizeof(r->allow), "%s", allow);
}

static void reply_stopping(struct reply *r)
{
	reply_error(r, 503, "stopping", NULL, "this hub is being stopped");
	r->retry_after = 1;
}

static bool within(struct call *c, const char *kind, const char *name, struct limit_rate rate)
{
	char key[LIMIT_NAME_MAX];
	unsigned int wait = 1;

	(void)snprintf(key, sizeof(key), "%s %s", kind, name);
	if (limit_take(c->hub->limit, key, rate, clock_boot_ms(), &wait))
		return true;
	counts_add(c->hub->counts, COUNT_LIMITED, 1);
	reply_error(&c->reply, 429, "too_many_requests", NULL, "more than this %s may send", kind);
	c->reply.retry_after = wait;
	return false;
}

static bool within_limits(struct call *c)
{
	const struct hub_conf *conf = atomic_load(&c->hub->conf);

	switch (c->match.route->need) {
	case NEED_NOBODY:
		return c->request.local || within(c, "address", c->stranger, conf->address_rate);
	case NEED_AGENT:
		return within(c, "token", c->who.token.id, conf->token_rate) &&
		       within(c, "org", c->who.org, conf->org_rate);
	case NEED_READER:
	case NEED_PERSON:
		return within(c, "reader", c->who.token.id, conf->read_rate) &&
		       within(c, "org's readers", c->who.org, conf->org_read_rate);
	}
	return false;
}

static void name_stranger(struct call *c)
{
	char network[64];

	listen_network(c->request.peer, network);
	(void)snprintf(c->stranger, sizeof(c->stranger), "@%s", network);
}

void call_begin(struct call *c, uint64_t announced, const char *content_encoding)
{
	int r = route_find(c->request.method, &c->target, &c->match);

	counts_add(c->hub->counts, COUNT_REQUESTS, 1);
	name_stranger(c);
	if (r == -ENOENT) {
		reply_error(&c->reply, 404, "not_found", NULL, "there is nothing at this path");
	} else if (r && strcmp(c->request.method, "OPTIONS") == 0) {
		set_allow(&c->reply, 204, c->match.allow);
	} else if (r) {
		reply_error(&c->reply, 405, "method_not_allowed", NULL, "this path takes %s",
			    c->match.allow);
		set_allow(&c->reply, 405, c->match.allow);
	} else if (atomic_load(&c->hub->draining)) {
		reply_stopping(&c->reply);
	} else if (announced != CALL_CHUNKED && announced > c->match.route->body_max) {
		reply_error(&c->reply, 413, "too_large", NULL,
			    "the body has %llu bytes, at most %zu are taken",
			    (unsigned long long)announced, c->match.route->body_max);
	} else if (content_encoding && strcasecmp(content_encoding, "identity") != 0) {
		reply_error(&c->reply, 415, "unsupported_encoding", NULL,
			    "bodies are taken as they are, without Content-Encoding");
	} else if (c->match.route->need == NEED_NOBODY) {
		c->admitted = within_limits(c);
	}
}

/* --- who speaks ---------------------------------------------------------------------------- */

/* A browser says from where a request comes; what changes something must come from here. */
static bool is_foreign(const struct request *r)
{
	const char *host = r->origin ? strstr(r->origin, "://") : NULL;

	return r->origin && (!host || !r->host || strcasecmp(host + 3, r->host) != 0);
}

static int check_who(struct call *c, struct store *s)
{
	static const enum auth_need needs[] = {
		[NEED_AGENT] = AUTH_AGENT, [NEED_READER] = AUTH_READER, [NEED_PERSON] = AUTH_PERSON
	};
	enum route_need need = c->match.route->need;

	if (!s) {
		(void)call_store_error(c, -EIO, NULL);
		return -EIO;
	}
	if (need == NEED_PERSON && is_foreign(&c->request)) {
		reply_error(&c->reply, 403, "foreign_origin", NULL,
			    "this may not be asked from another site");
		return -EACCES;
	}
	return auth_check(c->hub->auth, s, &c->request, needs[need], &c->who, &c->reply);
}

/* --- the body ------------------------------------------------------------------------------ */

static bool is_stranger(const struct call *c)
{
	return c->match.route->need == NEED_NOBODY;
}

static bool take_memory(struct call *c, size_t n)
{
	bool ok = is_stranger(c) ? budget_take(c->hub->strangers, c->stranger, n)
				 : budget_take(c->hub->budget, c->who.org, n);

	if (ok)
		c->charged += n;
	return ok;
}

static void give_memory(struct call *c)
{
	if (c->charged && is_stranger(c))
		budget_give(c->hub->strangers, c->stranger, c->charged);
	else if (c->charged)
		budget_give(c->hub->budget, c->who.org, c->charged);
	c->charged = 0;
}

static void reply_busy(struct call *c, const char *sentence)
{
	buf_done(&c->reply.body);
	c->reply = (struct reply){};
	reply_error(&c->reply, 503, "busy", NULL, "%s", sentence);
	c->reply.retry_after = 1;
}

static bool charge(struct call *c, size_t upto)
{
	size_t more;

	if (upto <= c->charged)
		return true;
	more = upto - c->charged;
	if (take_memory(c, more < CHARGE_MIN ? CHARGE_MIN : more))
		return true;
	reply_busy(c, "more is on its way to the disk than may wait");
	return false;
}

/* Until it is sent, which is up to the other side. A large one counts as half of a share, so that
 * it can be had at all. */
static void charge_reply(struct call *c)
{
	size_t share = budget_share(is_stranger(c) ? c->hub->strangers : c->hub->budget);
	size_t n = c->reply.body.cap < share / 2 ? c->reply.body.cap : share / 2;

	if (!c->reply.body.len)
		buf_done(&c->reply.body);
	else if (n > CHARGE_MIN && !(is_stranger(c) && c->request.local) && !take_memory(c, n))
		reply_busy(c, "you have more replies on their way than may wait");
}

bool call_body(struct call *c, const char *data, size_t n)
{
	size_t max = c->match.route->body_max;

	if (n > max - c->body.len) {
		reply_error(&c->reply, 413, "too_large", NULL, "the body has more than %zu bytes",
			    max);
		return false;
	}
	/* By what the buffer will have, so that small pieces are not asked for one by one. */
	if (c->body.len + n > c->charged && !charge(c, 2 * c->body.len + n))
		return false;
	buf_add(&c->body, data, n);
	return true;
}

void call_done(struct call *c)
{
	give_memory(c);
	target_done(&c->target);
	buf_done(&c->body);
	buf_done(&c->reply.body);
	store_document_done(&c->item.document);
}

/* --- the way through the pool -------------------------------------------------------------- */

/* In whose line the call waits, and from whose memory it takes. */
static const char *line_of(const struct call *c)
{
	return c->who.org[0] ? c->who.org : c->stranger;
}

static void to_pool(struct call *c, enum pool_kind kind,
		    void (*run)(struct pool_job *job, struct store *s))
{
	c->job.kind = kind;
	c->job.queue.org = line_of(c);
	c->job.run = run;
	if (!pool_put(c->hub->pool, &c->job))
		return;
	reply_stopping(&c->reply);
	c->finished(c);
}

static enum pool_kind kind_of(const struct call *c)
{
	const struct route *route = c->match.route;

	if (route->id == ROUTE_LOGIN && route->body_max)
		return POOL_LOGIN;
	return route->need == NEED_READER || route->need == NEED_PERSON ? POOL_READ : POOL_WORK;
}

static void run_job(struct pool_job *job, struct store *s);

static void admit_job(struct pool_job *job, struct store *s)
{
	struct call *c = (struct call *)job;

	if (!check_who(c, s))
		c->admitted = within_limits(c);
	if (c->admitted && c->whole)
		to_pool(c, kind_of(c), run_job);
	else
		c->finished(c);
}

void call_admit(struct call *c)
{
	to_pool(c, POOL_ADMIT, admit_job);
}

void call_run(struct call *c)
{
	c->whole = true;
	if (c->admitted)
		to_pool(c, kind_of(c), run_job);
	else
		call_admit(c);
}

/* --- the work ------------------------------------------------------------------------------ */

int call_store_error(struct call *c, int error, const struct err *e)
{
	switch (error) {
	case -ENOENT:
		reply_error(&c->reply, 404, "not_found", NULL, "%s",
			    e->text[0] ? e->text : "there is no such record");
		return 0;
	case -EINVAL:
		reply_error(&c->reply, 400, "bad_request", NULL, "%s", e->text);
		return 0;
	default:
		reply_error(&c->reply, 503, "unavailable", NULL, "the database is busy or away");
		c->reply.retry_after = RETRY_S;
		return 0;
	}
}

static int run_agent(struct call *c, struct store *s)
{
	auth_agent(c->hub->auth, s, c->hub->base, &c->request, &c->reply);
	return 0;
}

static int run_login(struct call *c, struct store *s)
{
	auth_login(c->hub->auth, s, &c->request, &c->reply);
	return 0;
}

static int run_logout(struct call *c, struct store *s)
{
	auth_logout(c->hub->auth, s, &c->request, &c->reply);
	return 0;
}

static int run_authorize(struct call *c, struct store *s)
{
	auth_authorize_page(c->hub->auth, s, &c->request, &c->reply);
	return 0;
}

static const struct {
	int (*run)(struct call *c, struct store *s);
	bool without_store; /* @s may be NULL */
} handlers[] = {
	[ROUTE_DOCUMENTS] = { ingest_document },
	[ROUTE_OBJECT] = { ingest_object },
	[ROUTE_AGENT] = { run_agent },
	[ROUTE_LOGIN] = { run_login },
	[ROUTE_LOGOUT] = { run_logout },
	[ROUTE_AUTHORIZE] = { run_authorize },
	[ROUTE_LIST] = { api_list },
	[ROUTE_ONE] = { api_one },
	[ROUTE_HISTORY] = { api_history },
	[ROUTE_NANNY_LIST] = { api_nanny_list },
	[ROUTE_NANNY_ONE] = { api_nanny_list },
	[ROUTE_NANNY_DELETE] = { api_nanny_delete },
	[ROUTE_HEALTH] = { api_health },
	[ROUTE_METRICS] = { api_metrics, true },
	[ROUTE_OPENAPI] = { api_openapi, true },
};

static int run(struct call *c, struct store *s)
{
	enum route_id id = c->match.route->id;

	c->request.body = buf_slice(&c->body);
	if (!s && !handlers[id].without_store)
		return call_store_error(c, -EIO, NULL);
	return handlers[id].run(c, s);
}

static void run_job(struct pool_job *job, struct store *s)
{
	struct call *c = (struct call *)job;

	/* Without a reply it is with the writers now, and may be gone already. */
	if (run(c, s) == INGEST_UNDER_WAY)
		return;
	charge_reply(c);
	c->finished(c);
}
