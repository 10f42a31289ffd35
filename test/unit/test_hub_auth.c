/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/auth_inside.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/password.h"
#include "hub/store_engine.h"
#include "util/json.h"
#include "util/str.h"

enum { NOW = 1795269600 };

#define PASSWORD "correct horse battery"

/* A hub with two organisations and a person in each. */
struct hub {
	char folder[64], path[96];
	struct store *store;
	struct auth *auth;
	char org[2][STORE_ORG_MAX];
	struct request r; /* what the next call asks with */
	struct reply reply;
	const char *query_code;
};

static const char *query(const struct request *r, const char *key)
{
	const struct hub *h = r->from;

	return strcmp(key, "user_code") == 0 ? h->query_code : NULL;
}

static void fresh_request(struct hub *h)
{
	h->r = (struct request){
		.method = "POST",
		.host = "hub.example.org",
		.peer = "192.0.2.1",
		.secure = true,
		.now = NOW,
		.query = query,
		.from = h,
	};
	h->query_code = NULL;
}

static int begin(void **state)
{
	struct hub *h = xcalloc(1, sizeof(*h));
	struct err e = {};

	(void)snprintf(h->folder, sizeof(h->folder), "/tmp/hub-auth-XXXXXX");
	assert_non_null(mkdtemp(h->folder));
	(void)snprintf(h->path, sizeof(h->path), "%s/hub.db", h->folder);
	assert_int_equal(store_open(&h->store, h->path, STORE_CREATE | STORE_ANY_VERSION, &e), 0);
	assert_int_equal(store_migrate(h->store, NULL, NULL, &e), 0);
	assert_int_equal(store_org_add(h->store, "default", h->org[0], &e), 0);
	assert_int_equal(store_org_add(h->store, "other", h->org[1], &e), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			auth_user_put(h->store, h->org[i], "alice", SLICE(PASSWORD), true, &e), 0);
	h->auth = auth_new();
	fresh_request(h);
	*state = h;
	return 0;
}

static int end(void **state)
{
	struct hub *h = *state;
	static const char *const files[] = { "", "-wal", "-shm" };
	char path[128];

	auth_free(h->auth);
	store_close(h->store);
	buf_done(&h->reply.body);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", h->path, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(h->folder);
	free(h);
	return 0;
}

static void fresh_reply(struct hub *h)
{
	struct buf body = h->reply.body;

	buf_reset(&body);
	h->reply = (struct reply){ .body = body };
}

/* --- tokens --- */

static void make(struct hub *h, int org, enum store_token_kind kind, int64_t lifetime,
		 struct store_token *t, char text[TOKEN_TEXT_MAX])
{
	assert_int_equal(auth_token_make(h->store, h->org[org], kind, NULL, "test", NOW, lifetime,
					 t, text, NULL),
			 0);
}

static int check(struct hub *h, const char *token, enum auth_need need, struct identity *who)
{
	char header[TOKEN_TEXT_MAX + 16];

	(void)snprintf(header, sizeof(header), "Bearer %s", token);
	h->r.authorization = header;
	fresh_reply(h);
	return auth_check(h->auth, h->store, &h->r, need, who, &h->reply);
}

static void a_token_says_who(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	for (int org = 0; org < 2; org++) {
		make(h, org, STORE_TOKEN_AGENT, 0, &t, text);
		assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
		assert_string_equal(who.org, h->org[org]);
		assert_string_equal(who.token.agent, t.id);
		assert_int_equal(check(h, text, AUTH_READER, &who), 0);
	}
	h->r.agent_id = "node-17";
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_string_equal(who.token.agent, "node-17");
	h->r.agent_id = "no ' id";
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_string_equal(who.token.agent, t.id);
}

/* The words after which old agents throw their token away (together with "token"). */
static void assert_harmless(const struct hub *h)
{
	static const char *const words[] = { "invalid", "Invalid", "expired", "not found" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_null(strstr(buf_str(&h->reply.body), words[i]));
}

/* The reply is JSON with this word, and a sentence. */
static void assert_error(const struct hub *h, unsigned int status, const char *word)
{
	json_t *doc = NULL;

	assert_int_equal(h->reply.status, status);
	assert_int_equal(json_parse(buf_slice(&h->reply.body), "reply", &doc, NULL), 0);
	assert_string_equal(json_str(doc, "error"), word);
	assert_true(json_str(doc, "error_description")[0]);
	assert_true(json_is_false(json_object_get(doc, "success")));
	json_decref(doc);
}

static void wrong_tokens(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX], swapped[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 60, &t, text);
	assert_int_equal(check(h, "", AUTH_AGENT, &who), -EACCES);
	assert_error(h, 401, "unauthorized");
	assert_true(h->reply.challenge);
	assert_harmless(h);
	assert_int_equal(check(h, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", AUTH_AGENT, &who),
			 -EACCES);
	assert_error(h, 401, "unauthorized");
	assert_harmless(h);
	/* Another organisation's name on a good secret. */
	(void)snprintf(swapped, sizeof(swapped), "pvw1.%s%s", h->org[1], strrchr(text, '.'));
	assert_int_equal(check(h, swapped, AUTH_AGENT, &who), -EACCES);
	assert_error(h, 401, "unauthorized");
	text[strlen(text) - 2] ^= 1;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
	assert_error(h, 401, "unauthorized");
	text[strlen(text) - 2] ^= 1;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	h->r.now = NOW + 59;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	h->r.now = NOW + 60;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
	assert_error(h, 401, "unauthorized");
	assert_harmless(h);
}

static void kinds(void **state)
{
	static const struct {
		enum store_token_kind kind;
		bool agent, reader;
	} cases[] = {
		{ STORE_TOKEN_AGENT, true, true },     { STORE_TOKEN_ACCESS, true, true },
		{ STORE_TOKEN_REFRESH, false, false }, { STORE_TOKEN_READ, false, true },
		{ STORE_TOKEN_SESSION, false, false }, /* only as a cookie */
	};
	struct hub *h = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store_token t;
		struct identity who;
		char text[TOKEN_TEXT_MAX];

		make(h, 0, cases[i].kind, 0, &t, text);
		assert_int_equal(check(h, text, AUTH_AGENT, &who), cases[i].agent ? 0 : -EACCES);
		assert_int_equal(check(h, text, AUTH_READER, &who), cases[i].reader ? 0 : -EACCES);
		if (!cases[i].reader)
			assert_error(h, 403, "wrong_kind");
		assert_int_equal(check(h, text, AUTH_PERSON, &who), -EACCES);
		assert_error(h, 403, "wrong_kind");
	}
}

static void a_cookie_is_a_session_only(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX], cookie[TOKEN_TEXT_MAX + 64];

	make(h, 0, STORE_TOKEN_SESSION, 60, &t, text);
	(void)snprintf(cookie, sizeof(cookie), "a=b; __Host-pvw_session=%s", text);
	h->r.cookie = cookie;
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_PERSON, &who, &h->reply), 0);
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_READER, &who, &h->reply), 0);
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_AGENT, &who, &h->reply),
			 -EACCES);
	/* Without the prefix any other host of the domain could have set it. */
	(void)snprintf(cookie, sizeof(cookie), "pvw_session=%s", text);
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_READER, &who, &h->reply),
			 -EACCES);
	assert_int_equal(h->reply.status, 401);
	h->r.local = true;
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_READER, &who, &h->reply), 0);
	h->r.local = false;
	make(h, 0, STORE_TOKEN_AGENT, 60, &t, text);
	(void)snprintf(cookie, sizeof(cookie), "__Host-pvw_session=%s", text);
	assert_int_equal(auth_check(h->auth, h->store, &h->r, AUTH_READER, &who, &h->reply),
			 -EACCES);
	assert_int_equal(h->reply.status, 403);
}

static void revoked(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_int_equal(store_token_revoke(h->store, t.org, t.id, NOW, NULL), 0);
	assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
	assert_error(h, 403, "revoked");
}

static int64_t used_at(struct hub *h, const struct store_token *t)
{
	struct store_token got;

	assert_int_equal(auth_write_used(h->auth, h->store, NULL), 0);
	assert_int_equal(store_token_find(h->store, t->org, t->hash, &got, NULL), 0);
	return got.used_at;
}

/* At most once an hour, and never by a token that is refused. */
static void used(void **state)
{
	struct hub *h = *state;
	struct store_use use = { .at = NOW - 5 };
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	assert_int_equal(used_at(h, &t), 0);
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_int_equal(used_at(h, &t), NOW);
	h->r.now = NOW + 3599;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_int_equal(used_at(h, &t), NOW);
	h->r.now = NOW + 3600;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	assert_int_equal(used_at(h, &t), NOW + 3600);
	assert_int_equal(store_token_revoke(h->store, t.org, t.id, NOW, NULL), 0);
	h->r.now = NOW + 9000;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
	assert_int_equal(used_at(h, &t), NOW + 3600);
	/* Another hub was quicker. */
	h->r.now = NOW;
	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	memcpy(use.org, t.org, sizeof(use.org));
	memcpy(use.hash, t.hash, sizeof(use.hash));
	assert_int_equal(store_token_used(h->store, &use, 1, 3600, NULL), 0);
	assert_int_equal(used_at(h, &t), NOW - 5);
}

/* An end that was set for later comes earlier when somebody revokes now, never later. */
static void revoked_from_then_on(void **state)
{
	struct hub *h = *state;
	struct store_token t, got;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	assert_int_equal(store_token_revoke(h->store, t.org, t.id, NOW + 100, NULL), 0);
	assert_int_equal(auth_find(h->store, slice_of(text), NOW, &got), 0);
	assert_false(auth_is_revoked(&got, NOW + 99));
	assert_true(auth_is_revoked(&got, NOW + 100));
	assert_int_equal(store_token_revoke(h->store, t.org, t.id, NOW + 200, NULL), 0);
	assert_int_equal(store_token_revoke(h->store, t.org, t.id, NOW + 10, NULL), 0);
	assert_int_equal(auth_find(h->store, slice_of(text), NOW, &got), 0);
	assert_int_equal(got.revoked_at, NOW + 10);
}

static void not_over_plain_http(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	h->r.secure = false;
	assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
	assert_error(h, 403, "insecure");
}

/* Wrong ones are answered with 429 after ten; the right one of the same address still works. */
static void many_wrong_tokens(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(check(h, "wrong", AUTH_AGENT, &who), -EACCES);
		assert_int_equal(h->reply.status, 401);
	}
	assert_int_equal(check(h, "wrong", AUTH_AGENT, &who), -EACCES);
	assert_error(h, 429, "too_many_tries");
	assert_in_range(h->reply.retry_after, 1, 6);
	assert_int_equal(check(h, text, AUTH_AGENT, &who), 0);
	h->r.now += h->reply.retry_after + 6;
	assert_int_equal(check(h, "wrong", AUTH_AGENT, &who), -EACCES);
	assert_int_equal(h->reply.status, 401);
}

static void tries_are_counted_by_network(void **state)
{
	struct hub *h = *state;
	unsigned int wait = 0;

	for (int i = 0; i < 10; i++) {
		char peer[64];

		(void)snprintf(peer, sizeof(peer), "2001:db8:0:1::%x", i + 1);
		assert_true(auth_may_try(h->auth, AUTH_TRY_TOKEN, peer, NOW, &wait));
	}
	assert_false(auth_may_try(h->auth, AUTH_TRY_TOKEN, "2001:db8:0:1:ffff::1", NOW, &wait));
	assert_true(auth_may_try(h->auth, AUTH_TRY_TOKEN, "2001:db8:0:2::1", NOW, &wait));
	assert_true(auth_may_try(h->auth, AUTH_TRY_TOKEN, "192.0.2.7", NOW, &wait));
	/* Whoever guesses tokens keeps nobody there from logging in. */
	assert_true(auth_may_try(h->auth, AUTH_TRY_LOGIN, "2001:db8:0:1::1", NOW, &wait));
	assert_true(auth_may_try(h->auth, AUTH_TRY_CODE, "2001:db8:0:1::1", NOW, &wait));
	assert_true(auth_may_try(h->auth, AUTH_TRY_START, "2001:db8:0:1::1", NOW, &wait));
}

/* A fleet behind one address after an outage: nobody is told to wait for having been away. */
static void over_is_no_try(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];

	make(h, 0, STORE_TOKEN_ACCESS, 60, &t, text);
	h->r.now = NOW + 60;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(check(h, text, AUTH_AGENT, &who), -EACCES);
		assert_error(h, 401, "unauthorized");
		assert_true(h->reply.challenge);
		assert_harmless(h);
	}
}

static void the_store_is_away(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	struct identity who;
	char text[TOKEN_TEXT_MAX];
	struct store *bare = NULL;
	char path[128];

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	(void)snprintf(path, sizeof(path), "%s/empty.db", h->folder);
	assert_int_equal(store_open(&bare, path, STORE_CREATE | STORE_ANY_VERSION, NULL), 0);
	h->r.authorization = NULL;
	{
		char header[TOKEN_TEXT_MAX + 16];

		(void)snprintf(header, sizeof(header), "Bearer %s", text);
		h->r.authorization = header;
		assert_int_equal(auth_check(h->auth, bare, &h->r, AUTH_AGENT, &who, &h->reply),
				 -EACCES);
	}
	assert_error(h, 503, "unavailable");
	assert_true(h->reply.retry_after > 0);
	store_close(bare);
	(void)unlink(path);
}

/* --- the registration of agents --- */

/* POST /api/agent; the answer, which the caller frees. */
static json_t *ask(struct hub *h, const char *body, unsigned int status)
{
	json_t *doc = NULL;

	fresh_reply(h);
	h->r.content_type = "application/json";
	h->r.body = slice_of(body);
	auth_agent(h->auth, h->store, "https://hub.example.org", &h->r, &h->reply);
	if (h->reply.status != status)
		fail_msg("%s: %u %s", body, h->reply.status, buf_str(&h->reply.body));
	assert_int_equal(json_parse(buf_slice(&h->reply.body), "answer", &doc, NULL), 0);
	return doc;
}

static void ask_with(struct hub *h, const char *action, const char *key, const char *value,
		     unsigned int status, json_t **ret)
{
	char body[512];

	(void)snprintf(
		body, sizeof(body),
		"{\"action\":\"%s\",\"%s\":\"%s\",\"hostname\":\"pve1\",\"os_type\":\"linux\","
		"\"version\":\"1.0.0\",\"all_ips\":null}",
		action, key, value);
	*ret = ask(h, body, status);
}

static int64_t number(const json_t *doc, const char *key)
{
	int64_t v = -1;

	(void)json_i64(doc, key, &v);
	return v;
}

static void approve_code(struct hub *h, int org, const char *typed)
{
	char code[AUTH_CODE_LEN + 1];
	uint8_t hash[STORE_HASH];

	assert_true(auth_read_code(typed, code));
	auth_hash_code(code, hash);
	assert_int_equal(store_device_approve(h->store, hash, h->org[org], "alice", NOW, NULL), 0);
}

/* Registers an agent in @org. */
static json_t *registered(struct hub *h, int org)
{
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *pair;

	approve_code(h, org, json_str(device, "user_code"));
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &pair);
	json_decref(device);
	return pair;
}

static void registration(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *doc;
	const char *code = json_str(device, "user_code");
	struct identity who;
	char uri[128];

	assert_int_equal(strlen(code), 8);
	assert_int_equal(strspn(code, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"), 8);
	assert_int_equal(number(device, "expires_in"), 600);
	(void)snprintf(uri, sizeof(uri), "https://hub.example.org/agent/authorize?user_code=%s",
		       code);
	assert_string_equal(json_str(device, "verification_uri"), uri);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	assert_string_equal(json_str(doc, "error"), "device not authorized");
	json_decref(doc);

	approve_code(h, 1, code);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &doc);
	assert_int_equal(number(doc, "expires_in"), 3600);
	assert_int_equal(number(doc, "refresh_token_expires_in"), 30 * 86400);
	assert_string_equal(json_str(doc, "token_type"), "Bearer");
	assert_int_equal(check(h, json_str(doc, "access_token"), AUTH_AGENT, &who), 0);
	assert_string_equal(who.org, h->org[1]);
	assert_string_equal(who.token.agent, json_str(doc, "agent_id"));
	assert_int_equal(check(h, json_str(doc, "refresh_token"), AUTH_AGENT, &who), -EACCES);
	json_decref(doc);

	/* It has arrived: once only. */
	assert_int_equal(auth_write_used(h->auth, h->store, NULL), 0);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	assert_string_equal(json_str(doc, "error"), "unknown code");
	assert_harmless(h);
	json_decref(doc);
	json_decref(device);
}

/* Approved once is enough: the same code gets another pair, and the lost one is good for nothing.
 */
static void a_lost_registration(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *lost, *pair, *doc;
	struct identity who;

	approve_code(h, 1, json_str(device, "user_code"));
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &lost);
	h->r.now = NOW + 30;
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &pair);
	assert_string_equal(json_str(pair, "agent_id"), json_str(lost, "agent_id"));
	assert_int_equal(check(h, json_str(lost, "access_token"), AUTH_AGENT, &who), -EACCES);
	assert_error(h, 403, "revoked");
	ask_with(h, "refresh", "refresh_token", json_str(lost, "refresh_token"), 403, &doc);
	json_decref(doc);
	assert_int_equal(check(h, json_str(pair, "access_token"), AUTH_AGENT, &who), 0);
	assert_string_equal(who.org, h->org[1]);
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 200, &doc);
	json_decref(doc);
	/* Now somebody has it. */
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	assert_string_equal(json_str(doc, "error"), "unknown code");
	json_decref(doc);
	h->r.now = NOW + 600;
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	json_decref(doc);
	json_decref(pair);
	json_decref(lost);
	json_decref(device);
}

/* A busy database voids no code that a person has approved. */
static void registering_when_busy(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *doc;
	struct store *other = NULL;

	approve_code(h, 0, json_str(device, "user_code"));
	assert_int_equal(store_open(&other, h->path, 0, NULL), 0);
	assert_int_equal(other->ops->begin(other, true, NULL), 0);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 503, &doc);
	assert_true(h->reply.retry_after > 0);
	json_decref(doc);
	other->ops->rollback(other);
	store_close(other);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &doc);
	json_decref(doc);
	json_decref(device);
}

/* Twenty of one network may wait; that is no fault of the database. */
static void waiting_codes(void **state)
{
	struct hub *h = *state;

	for (int i = 0; i < 20; i++) {
		h->r.now = NOW + 6 * i;
		(void)snprintf(h->r.peer, sizeof(h->r.peer), "2001:db8::%x", i + 1);
		json_decref(ask(h, "{\"action\":\"device-auth-start\"}", 200));
	}
	h->r.now += 6;
	json_decref(ask(h, "{\"action\":\"device-auth-start\"}", 429));
	assert_error(h, 429, "too_many_codes");
	assert_true(h->reply.retry_after > 0);
	(void)snprintf(h->r.peer, sizeof(h->r.peer), "2001:db8:0:1::1");
	json_decref(ask(h, "{\"action\":\"device-auth-start\"}", 200));
	(void)snprintf(h->r.peer, sizeof(h->r.peer), "2001:db8::1");
	h->r.now = NOW + 600;
	json_decref(ask(h, "{\"action\":\"device-auth-start\"}", 200));
}

static void codes_end(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *doc;

	approve_code(h, 0, json_str(device, "user_code"));
	h->r.now = NOW + 600;
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	assert_string_equal(json_str(doc, "error"), "unknown code");
	json_decref(doc);
	json_decref(device);
}

static void refreshing(void **state)
{
	struct hub *h = *state;
	json_t *pair = registered(h, 0), *doc;
	struct identity who;

	h->r.now = NOW + 86400;
	assert_int_equal(check(h, json_str(pair, "access_token"), AUTH_AGENT, &who), -EACCES);
	assert_error(h, 401, "unauthorized");
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 200, &doc);
	assert_null(json_str(doc, "refresh_token"));
	assert_int_equal(number(doc, "refresh_token_expires_in"), 29 * 86400);
	assert_string_equal(json_str(doc, "agent_id"), json_str(pair, "agent_id"));
	assert_int_equal(check(h, json_str(doc, "access_token"), AUTH_AGENT, &who), 0);
	json_decref(doc);

	/* Its thirty days over, an access token instead, and nonsense: the words are harmless. */
	ask_with(h, "refresh", "refresh_token", json_str(pair, "access_token"), 401, &doc);
	assert_harmless(h);
	json_decref(doc);
	ask_with(h, "refresh", "refresh_token", "nonsense", 401, &doc);
	assert_harmless(h);
	json_decref(doc);
	h->r.now = NOW + 30 * 86400;
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 401, &doc);
	assert_string_equal(json_str(doc, "error"), "unauthorized");
	assert_harmless(h);
	json_decref(doc);
	json_decref(pair);
}

/* The answer to a renewal may be lost: the old one renews again, for a day. What was lost is good
 * for nothing then, and once the new one is in use the old one makes no other. */
static void renewing(void **state)
{
	struct hub *h = *state;
	json_t *pair = registered(h, 0), *lost, *got, *next, *doc;
	const char *old = json_str(pair, "refresh_token");
	struct identity who;

	h->r.now = NOW + 25 * 86400;
	ask_with(h, "renew-refresh-token", "refresh_token", old, 200, &lost);
	assert_string_not_equal(json_str(lost, "refresh_token"), old);
	assert_int_equal(number(lost, "refresh_token_expires_in"), 30 * 86400);
	h->r.now += 1200;
	ask_with(h, "renew-refresh-token", "refresh_token", old, 200, &got);
	assert_string_not_equal(json_str(got, "refresh_token"), json_str(lost, "refresh_token"));
	ask_with(h, "refresh", "refresh_token", json_str(lost, "refresh_token"), 403, &doc);
	json_decref(doc);
	assert_int_equal(check(h, json_str(lost, "access_token"), AUTH_AGENT, &who), -EACCES);
	assert_error(h, 403, "revoked");
	assert_int_equal(check(h, json_str(got, "access_token"), AUTH_AGENT, &who), 0);
	ask_with(h, "refresh", "refresh_token", json_str(got, "refresh_token"), 200, &doc);
	json_decref(doc);
	ask_with(h, "renew-refresh-token", "refresh_token", old, 200, &doc);
	assert_null(json_str(doc, "refresh_token"));
	assert_int_equal(check(h, json_str(doc, "access_token"), AUTH_AGENT, &who), 0);
	json_decref(doc);
	h->r.now += AUTH_OVERLAP_S - 1201;
	ask_with(h, "refresh", "refresh_token", old, 200, &doc);
	assert_int_equal(number(doc, "refresh_token_expires_in"), 1);
	json_decref(doc);
	h->r.now += 1;
	ask_with(h, "refresh", "refresh_token", old, 403, &doc);
	assert_string_equal(json_str(doc, "error"), "revoked");
	json_decref(doc);
	ask_with(h, "renew-refresh-token", "refresh_token", json_str(got, "refresh_token"), 200,
		 &next);
	ask_with(h, "refresh", "refresh_token", json_str(next, "refresh_token"), 200, &doc);
	json_decref(doc);
	json_decref(next);
	json_decref(got);
	json_decref(lost);
	json_decref(pair);
}

/* A document with the new access token says as well that the renewal has arrived. */
static void a_renewal_in_use(void **state)
{
	struct hub *h = *state;
	json_t *pair = registered(h, 0), *got, *doc;
	const char *old = json_str(pair, "refresh_token");
	struct identity who;

	ask_with(h, "renew-refresh-token", "refresh_token", old, 200, &got);
	assert_int_equal(check(h, json_str(got, "access_token"), AUTH_AGENT, &who), 0);
	assert_int_equal(auth_write_used(h->auth, h->store, NULL), 0);
	ask_with(h, "renew-refresh-token", "refresh_token", old, 200, &doc);
	assert_null(json_str(doc, "refresh_token"));
	json_decref(doc);
	ask_with(h, "refresh", "refresh_token", json_str(got, "refresh_token"), 200, &doc);
	json_decref(doc);
	json_decref(got);
	json_decref(pair);
}

/* Each token writes a row: no agent asks so often, and a fleet does not notice. */
static void too_many_tokens(void **state)
{
	struct hub *h = *state;
	json_t *pair = registered(h, 0), *other = registered(h, 0), *doc;

	for (int i = 0; i < 10; i++) {
		ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 200, &doc);
		json_decref(doc);
	}
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 429, &doc);
	assert_in_range(h->reply.retry_after, 1, 6);
	json_decref(doc);
	ask_with(h, "renew-refresh-token", "refresh_token", json_str(pair, "refresh_token"), 429,
		 &doc);
	json_decref(doc);
	ask_with(h, "refresh", "refresh_token", json_str(other, "refresh_token"), 200, &doc);
	json_decref(doc);
	h->r.now += 6;
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 200, &doc);
	json_decref(doc);
	json_decref(other);
	json_decref(pair);
}

static void too_many_agents(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	char text[TOKEN_TEXT_MAX];
	unsigned int taken = 0;
	json_t *doc;

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	while (auth_may_make(h->auth, AUTH_MAKER_SHARED, t.id, t.org, &h->r, &h->reply))
		taken++;
	assert_int_equal(taken, 1000);
	ask_with(h, "register-with-token", "token", text, 429, &doc);
	assert_true(h->reply.retry_after > 0);
	json_decref(doc);
}

static void a_revoked_agent(void **state)
{
	struct hub *h = *state;
	json_t *pair = registered(h, 0), *doc;

	assert_int_equal(store_token_revoke_agent(h->store, h->org[0], json_str(pair, "agent_id"),
						  -1, NOW, NULL),
			 0);
	ask_with(h, "refresh", "refresh_token", json_str(pair, "refresh_token"), 403, &doc);
	assert_string_equal(json_str(doc, "error"), "revoked");
	assert_harmless(h);
	json_decref(doc);
	json_decref(pair);
}

static void static_tokens(void **state)
{
	struct hub *h = *state;
	struct store_token t;
	char text[TOKEN_TEXT_MAX], header[TOKEN_TEXT_MAX + 16];
	json_t *doc;

	make(h, 0, STORE_TOKEN_AGENT, 0, &t, text);
	ask_with(h, "register-with-token", "token", text, 200, &doc);
	assert_true(json_str(doc, "agent_id")[0]);
	json_decref(doc);
	(void)snprintf(header, sizeof(header), "Bearer %s", text);
	h->r.authorization = header;
	ask_with(h, "register-with-token", "hostname2", "x", 200, &doc);
	json_decref(doc);
	h->r.authorization = NULL;
	ask_with(h, "register-with-token", "token", "nsk_something", 401, &doc);
	assert_harmless(h);
	json_decref(doc);
	make(h, 0, STORE_TOKEN_READ, 0, &t, text);
	ask_with(h, "register-with-token", "token", text, 403, &doc);
	json_decref(doc);
}

static void approval_by_program(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *doc;
	struct store_token t;
	char text[TOKEN_TEXT_MAX], cookie[TOKEN_TEXT_MAX + 16];
	const char *code = json_str(device, "user_code");

	ask_with(h, "authorize", "user_code", code, 401, &doc);
	json_decref(doc);
	t = (struct store_token){ .kind = STORE_TOKEN_SESSION, .expires_at = NOW + 60 };
	(void)snprintf(t.org, sizeof(t.org), "%s", h->org[0]);
	(void)snprintf(t.user, sizeof(t.user), "alice");
	token_text_make(h->org[0], text);
	digest_sha256(slice_of(text), t.hash);
	assert_int_equal(store_token_add(h->store, &t, NULL), 0);
	(void)snprintf(cookie, sizeof(cookie), "__Host-pvw_session=%s", text);
	h->r.cookie = cookie;
	ask_with(h, "authorize", "user_code", "AAAAAAAA", 400, &doc);
	json_decref(doc);
	ask_with(h, "authorize", "user_code", code, 200, &doc);
	json_decref(doc);
	ask_with(h, "authorize", "user_code", code, 400, &doc);
	json_decref(doc);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &doc);
	json_decref(doc);
	json_decref(device);
}

static void odd_requests(void **state)
{
	static const struct {
		const char *body;
		unsigned int status;
	} cases[] = {
		{ "", 400 },
		{ "{", 400 },
		{ "[]", 422 },
		{ "{}", 400 },
		{ "{\"action\":\"fly\"}", 400 },
		{ "{\"action\":7}", 400 },
		{ "{\"action\":\"register\"}", 400 },
		{ "{\"action\":\"register\",\"device_code\":7}", 400 },
		{ "{\"action\":\"refresh\"}", 401 },
		{ "{\"action\":\"renew-refresh-token\",\"refresh_token\":null}", 401 },
	};
	struct hub *h = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		json_decref(ask(h, cases[i].body, cases[i].status));
	h->r.content_type = "text/plain";
	auth_agent(h->auth, h->store, "", &h->r, &h->reply);
	assert_error(h, 415, "unsupported_type");
	h->r.secure = false;
	auth_agent(h->auth, h->store, "", &h->r, &h->reply);
	assert_error(h, 403, "insecure");
}

static void codes_as_typed(void **state)
{
	static const char *const good[] = { "ABCD2345", "abcd2345", "abcd-2345", " AB CD 23 45 " };
	static const char *const bad[] = { "",	       "ABCD234",   "ABCD23456",      "ABCD234O",
					   "ABCD2341", "ABCD_2345", "ABCD234\xc3\xa4" };
	char code[AUTH_CODE_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(auth_read_code(good[i], code));
		assert_string_equal(code, "ABCD2345");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(auth_read_code(bad[i], code));
}

static void passwords(void **state)
{
	char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX], long_one[PASSWORD_MAX + 1];
	struct err e = {};

	(void)state;
	assert_int_equal(password_hash(SLICE(PASSWORD), hash, &e), 0);
	assert_int_equal(password_hash(SLICE(PASSWORD), again, &e), 0);
	assert_int_equal(strncmp(hash, "$y$", 3), 0);
	assert_string_not_equal(hash, again);
	assert_true(password_matches(SLICE(PASSWORD), hash));
	assert_true(password_matches(SLICE(PASSWORD), again));
	assert_false(password_matches(SLICE(PASSWORD "x"), hash));
	assert_false(password_matches(SLICE(""), hash));
	assert_false(password_matches(SLICE(PASSWORD "\0x"), hash));
	assert_false(password_matches(SLICE(PASSWORD), NULL));
	assert_false(password_matches(SLICE("-"), NULL));
	assert_int_equal(password_hash(SLICE("short"), hash, &e), -EINVAL);
	assert_int_equal(password_hash(SLICE("two lines\nof it"), hash, &e), -EINVAL);
	memset(long_one, 'x', sizeof(long_one));
	assert_int_equal(password_hash((struct slice){ long_one, sizeof(long_one) }, hash, &e),
			 -EINVAL);
	assert_false(password_matches((struct slice){ long_one, sizeof(long_one) }, hash));
}

static void digests(void **state)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	char secret[DIGEST_SECRET_MAX], other[DIGEST_SECRET_MAX];
	uint8_t hash[DIGEST_BYTES];

	(void)state;
	digest_sha256(SLICE("abc"), hash);
	assert_memory_equal(hash, abc, sizeof(abc));
	digest_derive("a", SLICE("b"), secret);
	/* printf 'a\0b' | openssl dgst -sha256 -binary | basenc --base64url */
	assert_string_equal(secret, "WbJxrhu8sdMdQZKYF_Sxb7Q5608xUgta0dXOmJIKcTg");
	digest_secret(secret);
	digest_secret(other);
	assert_int_equal(strlen(secret), 43);
	assert_string_not_equal(secret, other);
	assert_true(digest_equal_text("abc", "abc"));
	assert_false(digest_equal_text("abc", "abd"));
	assert_false(digest_equal_text("abc", "ab"));
}

#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HUB(a_token_says_who),
		WITH_HUB(wrong_tokens),
		WITH_HUB(kinds),
		WITH_HUB(a_cookie_is_a_session_only),
		WITH_HUB(revoked),
		WITH_HUB(revoked_from_then_on),
		WITH_HUB(used),
		WITH_HUB(not_over_plain_http),
		WITH_HUB(many_wrong_tokens),
		WITH_HUB(tries_are_counted_by_network),
		WITH_HUB(over_is_no_try),
		WITH_HUB(the_store_is_away),
		WITH_HUB(registration),
		WITH_HUB(a_lost_registration),
		WITH_HUB(registering_when_busy),
		WITH_HUB(waiting_codes),
		WITH_HUB(codes_end),
		WITH_HUB(refreshing),
		WITH_HUB(renewing),
		WITH_HUB(a_renewal_in_use),
		WITH_HUB(too_many_tokens),
		WITH_HUB(too_many_agents),
		WITH_HUB(a_revoked_agent),
		WITH_HUB(static_tokens),
		WITH_HUB(approval_by_program),
		WITH_HUB(odd_requests),
		cmocka_unit_test(codes_as_typed),
		cmocka_unit_test(passwords),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
