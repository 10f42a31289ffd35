/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * One session for all: the first thread that finds no usable token gets one, from the file that
 * other processes and nodes share or by a login, and the others wait for it.
 */

#include <errno.h>
#include <stdio.h>

#include "array/rest_inside.h"
#include "array/rest_rules.h"
#include "array/restfile.h"
#include "util/clock.h"

enum { LOCK_MS = 5000, REFUSED_MS = 10 * 1000 };

void rest_session_init(struct rest_session *s)
{
	(void)pthread_mutex_init(&s->lock, NULL);
	rest_cond_init(&s->changed);
	s->share = resttoken_share(rest_random());
}

void rest_session_done(struct rest_session *s)
{
	explicit_bzero(&s->token, sizeof(s->token));
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
}

void rest_version(struct rest *r, char ret[16])
{
	(void)pthread_mutex_lock(&r->session.lock);
	ret[0] = '\0';
	if (r->session.minor)
		(void)snprintf(ret, 16, "2.%u", r->session.minor);
	(void)pthread_mutex_unlock(&r->session.lock);
}

void rest_session_forget_version(struct rest *r)
{
	(void)pthread_mutex_lock(&r->session.lock);
	r->session.minor = 0;
	(void)pthread_mutex_unlock(&r->session.lock);
}

static bool usable(const struct rest *r, const struct resttoken *t, const char *refused)
{
	return resttoken_usable(t, clock_now(), r->token_ttl, r->session.share) &&
	       !(refused && strcmp(refused, t->auth) == 0);
}

/* --- asking the array ------------------------------------------------------------------------ */

/* Until it is not busy, or its time is up. Neither question changes anything that matters, so
 * "sent, no answer" is as good as not reached. */
static int ask(struct rest *r, const struct fa_call *c, const struct rest_attempt *a,
	       struct rest_heard *ret, struct err *e)
{
	int64_t began = rest_now_ms();
	unsigned int tries = 0;
	int code;

	do {
		rest_heard_done(ret);
		*ret = (struct rest_heard){};
		code = rest_keep_hold(r, c, began, e);
		if (code == 0)
			code = rest_http(r, c, a, ret, e);
	} while (code == 0 && rest_is_busy(ret->http.status) &&
		 rest_wait_busy(r, c, began, &ret->http, tries++));
	return code == -EINPROGRESS ? -EHOSTUNREACH : code;
}

static int ask_version(struct rest *r, const struct fa_call *c, unsigned int *ret, struct err *e)
{
	const struct rest_attempt a = { .method = "GET", .path = "/api/api_version" };
	CLEANUP(rest_heard_done) struct rest_heard heard = {};
	json_t *doc = NULL;
	int code = ask(r, c, &a, &heard, e);

	if (code < 0)
		return code;
	(void)json_parse(buf_slice(&heard.http.body), "answer", &doc, NULL);
	code = rest_judge(heard.http.status, doc, e);
	if (code == -EINPROGRESS)
		code = -EAGAIN;
	if (code == 0)
		code = rest_choose_version(doc, ret, e);
	json_decref(doc);
	return code < 0 ? err_wrap(e, code, "%s", r->url) : 0;
}

static int take_login(struct rest *r, const struct rest_heard *h, struct resttoken *ret,
		      struct err *e)
{
	*ret = (struct resttoken){ .created = clock_now(), .ttl = r->token_ttl };
	if (h->auth_token.len == 0 || h->auth_token.len >= sizeof(ret->auth))
		return err_set(e, -EPROTO, "%s: login without the header x-auth-token", r->url);
	memcpy(ret->auth, h->auth_token.data, h->auth_token.len);
	if (h->request_id.len < sizeof(ret->request_id))
		memcpy(ret->request_id, buf_str(&h->request_id), h->request_id.len);
	return 0;
}

static int login(struct rest *r, const struct fa_call *c, unsigned int minor, struct resttoken *ret,
		 struct err *e)
{
	char path[32];
	const struct rest_attempt a = { .method = "POST", .path = path, .api_token = r->api_token };
	CLEANUP(rest_heard_done) struct rest_heard heard = {};
	struct err why = {};
	json_t *doc = NULL;
	int code;

	(void)snprintf(path, sizeof(path), "/api/2.%u/login", minor);
	r->logins++;
	code = ask(r, c, &a, &heard, e);
	if (code < 0)
		return code;
	(void)json_parse(buf_slice(&heard.http.body), "answer", &doc, NULL);
	code = rest_judge(heard.http.status, doc, &why);
	json_decref(doc);
	if (code == 0)
		return take_login(r, &heard, ret, e);
	if (code == -EAGAIN || code == -EINPROGRESS)
		return err_set(e, -EAGAIN, "%s: login: %s", r->url, why.text);
	if (code == -EPROTO)
		return err_set(e, -EPROTO, "%s: login: %s", r->url, why.text);
	return err_set(e, -EKEYREJECTED, "%s: login refused: %s; check the storage's token", r->url,
		       why.text);
}

/* --- and the file ---------------------------------------------------------------------------- */

static bool from_file(struct rest *r, const struct fa_call *c, const char *refused,
		      struct resttoken *ret)
{
	struct resttoken t = {};
	struct err e = {};
	int code = r->files ? restfiles_read(r->files, r->token_name, &t, &e) : -ENOENT;
	bool good = code == 0 && usable(r, &t, refused);

	if (good)
		rest_log(r, c, 1, "token: taken from its file, %lld s old",
			 (long long)(clock_now() - t.created));
	else
		rest_log(r, c, 1, "token: none to take from the file%s%s", code < 0 ? ": " : "",
			 code < 0 ? e.text : " (too old, or refused)");
	if (good)
		*ret = t;
	explicit_bzero(&t, sizeof(t));
	return good;
}

static void to_file(struct rest *r, const struct fa_call *c, const struct resttoken *t)
{
	static const char *const where[] = { "written for the cluster", "kept on this node only",
					     "not written: another has just been" };
	struct err e = {};
	int code = r->files ? restfiles_write(r->files, r->token_name, t, &e) : -ENOENT;

	if (code >= 0)
		rest_log(r, c, 1, "token: %s", where[code]);
	else if (r->files)
		rest_log(r, c, 0, "%s", e.text);
}

static int log_in(struct rest *r, const struct fa_call *c, const char *refused, unsigned int minor,
		  struct resttoken *ret, struct err *e)
{
	int code;

	rest_log(r, c, 1, "token: login");
	code = login(r, c, minor, ret, e);
	if (code < 0) {
		rest_log(r, c, 1, "token: login failed: %s", e ? e->text : "");
		/* Another node may have had more luck. */
		return from_file(r, c, refused, ret) ? 0 : code;
	}
	r->session_since = ret->created;
	to_file(r, c, ret);
	return 0;
}

static int get_token(struct rest *r, const struct fa_call *c, const char *refused,
		     unsigned int minor, struct resttoken *ret, struct err *e)
{
	int64_t until = rest_now_ms() + LOCK_MS;
	CLEANUP_FD int lock = -1;

	if (r->files)
		lock = restfiles_lock(r->files, r->token_name,
				      until < c->deadline ? until : c->deadline);
	if (from_file(r, c, refused, ret)) {
		r->session_since = ret->created;
		return 0;
	}
	return log_in(r, c, refused, minor, ret, e);
}

/* --- for all threads ------------------------------------------------------------------------- */

/* Without the lock, by one thread at a time. */
static int renew(struct rest *r, const struct fa_call *c, const char *refused,
		 struct resttoken *token, unsigned int *minor, struct err *e)
{
	int code = 0;

	if (*minor == 0)
		code = ask_version(r, c, minor, e);
	if (code == 0 && !usable(r, token, refused))
		code = get_token(r, c, refused, *minor, token, e);
	return code;
}

static void lead(struct rest *r, const struct fa_call *c, const char *refused)
{
	struct rest_session *s = &r->session;
	struct resttoken t = s->token;
	unsigned int minor = s->minor;
	struct err e = {};
	int code;

	s->busy = true;
	(void)pthread_mutex_unlock(&s->lock);
	code = renew(r, c, refused, &t, &minor, &e);
	(void)pthread_mutex_lock(&s->lock);
	s->busy = false;
	s->attempts++;
	s->minor = minor;
	s->result = code;
	s->why = e;
	s->cut = code == -EAGAIN ||
		 (code < 0 && (c->patience_ms || rest_now_ms() >= c->deadline - 100));
	if (code == 0)
		s->token = t;
	if (code == -EKEYREJECTED)
		s->refused_until = rest_now_ms() + REFUSED_MS;
	explicit_bzero(&t, sizeof(t));
	(void)pthread_cond_broadcast(&s->changed);
}

/* Under the lock: waits for the thread that is at it. False: our time is up. */
static bool follow(struct rest_session *s, const struct fa_call *c)
{
	struct timespec until = rest_timespec(rest_waits_until(c));

	while (s->busy)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			return !s->busy;
	return true;
}

/* Under the lock. */
static int obtain(struct rest *r, const struct fa_call *c, const char *refused, struct err *e)
{
	struct rest_session *s = &r->session;
	uint64_t before;

	for (;;) {
		if (s->minor && usable(r, &s->token, refused))
			return 0;
		if (rest_now_ms() < s->refused_until)
			return err_set(e, s->result, "%s", s->why.text);
		before = s->attempts;
		if (!s->busy)
			lead(r, c, refused);
		else if (!follow(s, c))
			return err_set(e, -EHOSTUNREACH, "%s: no session in time", r->url);
		else if (s->result < 0 && s->cut && !c->patience_ms)
			continue;
		if (s->attempts != before && s->result < 0)
			return err_set(e, s->result, "%s", s->why.text);
		/* What came may be what was refused already. */
		if (rest_now_ms() >= c->deadline)
			return err_set(e, -EHOSTUNREACH, "%s: no session in time", r->url);
	}
}

int rest_session_get(struct rest *r, const struct fa_call *c, const char *refused,
		     struct resttoken *ret, unsigned int *ret_minor, struct err *e)
{
	struct rest_session *s = &r->session;
	int code;

	(void)pthread_mutex_lock(&s->lock);
	code = obtain(r, c, refused, e);
	if (code == 0) {
		*ret = s->token;
		*ret_minor = s->minor;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return code;
}
