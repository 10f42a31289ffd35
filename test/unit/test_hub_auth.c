/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Who speaks: tokens, their ends, and how often one may try. */

#include "auth_stage.h"

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
	(void)snprintf(path, sizeof(path), "%s/empty.db", h->db.folder);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
