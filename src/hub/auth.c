/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/auth_inside.h"

#include <errno.h>
#include <stdio.h>

#include "hub/limit.h"
#include "hub/listen.h"
#include "hub/used.h"
#include "util/str.h"

enum { TRIES_ADDRESSES = 16384, MAKERS = 65536 };

/* Ten at once, then one in six seconds: the bucket's clock runs that much slower. */
enum { TRIES_BURST = 10, TRIES_EVERY_S = 6 };

struct auth {
	struct limit *tries, *makings;
	struct used *used;
};

struct auth *auth_new(void)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->tries = limit_new(TRIES_ADDRESSES);
	a->makings = limit_new(MAKERS);
	a->used = used_new();
	return a;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	limit_free(a->tries);
	limit_free(a->makings);
	used_free(a->used);
	free(a);
}

bool auth_is_revoked(const struct store_token *t, int64_t now)
{
	return t->revoked_at && t->revoked_at <= now;
}

/* Asked anew each time: a token that another process revokes is refused from the next request on.
 */
int auth_find(struct store *s, struct slice text, int64_t now, struct store_token *ret)
{
	uint8_t hash[STORE_HASH];
	char org[STORE_ORG_MAX];
	int r;

	if (!token_text_read(text, org, hash))
		return -ENOENT;
	r = store_token_find(s, org, hash, ret, NULL);
	if (r < 0)
		return r;
	/* The database found it by an index; what it found is compared without one. */
	if (!digest_equal(ret->hash, hash, STORE_HASH))
		return -ENOENT;
	return ret->expires_at && ret->expires_at <= now ? -EKEYEXPIRED : 0;
}

void auth_note(struct auth *a, const struct store_token *t, int64_t now)
{
	used_note(a->used, t, now);
}

int auth_write_used(struct auth *a, struct store *s, struct err *e)
{
	return used_write(a->used, s, e);
}

/* --- tries --- */

bool auth_may_try(struct auth *a, enum auth_try what, const char *peer, int64_t now,
		  unsigned int *ret_wait)
{
	static const struct limit_rate rate = { TRIES_BURST, 1 };
	char network[64], name[LIMIT_NAME_MAX];
	bool may;

	listen_network(peer, network);
	(void)snprintf(name, sizeof(name), "%d %s", what, network);
	may = limit_take(a->tries, name, rate, now * 1000 / TRIES_EVERY_S, ret_wait);
	*ret_wait *= TRIES_EVERY_S;
	return may;
}

bool auth_try(struct auth *a, enum auth_try what, const struct request *r, struct reply *reply)
{
	unsigned int wait = 0;

	if (auth_may_try(a, what, r->peer, r->now, &wait))
		return true;
	reply_error(reply, 429, "too_many_tries", NULL, "too many tries from your address");
	reply->retry_after = wait;
	return false;
}

/* --- what makes rows --- */

/* A fleet comes all at once after an outage, through one organisation; one agent does not come ten
 * times a minute; a token of `hub token add` may be that of a thousand machines. */
static const struct limit_rate org_rate = { 10000, 100 };
static const struct limit_rate maker_rates[] = {
	[AUTH_MAKER_ALONE] = { 10, 1 },
	[AUTH_MAKER_SHARED] = { 1000, 6 },
};

bool auth_may_make(struct auth *a, enum auth_maker maker, const char *id, const char *org,
		   const struct request *r, struct reply *reply)
{
	int64_t ms = r->now * 1000, slow_ms = ms / TRIES_EVERY_S;
	char name[LIMIT_NAME_MAX];
	unsigned int wait = 1;

	(void)snprintf(name, sizeof(name), "id %s", id);
	if (!limit_take(a->makings, name, maker_rates[maker], slow_ms, &wait)) {
		wait *= TRIES_EVERY_S;
	} else {
		(void)snprintf(name, sizeof(name), "org %s", org);
		if (limit_take(a->makings, name, org_rate, ms, &wait))
			return true;
	}
	reply_error(reply, 429, "too_many_requests", NULL, "more tokens than one may ask for");
	reply->retry_after = wait;
	return false;
}

void auth_away(struct reply *reply)
{
	reply_error(reply, 503, "unavailable", NULL, "the database is away");
	reply->retry_after = AUTH_RETRY_S;
}

bool auth_is_private(const struct request *r, struct reply *reply)
{
	if (!r->secure)
		reply_error(reply, 403, "insecure", NULL,
			    "this hub takes no secrets over plain http from another machine: "
			    "use https");
	return r->secure;
}

/* --- auth_check --- */

static unsigned int kinds_for(enum auth_need need)
{
	static const unsigned int kinds[] = {
		[AUTH_AGENT] = 1 << STORE_TOKEN_AGENT | 1 << STORE_TOKEN_ACCESS,
		[AUTH_READER] = 1 << STORE_TOKEN_AGENT | 1 << STORE_TOKEN_ACCESS |
				1 << STORE_TOKEN_READ | 1 << STORE_TOKEN_SESSION,
		[AUTH_PERSON] = 1 << STORE_TOKEN_SESSION,
	};

	return kinds[need];
}

void auth_cookie_name(const struct request *r, const char *name, char ret[AUTH_COOKIE_NAME_MAX])
{
	(void)snprintf(ret, AUTH_COOKIE_NAME_MAX, "%s%s", r->local ? "" : "__Host-", name);
}

struct slice auth_cookie(const struct request *r, const char *name)
{
	char full[AUTH_COOKIE_NAME_MAX];

	auth_cookie_name(r, name, full);
	return token_cookie(r->cookie, full);
}

/* A session is a cookie and nothing else is, so that no other site can use a token that a browser
 * keeps, and no script a session. */
static struct slice shown_token(const struct request *r, bool *ret_cookie)
{
	struct slice text = token_bearer(r->authorization);

	*ret_cookie = slice_empty(text);
	return *ret_cookie ? auth_cookie(r, AUTH_SESSION_COOKIE) : text;
}

/* Old agents erase what they have when this text says "expired", "invalid" or "not found". */
static int unauthorized(struct reply *reply)
{
	reply_error(reply, 401, "unauthorized", NULL,
		    "this hub does not know you: show it a token that it gave out");
	reply->challenge = true;
	return -EACCES;
}

static int unknown_token(struct auth *a, const struct request *r, struct reply *reply)
{
	return auth_try(a, AUTH_TRY_TOKEN, r, reply) ? unauthorized(reply) : -EACCES;
}

/* Letters, digits, '-' and '_': what an id may be made of. */
static bool is_id(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

	return n && n < STORE_ID_MAX && !text[n];
}

/* A token that several agents share is told apart by X-Agent-ID, and without one is an agent of its
 * own. */
static void name_agent(const struct request *r, struct store_token *t)
{
	if (t->kind != STORE_TOKEN_AGENT || t->agent[0])
		return;
	(void)snprintf(t->agent, sizeof(t->agent), "%s",
		       r->agent_id && is_id(r->agent_id) ? r->agent_id : t->id);
}

static int judge(const struct request *r, enum auth_need need, bool cookie, struct store_token *t,
		 struct reply *reply)
{
	if (auth_is_revoked(t, r->now)) {
		reply_error(reply, 403, "revoked", NULL, "this token was revoked");
		return -EACCES;
	}
	if (!(kinds_for(need) & 1u << t->kind) || cookie != (t->kind == STORE_TOKEN_SESSION)) {
		reply_error(reply, 403, "wrong_kind", NULL, "this token is not for that");
		return -EACCES;
	}
	name_agent(r, t);
	return 0;
}

int auth_check(struct auth *a, struct store *s, const struct request *r, enum auth_need need,
	       struct identity *ret, struct reply *reply)
{
	struct store_token t;
	bool cookie;
	struct slice text = shown_token(r, &cookie);
	int found;

	if (slice_empty(text))
		return unauthorized(reply);
	if (!auth_is_private(r, reply))
		return -EACCES;
	found = auth_find(s, text, r->now, &t);
	if (found == -ENOENT)
		return unknown_token(a, r, reply);
	/* No guess: after an outage a thousand of them come through one address. */
	if (found == -EKEYEXPIRED)
		return unauthorized(reply);
	if (found < 0) {
		auth_away(reply);
		return -EACCES;
	}
	if (judge(r, need, cookie, &t, reply) < 0)
		return -EACCES;
	auth_note(a, &t, r->now);
	ret->token = t;
	(void)snprintf(ret->org, sizeof(ret->org), "%s", t.org);
	return 0;
}

int auth_person(struct auth *a, struct store *s, const struct request *r, struct store_token *ret)
{
	int found = auth_find(s, auth_cookie(r, AUTH_SESSION_COOKIE), r->now, ret);

	if (found < 0)
		return found == -EKEYEXPIRED ? -ENOENT : found;
	if (ret->kind != STORE_TOKEN_SESSION || auth_is_revoked(ret, r->now))
		return -ENOENT;
	auth_note(a, ret, r->now);
	return 0;
}

/* --- for the command line, too --- */

void auth_token_begin(const char *org, enum store_token_kind kind, const char *agent,
		      const char *label, int64_t now, int64_t lifetime_s, struct store_token *ret,
		      char ret_text[TOKEN_TEXT_MAX])
{
	*ret = (struct store_token){
		.kind = kind,
		.created_at = now,
		.expires_at = lifetime_s ? now + lifetime_s : 0,
	};
	(void)snprintf(ret->org, sizeof(ret->org), "%s", org);
	(void)snprintf(ret->agent, sizeof(ret->agent), "%s", agent ? agent : "");
	(void)snprintf(ret->label, sizeof(ret->label), "%s", label ? label : "");
	token_text_make(org, ret_text);
	digest_sha256(slice_of(ret_text), ret->hash);
}

int auth_token_make(struct store *s, const char *org, enum store_token_kind kind, const char *agent,
		    const char *label, int64_t now, int64_t lifetime_s, struct store_token *ret,
		    char ret_text[128], struct err *e)
{
	auth_token_begin(org, kind, agent, label, now, lifetime_s, ret, ret_text);
	return store_token_add(s, ret, e);
}
