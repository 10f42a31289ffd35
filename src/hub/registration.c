/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "hub/auth_inside.h"
#include "hub/check.h"
#include "hub/listen.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

/*
 * How an agent comes to its tokens: it asks for a code, a person approves it on the page, the agent
 * registers with it. Later it refreshes, and once in a while renews what it refreshes with. The
 * texts of errors are part of it: agents that are older than this hub read them.
 */

struct ask {
	struct auth *a;
	struct store *s;
	const char *base;
	const struct request *r;
	struct reply *reply;
	const json_t *body;
};

/* No I, O, 0 and 1: a person reads it off a screen. */
static const char code_letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

static void make_code(char ret[AUTH_CODE_LEN + 1])
{
	uint8_t random[AUTH_CODE_LEN];

	digest_random(random, sizeof(random));
	for (size_t i = 0; i < AUTH_CODE_LEN; i++)
		ret[i] = code_letters[random[i] % 32];
	ret[AUTH_CODE_LEN] = '\0';
}

bool auth_read_code(const char *typed, char ret[AUTH_CODE_LEN + 1])
{
	size_t n = 0;

	for (; *typed; typed++) {
		char c = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;

		if (c == '-' || c == ' ')
			continue;
		if (!strchr(code_letters, c) || n == AUTH_CODE_LEN)
			return false;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return n == AUTH_CODE_LEN;
}

void auth_hash_code(const char *code, uint8_t ret[STORE_HASH])
{
	digest_sha256(slice_of(code), ret);
}

/* What the store's refusal means to an agent: come again. */
static void away(const struct ask *q)
{
	auth_away(q->reply);
}

static void begin_answer(const struct ask *q, struct jsonw *w)
{
	q->reply->status = 200;
	jsonw_begin_row(w, &q->reply->body);
	jsonw_bool(w, "success", true);
}

/* --- device-auth-start --- */

static void write_from(const struct ask *q, char ret[64])
{
	const char *hostname = json_str(q->body, "hostname");
	char shown[40];

	if (hostname && *hostname) {
		str_printable(shown, sizeof(shown), slice_of(hostname));
		if ((size_t)snprintf(ret, 64, "%s at %s", shown, q->r->peer) < 64)
			return;
	}
	(void)snprintf(ret, 64, "%s", q->r->peer);
}

static void answer_start(const struct ask *q, const char *device_code, const char *user_code)
{
	struct jsonw w;

	begin_answer(q, &w);
	jsonw_str(&w, "device_code", device_code);
	jsonw_str(&w, "user_code", user_code);
	jsonw_fmt(&w, "verification_uri", "%s/agent/authorize?user_code=%s", q->base, user_code);
	jsonw_fmt(&w, "verification_uri_complete", "%s/agent/authorize?user_code=%s", q->base,
		  user_code);
	jsonw_u64(&w, "expires_in", AUTH_CODE_S);
	jsonw_u64(&w, "interval", 5);
	jsonw_end(&w);
}

static void start(const struct ask *q)
{
	struct store_device d = { .expires_at = q->r->now + AUTH_CODE_S };
	char device_code[DIGEST_SECRET_MAX], user_code[AUTH_CODE_LEN + 1];
	struct err e = {};
	int r;

	if (!auth_try(q->a, AUTH_TRY_START, q->r, q->reply))
		return;
	digest_secret(device_code);
	make_code(user_code);
	digest_sha256(slice_of(device_code), d.device_hash);
	auth_hash_code(user_code, d.user_hash);
	write_from(q, d.from);
	listen_network(q->r->peer, d.network);
	r = store_device_add(q->s, &d, q->r->now, &e);
	if (r == -EAGAIN) {
		reply_error(q->reply, 429, "too_many_codes", NULL, "%s", e.text);
		q->reply->retry_after = AUTH_FULL_RETRY_S;
	} else if (r < 0) {
		away(q);
	} else {
		answer_start(q, device_code, user_code);
	}
}

/* --- authorize: the page without a page, for a person's own program --- */

static void authorize(const struct ask *q)
{
	const char *typed = json_str(q->body, "user_code");
	char code[AUTH_CODE_LEN + 1];
	uint8_t hash[STORE_HASH];
	struct store_token who;
	struct jsonw w;
	int r = auth_person(q->a, q->s, q->r, &who);

	if (r < 0 && r != -ENOENT) {
		away(q);
		return;
	}
	if (r < 0) {
		reply_error(q->reply, 401, "unauthorized", NULL, "log in first");
		return;
	}
	if (!auth_try(q->a, AUTH_TRY_CODE, q->r, q->reply))
		return;
	r = -ENOENT;
	if (typed && auth_read_code(typed, code)) {
		auth_hash_code(code, hash);
		r = store_device_approve(q->s, hash, who.org, who.user, q->r->now, NULL);
	}
	if (r == -ENOENT) {
		reply_error(q->reply, 400, "unknown code", NULL,
			    "nothing waits for this code, or its ten minutes are over");
	} else if (r < 0) {
		away(q);
	} else {
		begin_answer(q, &w);
		jsonw_str(&w, "message", "device authorized");
		jsonw_end(&w);
	}
}

/* --- register, refresh, renew-refresh-token --- */

struct pair {
	struct store_token access, refresh;
	char access_text[TOKEN_TEXT_MAX], refresh_text[TOKEN_TEXT_MAX]; /* "": not a new one */
};

/* What the store puts down; the agent is known by then. */
static void begin_token(const struct ask *q, enum store_token_kind kind, const char *org,
			const char *agent, int64_t lifetime, struct store_token *ret,
			char ret_text[TOKEN_TEXT_MAX])
{
	auth_token_begin(org, kind, agent, "", q->r->now, lifetime, ret, ret_text);
}

static void begin_pair(const struct ask *q, const char *org, const char *agent, struct pair *p)
{
	begin_token(q, STORE_TOKEN_ACCESS, org, agent, AUTH_ACCESS_S, &p->access, p->access_text);
	begin_token(q, STORE_TOKEN_REFRESH, org, agent, AUTH_REFRESH_S, &p->refresh,
		    p->refresh_text);
}

static void answer_tokens(const struct ask *q, const struct pair *p)
{
	struct jsonw w;

	begin_answer(q, &w);
	jsonw_str(&w, "access_token", p->access_text);
	if (p->refresh_text[0])
		jsonw_str(&w, "refresh_token", p->refresh_text);
	jsonw_str(&w, "token_type", "Bearer");
	jsonw_u64(&w, "expires_in", AUTH_ACCESS_S);
	jsonw_i64(&w, "refresh_token_expires_in", p->refresh.expires_at - q->r->now);
	jsonw_str(&w, "agent_id", p->access.agent);
	jsonw_end(&w);
}

static void name_agent(const struct ask *q, struct store_agent *agent)
{
	const char *hostname = json_str(q->body, "hostname");
	const char *version = json_str(q->body, "version");

	agent->created_at = q->r->now;
	str_printable(agent->hostname, sizeof(agent->hostname), slice_of(hostname ? hostname : ""));
	str_printable(agent->version, sizeof(agent->version), slice_of(version ? version : ""));
}

static int register_with(const struct ask *q, const uint8_t hash[STORE_HASH], const char *org,
			 struct pair *p)
{
	struct store_agent agent = {};

	name_agent(q, &agent);
	begin_pair(q, org, "", p);
	return store_agent_register(q->s, hash, q->r->now, &agent, &p->access, &p->refresh, NULL);
}

/* Before anything is asked that depends on whether somebody has used a pair: who has is told to the
 * store now and then only. */
static int write_uses(const struct ask *q)
{
	return auth_write_used(q->a, q->s, NULL);
}

/* Whose the code is; else -errno of store_device_org(). */
static int find_code(const struct ask *q, uint8_t ret_hash[STORE_HASH], char ret_org[STORE_ORG_MAX])
{
	const char *device_code = json_str(q->body, "device_code");

	if (!device_code)
		return -ENOENT;
	digest_sha256(slice_of(device_code), ret_hash);
	return store_device_org(q->s, ret_hash, q->r->now, ret_org, NULL);
}

static bool may_register(const struct ask *q, const uint8_t hash[STORE_HASH], const char *org)
{
	char id[DIGEST_SECRET_MAX];

	digest_derive("code", (struct slice){ (const char *)hash, STORE_HASH }, id);
	return auth_may_make(q->a, AUTH_MAKER_ALONE, id, org, q->r, q->reply);
}

static void register_agent(const struct ask *q)
{
	char org[STORE_ORG_MAX];
	struct pair p = {};
	uint8_t hash[STORE_HASH];
	int r = find_code(q, hash, org);

	if (r == 0 && !may_register(q, hash, org))
		return;
	if (r == 0)
		r = write_uses(q);
	if (r == 0)
		r = register_with(q, hash, org, &p);
	if (r == 0) {
		answer_tokens(q, &p);
	} else if (r == -EAGAIN) {
		reply_error(q->reply, 400, "device not authorized", NULL,
			    "nobody has approved this code yet");
	} else if (r != -ENOENT) {
		away(q);
	} else if (auth_try(q->a, AUTH_TRY_CODE, q->r, q->reply)) {
		reply_error(q->reply, 400, "unknown code", NULL,
			    "this code was used, or its ten minutes are over: begin again");
	}
}

static void unknown_agent(const struct ask *q)
{
	reply_error(q->reply, 401, "unauthorized", NULL,
		    "this hub does not know this agent: register it again");
}

static void revoked_agent(const struct ask *q)
{
	reply_error(q->reply, 403, "revoked", NULL, "this agent was revoked: register it again");
}

/* Whose refresh token the request shows; false with the reply. The words are chosen: agents throw
 * away what they have when they read that it was "invalid", "expired" or "not found". */
static bool take_refresh(const struct ask *q, struct store_token *ret)
{
	const char *text = json_str(q->body, "refresh_token");
	int r = text ? auth_find(q->s, slice_of(text), q->r->now, ret) : -ENOENT;

	if (r == 0 && ret->kind != STORE_TOKEN_REFRESH)
		r = -ENOENT;
	if (r == -EKEYEXPIRED) {
		unknown_agent(q);
	} else if (r == -ENOENT) {
		if (auth_try(q->a, AUTH_TRY_TOKEN, q->r, q->reply))
			unknown_agent(q);
	} else if (r < 0) {
		away(q);
	} else if (auth_is_revoked(ret, q->r->now)) {
		revoked_agent(q);
	} else if (auth_may_make(q->a, AUTH_MAKER_ALONE, ret->id, ret->org, q->r, q->reply)) {
		auth_note(q->a, ret, q->r->now);
		return true;
	}
	return false;
}

static void answer_made(const struct ask *q, int r, const struct pair *p)
{
	if (r == -EKEYREVOKED)
		revoked_agent(q);
	else if (r < 0)
		away(q);
	else
		answer_tokens(q, p);
}

/* Only the access token is a new one. */
static void keep_refresh(struct pair *p, const struct store_token *old)
{
	p->refresh = *old;
	if (old->revoked_at && old->revoked_at < old->expires_at)
		p->refresh.expires_at = old->revoked_at;
	p->refresh_text[0] = '\0';
}

static void refresh(const struct ask *q)
{
	struct store_token old;
	struct pair p = {};

	if (!take_refresh(q, &old))
		return;
	begin_pair(q, old.org, old.agent, &p);
	keep_refresh(&p, &old);
	answer_made(q, store_token_refresh(q->s, &old, &p.access, q->r->now, NULL), &p);
}

/* The answer may be lost, so the old one is good for a while yet. */
static void renew(const struct ask *q)
{
	struct store_token old;
	bool renewed = false;
	struct pair p = {};
	int r;

	if (!take_refresh(q, &old))
		return;
	begin_pair(q, old.org, old.agent, &p);
	r = write_uses(q);
	if (r == 0)
		r = store_token_renew(q->s, &old, &p.access, &p.refresh, q->r->now,
				      q->r->now + AUTH_OVERLAP_S, &renewed, NULL);
	if (!renewed)
		keep_refresh(&p, &old);
	answer_made(q, r, &p);
}

/* --- register-with-token: a token of `hub token add` on a machine that gets no other --- */

static struct slice static_token(const struct ask *q)
{
	static const char *const keys[] = { "token", "static_token", "access_token" };
	struct slice text = token_bearer(q->r->authorization);

	for (size_t i = 0; i < ARRAY_SIZE(keys) && slice_empty(text); i++)
		text = slice_of(json_str(q->body, keys[i]) ?: "");
	return text;
}

static void register_with_token(const struct ask *q)
{
	CLEANUP(buf_done) struct buf header = {};
	struct slice text = static_token(q);
	struct store_agent agent = {};
	struct request r = *q->r;
	struct identity who;
	struct jsonw w;

	buf_addf(&header, "Bearer " SLICE_FMT, SLICE_ARG(text));
	r.authorization = text.n ? buf_str(&header) : NULL;
	r.cookie = NULL;
	if (auth_check(q->a, q->s, &r, AUTH_AGENT, &who, q->reply) < 0)
		return;
	if (!auth_may_make(q->a, AUTH_MAKER_SHARED, who.token.id, who.org, q->r, q->reply))
		return;
	name_agent(q, &agent);
	if (store_agent_add(q->s, who.org, &agent, NULL) < 0) {
		away(q);
		return;
	}
	begin_answer(q, &w);
	jsonw_str(&w, "agent_id", agent.id);
	jsonw_str(&w, "message", "agent registered");
	jsonw_end(&w);
}

/* --- the door --- */

static const struct {
	const char *name;
	void (*run)(const struct ask *q);
} actions[] = {
	{ "device-auth-start", start },	  { "authorize", authorize },
	{ "register", register_agent },	  { "refresh", refresh },
	{ "renew-refresh-token", renew }, { "register-with-token", register_with_token },
};

static void run_action(const struct ask *q)
{
	const char *name = json_str(q->body, "action");

	for (size_t i = 0; name && i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, name) == 0) {
			actions[i].run(q);
			return;
		}
	reply_error(q->reply, 400, "unknown action", "$.action", "there is no such action");
}

/* A form of another site cannot say that it is JSON. */
static bool is_json(const struct request *r)
{
	return r->content_type && strncasecmp(r->content_type, "application/json", 16) == 0;
}

void auth_agent(struct auth *a, struct store *s, const char *base, const struct request *r,
		struct reply *reply)
{
	struct ask q = { a, s, base, r, reply };
	struct check_fault fault = {};
	json_t *body = NULL;

	if (!auth_is_private(r, reply))
		return;
	if (!is_json(r)) {
		reply_error(reply, 415, "unsupported_type", NULL,
			    "Content-Type must be application/json");
		return;
	}
	if (check_object(r->body, &fault) < 0 ||
	    json_parse_bulk(r->body, "body", &body, NULL) < 0) {
		reply_error(reply, fault.status ? fault.status : 400, "bad_request",
			    fault.path[0] ? fault.path : NULL, "%s", fault.why);
		return;
	}
	q.body = body;
	run_action(&q);
	json_decref(body);
}
