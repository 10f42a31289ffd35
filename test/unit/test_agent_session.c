/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tokens: when they are refreshed, and what does not cost one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/session.h"

enum { NOW = 1000000000, DAY = 86400 };

static struct session fresh(void)
{
	return (struct session){ .renew_before = 7 * DAY,
				 .check_every = 6 * 3600,
				 .renew_retry = 3600 };
}

static struct token pair(int64_t expires)
{
	return (struct token){
		.access = xstrdup("a"), .refresh = xstrdup("r"), .got = NOW, .expires = expires
	};
}

static enum session_step step(const struct session *s, const struct token *t, int64_t now)
{
	int64_t until;

	return session_next(s, t, now, &until);
}

static enum session_result answer(struct session *s, struct token *t, long status, const char *type,
				  const char *body, int64_t now)
{
	struct session_seen seen = {
		.status = status, .content_type = type, .body = slice_of(body), .wait_ms = 1500
	};

	return session_took(s, t, false, &seen, now);
}

static void steps(void **state)
{
	struct session s = fresh();
	struct token none = {}, t = pair(NOW + 3600);

	(void)state;
	assert_int_equal(step(&s, &none, NOW), SESSION_NONE);
	assert_int_equal(step(&s, &t, NOW), SESSION_USE);
	assert_int_equal(step(&s, &t, NOW + 3600 - 301), SESSION_USE);
	assert_int_equal(step(&s, &t, NOW + 3600 - 300), SESSION_REFRESH);
	/* What could not be refreshed early is good until its end. */
	s.next_try = NOW + 3600;
	assert_int_equal(step(&s, &t, NOW + 3500), SESSION_USE);
	assert_int_equal(step(&s, &t, NOW + 3600), SESSION_REFRESH);
	s.next_try = NOW + 4000;
	assert_int_equal(step(&s, &t, NOW + 3700), SESSION_WAIT);
	token_done(&t);
}

static void looked_after_every_six_hours(void **state)
{
	struct session s = fresh();
	struct token t = pair(0);

	(void)state;
	assert_int_equal(step(&s, &t, NOW + 6 * 3600 - 1), SESSION_USE);
	assert_int_equal(step(&s, &t, NOW + 6 * 3600), SESSION_REFRESH);
	t.refresh_expires = NOW + 7 * DAY;
	assert_int_equal(step(&s, &t, NOW), SESSION_RENEW);
	s.next_renew = NOW + 3600;
	assert_int_equal(step(&s, &t, NOW), SESSION_USE);
	t.ready = true;
	assert_int_equal(step(&s, &t, NOW + 30 * DAY), SESSION_USE);
	token_done(&t);
}

static void rejected(void **state)
{
	struct session s = fresh();
	struct token t = pair(NOW + 3600);

	(void)state;
	assert_true(session_rejected(&s, &t, true, NOW));
	assert_int_equal(step(&s, &t, NOW), SESSION_REFRESH);
	assert_int_equal(answer(&s, &t, 200, "application/json",
				"{\"access_token\": \"b\", \"expires_in\": 60}", NOW),
			 SESSION_GOT);
	assert_string_equal(t.access, "b");
	assert_string_equal(t.refresh, "r");
	assert_int_equal(t.expires, NOW + 60);
	/* The one just got is refused as well: no circle. */
	assert_false(session_rejected(&s, &t, true, NOW + 1));
	assert_int_equal(s.denied, 1);
	/* What lies between says nothing about the token. */
	assert_false(session_rejected(&s, &t, false, NOW + 1));
	assert_int_equal(s.denied, 1);
	assert_int_equal(step(&s, &t, NOW + 2), SESSION_WAIT);
	assert_int_equal(step(&s, &t, NOW + 62), SESSION_REFRESH);
	token_done(&t);
}

/* What made the old agent forget its token: none of it is even counted. */
static void lies(void **state)
{
	static const struct {
		long status;
		const char *type, *body;
	} rows[] = {
		{ 404, "text/html", "404 page not found: token" },
		{ 401, "text/html", "<html>token expired</html>" },
		{ 403, "text/plain", "invalid token" },
		{ 403, "application/json", "{\"error\": \"your refresh token is invalid\"}" },
		{ 401, "application/json", "{\"message\": \"invalid refresh token\"}" },
		{ 401, "text/html", "{\"error\": \"invalid refresh token\"}" },
		{ 401, "application/jsonp", "{\"error\": \"invalid refresh token\"}" },
		{ 401, "application/json", "[\"invalid refresh token\"]" },
		{ 400, "application/json", "{\"error\": \"invalid refresh token\"}" },
		{ 404, "application/json", "{\"error\": \"refresh token expired\"}" },
		{ 500, "application/json", "{\"error\": \"refresh token expired\"}" },
		{ 200, "text/html", "<html>log in</html>" },
		{ 200, "application/json", "{\"access_token\": \"\"}" },
		{ 200, "application/json", "{\"access_token\": \"two words\"}" },
		{ 302, "text/html", "" },
		{ 429, "application/json", "{\"error\": \"revoked\"}" },
	};
	struct session s = fresh();
	struct token t = pair(NOW + 3600);

	(void)state;
	for (size_t i = 0; i < 10 * ARRAY_SIZE(rows); i++) {
		size_t n = i % ARRAY_SIZE(rows);

		assert_int_equal(answer(&s, &t, rows[n].status, rows[n].type, rows[n].body,
					NOW + (int64_t)i * DAY),
				 SESSION_LATER);
		assert_int_equal(s.refusals, 0);
		assert_int_equal(s.failures, i + 1);
		assert_false(session_is_to_be_told(&s));
	}
	assert_false(t.given_up);
	assert_string_equal(t.refresh, "r");
	token_done(&t);
}

static void transport(void **state)
{
	struct session s = fresh();
	struct token t = pair(NOW);
	struct session_seen seen = { .error = -13, .wait_ms = 2500 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(session_took(&s, &t, false, &seen, NOW + i * 3600), SESSION_LATER);
	assert_int_equal(s.next_try, NOW + 99 * 3600 + 3);
	assert_int_equal(s.refusals, 0);
	token_done(&t);
}

static void believed_after_an_hour(void **state)
{
	static const char no[] = "{\"error\": \"refresh token expired\"}";
	static const char type[] = "application/json; charset=utf-8";
	struct session s = fresh();
	struct token t = pair(NOW);
	int64_t now = NOW;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(answer(&s, &t, 401, type, no, NOW + i), SESSION_REFUSED);
		assert_int_equal(session_is_to_be_told(&s), i == 2 || i == 9 || i == 19);
	}
	assert_false(t.given_up);
	/* As it goes by itself: each waits longer. */
	s = fresh();
	for (int i = 0; !t.given_up && i < 50; i++) {
		(void)answer(&s, &t, 401, type, no, now);
		now = s.next_try;
	}
	assert_true(t.given_up);
	assert_true(now - NOW >= SESSION_REFUSED_S);
	assert_true(s.refusals >= SESSION_REFUSALS);
	/* It is there, and it is tried. */
	assert_string_equal(t.refresh, "r");
	assert_int_equal(step(&s, &t, now), SESSION_REFRESH);
	assert_int_equal(answer(&s, &t, 200, type, "{\"access_token\": \"c\"}", now), SESSION_GOT);
	assert_false(t.given_up);
	assert_int_equal(s.refusals, 0);
	token_done(&t);
}

/* A clock that jumps to and fro does not make an hour of a second. */
static void clock_jumps(void **state)
{
	static const char no[] = "{\"error\": \"invalid refresh token\"}";
	struct session s = fresh();
	struct token t = pair(NOW);

	(void)state;
	(void)answer(&s, &t, 401, "application/json", no, NOW + 30 * DAY);
	for (int i = 0; i < 10; i++)
		(void)answer(&s, &t, 401, "application/json", no, NOW + i);
	assert_false(t.given_up);
	token_done(&t);
}

/* What failed on a clock that was years ahead does not wait for those years. */
static void clock_set_back(void **state)
{
	struct session s = fresh();
	struct token t = pair(NOW), ready = { .access = xstrdup("a"), .ready = true };

	(void)state;
	(void)answer(&s, &t, 502, "text/html", "", NOW + 4000 * (int64_t)DAY);
	assert_int_equal(step(&s, &t, NOW + 4000 * (int64_t)DAY), SESSION_WAIT);
	assert_int_equal(step(&s, &t, NOW), SESSION_REFRESH);
	s = fresh();
	assert_false(session_rejected(&s, &ready, true, NOW + 4000 * (int64_t)DAY));
	assert_int_equal(step(&s, &ready, NOW + 4000 * (int64_t)DAY), SESSION_WAIT);
	assert_int_equal(step(&s, &ready, NOW), SESSION_USE);
	s = fresh();
	t.expires = NOW + DAY;
	t.refresh_expires = NOW + DAY;
	s.next_renew = NOW + 4000 * (int64_t)DAY;
	assert_int_equal(step(&s, &t, NOW), SESSION_RENEW);
	token_done(&t);
	token_done(&ready);
}

static void renewal(void **state)
{
	struct session s = fresh();
	struct token t = pair(NOW + 3600);
	struct session_seen seen = { .status = 400,
				     .content_type = "application/json",
				     .body = SLICE("{\"error\": \"unknown action\"}") };

	(void)state;
	t.refresh_expires = NOW + DAY;
	assert_int_equal(session_took(&s, &t, true, &seen, NOW), SESSION_NO_RENEW);
	assert_int_equal(step(&s, &t, NOW + 10), SESSION_USE);
	assert_int_equal(s.failures, 0);
	seen.status = 503;
	assert_int_equal(session_took(&s, &t, true, &seen, NOW), SESSION_LATER);
	assert_int_equal(s.next_renew, NOW + 3600);
	seen.status = 401;
	seen.body = SLICE("{\"error\": \"invalid refresh token\"}");
	assert_int_equal(session_took(&s, &t, true, &seen, NOW), SESSION_LATER);
	assert_int_equal(s.refusals, 0);
	seen.status = 200;
	seen.body = SLICE("{\"access_token\": \"n\", \"refresh_token\": \"m\", "
			  "\"refresh_token_expires_in\": 2592000}");
	assert_int_equal(session_took(&s, &t, true, &seen, NOW), SESSION_GOT);
	assert_string_equal(t.refresh, "m");
	assert_int_equal(t.refresh_expires, NOW + 30 * DAY);
	token_done(&t);
}

static void told(void **state)
{
	struct session s = fresh();
	unsigned int n = 0;

	(void)state;
	for (s.denied = 0; s.denied <= 40; s.denied++)
		n += session_is_to_be_told(&s);
	assert_int_equal(n, 5); /* 3, 10, 20, 30, 40 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps),       cmocka_unit_test(looked_after_every_six_hours),
		cmocka_unit_test(rejected),    cmocka_unit_test(lies),
		cmocka_unit_test(transport),   cmocka_unit_test(believed_after_an_hour),
		cmocka_unit_test(clock_jumps), cmocka_unit_test(renewal),
		cmocka_unit_test(told),	       cmocka_unit_test(clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
