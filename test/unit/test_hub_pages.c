/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/pages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hub/auth_inside.h"
#include "hub/store.h"
#include "hub_db.h"

enum { NOW = 1795269600 };

#define PASSWORD "correct horse battery"
#define CODE	 "ABCD2345"

/* A browser with its cookies, and the hub that it speaks to. */
struct browser {
	struct hub_db db;
	struct store *store;
	struct auth *auth;
	char org[STORE_ORG_MAX];
	int64_t now;
	const char *host, *query_code;
	bool secure, local;
	char visit[128], session[128]; /* values of the two cookies, "" without */
	struct reply reply;
};

static int begin(void **state)
{
	struct browser *b = xcalloc(1, sizeof(*b));

	b->store = hub_db_make(&b->db);
	assert_int_equal(store_org_add(b->store, "default", b->org, NULL), 0);
	assert_int_equal(auth_user_put(b->store, b->org, "alice", SLICE(PASSWORD), true, NULL), 0);
	b->auth = auth_new();
	b->now = NOW;
	b->host = "hub.example.org";
	b->secure = true;
	*state = b;
	return 0;
}

static int end(void **state)
{
	struct browser *b = *state;

	auth_free(b->auth);
	store_close(b->store);
	buf_done(&b->reply.body);
	hub_db_remove(&b->db);
	free(b);
	return 0;
}

/* --- the browser --- */

static const char *query(const struct request *r, const char *key)
{
	const struct browser *b = r->from;

	return strcmp(key, "user_code") == 0 ? b->query_code : NULL;
}

static void keep_cookie(const char *line, const char *name, char *into)
{
	size_t n = strlen(name);

	if (strncmp(line, name, n) == 0 && line[n] == '=')
		(void)snprintf(into, 128, "%.*s", (int)strcspn(line + n + 1, ";"), line + n + 1);
}

static const char *visit_name(const struct browser *b)
{
	return b->local ? "pvw_visit" : "__Host-pvw_visit";
}

static const char *session_name(const struct browser *b)
{
	return b->local ? "pvw_session" : "__Host-pvw_session";
}

typedef void page_fn(struct auth *a, struct store *s, const struct request *r, struct reply *reply);

static void visit(struct browser *b, page_fn *page, const char *method, const char *body)
{
	char cookies[512];
	struct request r = {
		.method = method,
		.host = b->host,
		.cookie = cookies,
		.peer = "192.0.2.1",
		.secure = b->secure,
		.local = b->local,
		.now = b->now,
		.query = query,
		.from = b,
		.body = slice_of(body),
	};
	struct buf text = b->reply.body;

	(void)snprintf(cookies, sizeof(cookies), "x=y; %s=%s; %s=%s", visit_name(b), b->visit,
		       session_name(b), b->session);
	buf_reset(&text);
	b->reply = (struct reply){ .body = text };
	page(b->auth, b->store, &r, &b->reply);
	assert_true(b->reply.page);
	keep_cookie(b->reply.set_cookie, visit_name(b), b->visit);
	keep_cookie(b->reply.set_cookie, session_name(b), b->session);
}

static bool shows(const struct browser *b, const char *text)
{
	return strstr(buf_str(&b->reply.body), text) != NULL;
}

/* The hidden value that the page's form sends back. */
static void csrf_of(const struct browser *b, char ret[64])
{
	const char *at = strstr(buf_str(&b->reply.body), "name=\"csrf\" value=\"");

	assert_non_null(at);
	at += strlen("name=\"csrf\" value=\"");
	(void)snprintf(ret, 64, "%.*s", (int)strcspn(at, "\""), at);
}

static void send_login(struct browser *b, const char *name, const char *password, const char *csrf)
{
	char body[512];

	(void)snprintf(body, sizeof(body),
		       "csrf=%s&user_code=" CODE "&name=%s&password=%s&org=default&answer=login",
		       csrf, name, password);
	visit(b, auth_login, "POST", body);
}

static void log_in(struct browser *b)
{
	char csrf[64];

	visit(b, auth_login, "GET", "");
	csrf_of(b, csrf);
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 303);
	assert_true(b->session[0]);
}

static void somebody_asks(struct browser *b, const char *from)
{
	struct store_device d = { .expires_at = NOW + 600 };

	(void)snprintf(d.from, sizeof(d.from), "%s", from);
	digest_sha256(SLICE("device"), d.device_hash);
	auth_hash_code(CODE, d.user_hash);
	assert_int_equal(store_device_add(b->store, &d, NOW, NULL), 0);
}

static int take(struct browser *b)
{
	uint8_t hash[STORE_HASH];
	char org[STORE_ORG_MAX];

	digest_sha256(SLICE("device"), hash);
	return store_device_org(b->store, hash, b->now, org, NULL);
}

static void answer(struct browser *b, const char *word, const char *csrf)
{
	char body[256];

	(void)snprintf(body, sizeof(body), "csrf=%s&user_code=" CODE "&answer=%s", csrf, word);
	visit(b, auth_authorize_page, "POST", body);
}

/* --- the tests --- */

static void the_whole_way(void **state)
{
	struct browser *b = *state;
	char csrf[64];

	somebody_asks(b, "pve1 at 192.0.2.9");
	b->query_code = CODE;
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
	assert_string_equal(b->reply.location, "/login?user_code=" CODE);
	visit(b, auth_login, "GET", "");
	assert_int_equal(b->reply.status, 200);
	assert_non_null(strstr(b->reply.set_cookie, "; HttpOnly; SameSite=Strict; Secure"));
	csrf_of(b, csrf);
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 303);
	assert_string_equal(b->reply.location, "/agent/authorize?user_code=" CODE);
	assert_non_null(strstr(b->reply.set_cookie, "__Host-pvw_session=pvw1."));
	assert_non_null(strstr(b->reply.set_cookie, "; HttpOnly; SameSite=Strict; Secure"));
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
	assert_true(shows(b, "pve1 at 192.0.2.9") && shows(b, "ABCD-2345"));
	assert_int_equal(take(b), -EAGAIN);
	csrf_of(b, csrf);
	answer(b, "approve", csrf);
	assert_int_equal(b->reply.status, 200);
	assert_true(shows(b, "Approved"));
	assert_int_equal(take(b), 0);
	answer(b, "approve", csrf);
	assert_int_equal(b->reply.status, 404);
}

static void refusing(void **state)
{
	struct browser *b = *state;
	char csrf[64];

	somebody_asks(b, "192.0.2.9");
	log_in(b);
	b->query_code = "abcd-2345";
	visit(b, auth_authorize_page, "GET", "");
	csrf_of(b, csrf);
	answer(b, "refuse", csrf);
	assert_int_equal(b->reply.status, 200);
	assert_true(shows(b, "Refused"));
	assert_int_equal(take(b), -ENOENT);
}

static void forged_forms(void **state)
{
	struct browser *b = *state;
	char csrf[64], kept[128];

	somebody_asks(b, "192.0.2.9");
	visit(b, auth_login, "GET", "");
	csrf_of(b, csrf);
	/* Without the page's value, or with it and another browser's cookie. */
	send_login(b, "alice", "correct+horse%20battery", "");
	assert_int_equal(b->reply.status, 403);
	assert_string_equal(b->session, "");
	memcpy(kept, b->visit, sizeof(kept));
	(void)snprintf(b->visit, sizeof(b->visit), "other");
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 403);
	b->visit[0] = '\0';
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 403);
	memcpy(b->visit, kept, sizeof(kept));
	log_in(b);
	/* The value of the login form is no good for approving. */
	answer(b, "approve", csrf);
	assert_int_equal(b->reply.status, 403);
	answer(b, "approve", "");
	assert_int_equal(b->reply.status, 403);
	visit(b, auth_authorize_page, "POST", "");
	assert_int_equal(b->reply.status, 400);
	visit(b, auth_logout, "POST", "csrf=");
	assert_int_equal(b->reply.status, 403);
	assert_int_equal(take(b), -EAGAIN);
}

static void wrong_passwords(void **state)
{
	struct browser *b = *state;
	char csrf[64];

	visit(b, auth_login, "GET", "");
	csrf_of(b, csrf);
	for (int i = 0; i < 10; i++) {
		send_login(b, i % 2 ? "alice" : "nobody", "wrong", csrf);
		assert_int_equal(b->reply.status, 403);
		assert_true(shows(b, "Name, password or organisation is wrong."));
		assert_false(shows(b, "value=\"wrong\""));
	}
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 429);
	assert_true(b->reply.retry_after > 0);
	assert_string_equal(b->session, "");
	b->now += b->reply.retry_after + 6;
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_int_equal(b->reply.status, 303);
}

static void codes_cannot_be_guessed(void **state)
{
	struct browser *b = *state;

	log_in(b);
	b->query_code = "ZZZZ9999";
	for (int i = 0; i < 10; i++) {
		visit(b, auth_authorize_page, "GET", "");
		assert_int_equal(b->reply.status, 404);
	}
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 429);
	b->query_code = NULL;
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
}

static void sessions(void **state)
{
	struct browser *b = *state;
	char first[128], csrf[64], body[128];

	log_in(b);
	memcpy(first, b->session, sizeof(first));
	/* Who is logged in goes on; a form that was open in another window ends that session. */
	visit(b, auth_login, "GET", "");
	assert_int_equal(b->reply.status, 303);
	digest_derive("csrf", slice_of(b->visit), csrf);
	send_login(b, "alice", "correct+horse%20battery", csrf);
	assert_string_not_equal(b->session, first);
	memcpy(body, b->session, sizeof(body));
	memcpy(b->session, first, sizeof(first));
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
	memcpy(b->session, body, sizeof(body));
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
	csrf_of(b, csrf);
	memcpy(first, b->session, sizeof(first));
	(void)snprintf(body, sizeof(body), "csrf=%s", csrf);
	visit(b, auth_logout, "POST", body);
	assert_int_equal(b->reply.status, 303);
	assert_string_equal(b->reply.location, "/login");
	assert_string_equal(b->session, "");
	memcpy(b->session, first, sizeof(first));
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
}

static void a_session_ends(void **state)
{
	struct browser *b = *state;

	log_in(b);
	b->now = NOW + AUTH_SESSION_S - 1;
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
	b->now++;
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
}

static void plain_http(void **state)
{
	struct browser *b = *state;

	b->secure = false;
	visit(b, auth_login, "GET", "");
	assert_int_equal(b->reply.status, 403);
	visit(b, auth_login, "POST", "name=alice");
	assert_int_equal(b->reply.status, 403);
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 403);
	/* Through a proxy that speaks to 127.0.0.1 by that name: a site like any other. */
	b->secure = true;
	b->host = "127.0.0.1:8480";
	visit(b, auth_login, "GET", "");
	assert_non_null(strstr(b->reply.set_cookie, "__Host-pvw_visit="));
	assert_non_null(strstr(b->reply.set_cookie, "; Path=/; "));
	assert_non_null(strstr(b->reply.set_cookie, "; Secure"));
	/* A browser on this machine: not every one keeps Secure cookies of http. */
	b->visit[0] = '\0';
	b->local = true;
	visit(b, auth_login, "GET", "");
	assert_int_equal(strncmp(b->reply.set_cookie, "pvw_visit=", 10), 0);
	assert_null(strstr(b->reply.set_cookie, "Secure"));
	log_in(b);
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
}

/* Whoever had the old password is out, and one who logs in just then with it does not come in. */
static void a_new_password(void **state)
{
	struct browser *b = *state;
	struct store_token t = { .kind = STORE_TOKEN_SESSION, .expires_at = NOW + 60 };
	struct store_user old, now;

	log_in(b);
	assert_int_equal(store_user_find(b->store, b->org, "alice", &old, NULL), 0);
	now = old;
	now.created_at = b->now;
	now.password[10] ^= 1;
	assert_int_equal(store_user_put(b->store, &now, false, NULL), 0);
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
	assert_int_equal(strncmp(b->reply.location, "/login", 6), 0);
	(void)snprintf(t.org, sizeof(t.org), "%s", b->org);
	(void)snprintf(t.user, sizeof(t.user), "alice");
	assert_int_equal(store_session_add(b->store, &old, &t, NULL), -ENOENT);
	assert_int_equal(store_session_add(b->store, &now, &t, NULL), 0);
}

static void a_removed_person(void **state)
{
	struct browser *b = *state;
	char csrf[64];

	somebody_asks(b, "192.0.2.9");
	log_in(b);
	b->query_code = CODE;
	visit(b, auth_authorize_page, "GET", "");
	csrf_of(b, csrf);
	answer(b, "approve", csrf);
	assert_int_equal(take(b), 0);
	assert_int_equal(store_user_remove(b->store, b->org, "alice", b->now, NULL), 0);
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 303);
	assert_int_equal(take(b), -ENOENT);
	assert_int_equal(store_user_remove(b->store, b->org, "alice", b->now, NULL), -ENOENT);
}

static void hostile_texts(void **state)
{
	struct browser *b = *state;
	char csrf[64];

	somebody_asks(b, "<script>x</script> at 192.0.2.9");
	visit(b, auth_login, "GET", "");
	csrf_of(b, csrf);
	send_login(b, "%22%3E%3Cscript%3E", "wrong", csrf);
	assert_false(shows(b, "<script"));
	assert_true(shows(b, "&quot;&gt;&lt;script&gt;"));
	log_in(b);
	b->query_code = CODE;
	visit(b, auth_authorize_page, "GET", "");
	assert_true(shows(b, "&lt;script&gt;x"));
	assert_false(shows(b, "<script"));
	b->query_code = "\"><script>";
	visit(b, auth_authorize_page, "GET", "");
	assert_int_equal(b->reply.status, 200);
	assert_false(shows(b, "<script"));
}

#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HUB(the_whole_way),
		WITH_HUB(refusing),
		WITH_HUB(forged_forms),
		WITH_HUB(wrong_passwords),
		WITH_HUB(codes_cannot_be_guessed),
		WITH_HUB(sessions),
		WITH_HUB(a_session_ends),
		WITH_HUB(plain_http),
		WITH_HUB(a_new_password),
		WITH_HUB(a_removed_person),
		WITH_HUB(hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
