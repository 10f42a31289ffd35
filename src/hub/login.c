/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "hub/auth_inside.h"
#include "hub/pages.h"
#include "hub/pages_inside.h"
#include "hub/password.h"

/* What the form sends. */
struct login {
	char name[STORE_NAME_MAX], org[STORE_NAME_MAX];
	char password[PASSWORD_MAX + 1];
	char code[AUTH_CODE_LEN + 1]; /* "": none */
	char csrf[DIGEST_SECRET_MAX];
};

/* --- what the pages share --- */

void pages_begin(struct reply *reply, unsigned int status)
{
	reply->status = status;
	reply->type = "text/html; charset=utf-8";
	reply->page = true;
	buf_reset(&reply->body);
}

void pages_message(struct reply *reply, unsigned int status, const char *title,
		   const char *sentence)
{
	pages_begin(reply, status);
	page_message(title, sentence, &reply->body);
}

bool pages_are_private(const struct request *r, struct reply *reply)
{
	if (!r->secure)
		pages_message(reply, 403, "Not over plain http",
			      "This hub takes no passwords over plain http from another machine. "
			      "Use https, or a tunnel to it.");
	return r->secure;
}

void pages_away(struct reply *reply)
{
	pages_message(reply, 503, "In a moment", "The database is away. Try again shortly.");
	reply->retry_after = AUTH_RETRY_S;
}

bool pages_may_try(struct auth *a, enum auth_try what, const struct request *r, struct reply *reply)
{
	unsigned int wait = 0;
	char text[128];

	if (auth_may_try(a, what, r->peer, r->now, &wait))
		return true;
	(void)snprintf(text, sizeof(text),
		       "Too many tries from your address. Try again in %u seconds.", wait);
	pages_message(reply, 429, "Slow down", text);
	reply->retry_after = wait;
	return false;
}

void pages_go(struct reply *reply, const char *path, const char *code)
{
	pages_begin(reply, 303);
	(void)snprintf(reply->location, sizeof(reply->location), "%s%s%s", path,
		       code[0] ? "?user_code=" : "", code);
}

void pages_query_code(const struct request *r, char ret[AUTH_CODE_LEN + 1])
{
	const char *typed = r->query ? r->query(r, "user_code") : NULL;

	if (!typed || !auth_read_code(typed, ret))
		ret[0] = '\0';
}

void pages_csrf(const struct request *r, const char *cookie, char ret[DIGEST_SECRET_MAX])
{
	digest_derive("csrf", auth_cookie(r, cookie), ret);
}

/* The form came from a page of ours: only that knows what belongs to the cookie. */
bool pages_csrf_fits(const struct request *r, const char *cookie, const char *shown)
{
	char right[DIGEST_SECRET_MAX];

	if (slice_empty(auth_cookie(r, cookie)))
		return false;
	pages_csrf(r, cookie, right);
	return digest_equal_text(shown, right);
}

/* --- cookies --- */

/* A browser on this machine may come without TLS, and some then drop Secure cookies. What Host says
 * does not matter: a proxy may say anything there. */
static void set_cookie(const struct request *r, struct reply *reply, const char *name,
		       const char *value, unsigned int seconds)
{
	char full[AUTH_COOKIE_NAME_MAX];

	auth_cookie_name(r, name, full);
	(void)snprintf(reply->set_cookie, sizeof(reply->set_cookie),
		       "%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict%s", full, value,
		       seconds, r->local ? "" : "; Secure");
}

/* --- GET /login --- */

static void show_login(const struct request *r, const struct login *l, const char *problem,
		       unsigned int status, struct reply *reply)
{
	struct slice visit = auth_cookie(r, AUTH_VISIT_COOKIE);
	char fresh[DIGEST_SECRET_MAX], csrf[DIGEST_SECRET_MAX];

	pages_begin(reply, status);
	if (slice_empty(visit)) {
		digest_secret(fresh);
		set_cookie(r, reply, AUTH_VISIT_COOKIE, fresh, 3600);
		visit = slice_of(fresh);
	}
	digest_derive("csrf", visit, csrf);
	page_login(&(struct page_login){ problem, l->name, l->org[0] ? l->org : "default", l->code,
					 csrf },
		   &reply->body);
}

/* --- POST /login --- */

static void read_form(const struct request *r, struct login *ret)
{
	char code[64];

	(void)token_form_value(r->body, "name", ret->name, sizeof(ret->name));
	(void)token_form_value(r->body, "org", ret->org, sizeof(ret->org));
	(void)token_form_value(r->body, "password", ret->password, sizeof(ret->password));
	(void)token_form_value(r->body, "csrf", ret->csrf, sizeof(ret->csrf));
	if (!token_form_value(r->body, "user_code", code, sizeof(code)) ||
	    !auth_read_code(code, ret->code))
		ret->code[0] = '\0';
}

/* 0; -ENOENT: no such person, or another password, and nothing tells which. */
static int find_person(struct store *s, const struct login *l, struct store_user *ret)
{
	char org[STORE_ORG_MAX];
	int r = store_org_find(s, l->org, org, NULL);

	if (r == 0)
		r = store_user_find(s, org, l->name, ret, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	return password_matches(slice_of(l->password), r == 0 ? ret->password : NULL) ? 0 : -ENOENT;
}

/* A new session each time; the one that was there ends, so that nobody else's can be kept. */
static int begin_session(struct auth *a, struct store *s, const struct request *r,
			 const struct store_user *u, struct reply *reply)
{
	struct store_token old, t = {
		.kind = STORE_TOKEN_SESSION,
		.created_at = r->now,
		.expires_at = r->now + AUTH_SESSION_S,
	};
	char text[TOKEN_TEXT_MAX];
	int done;

	if (auth_person(a, s, r, &old) == 0)
		(void)store_token_revoke(s, old.org, old.id, r->now, NULL);
	(void)snprintf(t.org, sizeof(t.org), "%s", u->org);
	(void)snprintf(t.user, sizeof(t.user), "%s", u->name);
	(void)snprintf(t.label, sizeof(t.label), "from %s", r->peer);
	token_text_make(u->org, text);
	digest_sha256(slice_of(text), t.hash);
	done = store_session_add(s, u, &t, NULL);
	if (done == 0)
		set_cookie(r, reply, AUTH_SESSION_COOKIE, text, AUTH_SESSION_S);
	return done;
}

static void try_login(struct auth *a, struct store *s, const struct request *r,
		      const struct login *l, struct reply *reply)
{
	struct store_user user;
	int found;

	if (!pages_csrf_fits(r, AUTH_VISIT_COOKIE, l->csrf)) {
		show_login(r, l, "This form was too old. Please try again.", 403, reply);
		return;
	}
	if (!pages_may_try(a, AUTH_TRY_LOGIN, r, reply))
		return;
	found = find_person(s, l, &user);
	if (found == 0)
		found = begin_session(a, s, r, &user, reply);
	if (found == -ENOENT)
		show_login(r, l, "Name, password or organisation is wrong.", 403, reply);
	else if (found < 0)
		pages_away(reply);
	else
		pages_go(reply, "/agent/authorize", l->code);
}

void auth_login(struct auth *a, struct store *s, const struct request *r, struct reply *reply)
{
	struct store_token who;
	struct login l = {};

	if (!pages_are_private(r, reply))
		return;
	if (strcmp(r->method, "POST") == 0) {
		read_form(r, &l);
		try_login(a, s, r, &l, reply);
		explicit_bzero(l.password, sizeof(l.password));
		return;
	}
	pages_query_code(r, l.code);
	if (auth_person(a, s, r, &who) == 0)
		pages_go(reply, "/agent/authorize", l.code);
	else
		show_login(r, &l, NULL, 200, reply);
}

/* --- POST /logout --- */

void auth_logout(struct auth *a, struct store *s, const struct request *r, struct reply *reply)
{
	char csrf[DIGEST_SECRET_MAX];
	struct store_token who;
	int found = auth_person(a, s, r, &who);

	if (found < 0 && found != -ENOENT) {
		pages_away(reply);
		return;
	}
	(void)token_form_value(r->body, "csrf", csrf, sizeof(csrf));
	if (found == 0 && !pages_csrf_fits(r, AUTH_SESSION_COOKIE, csrf)) {
		pages_message(reply, 403, "Not logged out",
			      "This request did not come from a page of this hub.");
		return;
	}
	if (found == 0 && store_token_revoke(s, who.org, who.id, r->now, NULL) < 0) {
		pages_away(reply);
		return;
	}
	pages_go(reply, "/login", "");
	set_cookie(r, reply, AUTH_SESSION_COOKIE, "", 0);
}
