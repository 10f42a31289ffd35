/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* How agents get their tokens, and keep them. */

#include "auth_stage.h"

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

	/* It has arrived: once only, also while the store has not been told of it. */
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
	assert_int_equal(store_open(&other, h->db.path, 0, NULL), 0);
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

/* Nor does it cost a pair in use: the use stays noted until the store has it. */
static void used_when_busy(void **state)
{
	struct hub *h = *state;
	json_t *device = ask(h, "{\"action\":\"device-auth-start\"}", 200), *pair, *doc;
	struct store *other = NULL;
	struct identity who;

	approve_code(h, 0, json_str(device, "user_code"));
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 200, &pair);
	assert_int_equal(check(h, json_str(pair, "access_token"), AUTH_AGENT, &who), 0);
	assert_int_equal(store_open(&other, h->db.path, 0, NULL), 0);
	assert_int_equal(other->ops->begin(other, true, NULL), 0);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 503, &doc);
	json_decref(doc);
	other->ops->rollback(other);
	store_close(other);
	ask_with(h, "register", "device_code", json_str(device, "device_code"), 400, &doc);
	json_decref(doc);
	assert_int_equal(check(h, json_str(pair, "access_token"), AUTH_AGENT, &who), 0);
	json_decref(pair);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HUB(registration),
		WITH_HUB(a_lost_registration),
		WITH_HUB(registering_when_busy),
		WITH_HUB(used_when_busy),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
