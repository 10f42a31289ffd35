/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The way to one server: one thing at a time, the token first if it has to be. */

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "agent/agentd.h"
#include "agent/delivery.h"
#include "agent/wire.h"
#include "util/clock.h"
#include "util/str.h"

enum { LARGE_BODY = 256 * 1024 };

/* --- the sender ------------------------------------------------------------------------------ */

static void on_answer(struct agent_server *s, struct sender_answer *a);

static void fail(struct agent_server *s, int error, const char *why)
{
	struct sender_answer a = { .error = error };

	(void)snprintf(a.why, sizeof(a.why), "%s", why);
	on_answer(s, &a);
	sender_answer_done(&a);
}

static void end_sender(struct agent_server *s)
{
	s->io = sd_event_source_disable_unref(s->io);
	sender_stop(&s->sender);
}

static void wait_for(struct agent_server *s)
{
	bool write = sender_wants_to_write(&s->sender);

	(void)sd_event_source_set_io_events(s->io, EPOLLIN | (write ? EPOLLOUT : 0u));
}

static int on_sender(sd_event_source *src, int fd, uint32_t events, void *ctx)
{
	struct agent_server *s = ctx;
	struct sender_answer a = {};
	int r;

	(void)src;
	(void)fd;
	r = events & EPOLLOUT ? sender_write(&s->sender) : 0;
	if (r == 0)
		r = sender_take(&s->sender, &a);
	if (r < 0) {
		end_sender(s);
		if (s->doing != AGENT_IDLE)
			fail(s, -EPIPE, "the sender has died");
	} else if (r == 0) {
		wait_for(s);
	} else {
		on_answer(s, &a);
		sender_answer_done(&a);
	}
	return 0;
}

static int start_sender(struct agent_server *s, struct err *e)
{
	int r;

	if (s->sender.pid > 0)
		return 0;
	r = sender_start(&s->sender, s->ca, e);
	if (r < 0)
		return r;
	r = sd_event_add_io(s->d->loop, &s->io, s->sender.fd, EPOLLIN, on_sender, s);
	if (r >= 0)
		return 0;
	end_sender(s);
	return err_set(e, r, "the event loop: %s", strerror(-r));
}

static void send_call(struct agent_server *s, enum agent_doing doing, const char *path,
		      struct slice body)
{
	CLEANUP_FREE char *url = NULL;
	struct http_call call = { .body = body, .deadline_ms = SENDER_DEADLINE_MS };
	struct err e = {};
	int r;

	s->doing = doing;
	s->tried_at = clock_now();
	s->answer_by = clock_boot_ms() + SENDER_DEADLINE_MS + SENDER_GRACE_MS;
	if (asprintf(&url, "%s%s", s->url, path) < 0)
		abort();
	call.url = url;
	if (doing == AGENT_SENDING) {
		call.bearer = s->token.access;
		call.agent_id = s->token.ready ? s->token.agent_id : NULL;
	}
	r = start_sender(s, &e);
	if (r == 0)
		r = sender_ask(&s->sender, &call);
	if (r == 0) {
		wait_for(s);
		return;
	}
	end_sender(s);
	fail(s, r, e.text[0] ? e.text : "the sender has died");
}

/* --- what is said about it ------------------------------------------------------------------- */

static void tell_failure(struct agent_server *s, const char *why)
{
	bool again = strcmp(s->problem, why) == 0;

	(void)snprintf(s->problem, sizeof(s->problem), "%s", why);
	s->d->changed = true;
	if (s->told && again)
		return;
	log_warn("%s: not delivered, it is tried again: %s", s->name, why);
	s->told = true;
}

static void tell_success(struct agent_server *s)
{
	if (s->told)
		log_info("%s: takes what is sent again", s->name);
	s->told = s->revoked = s->session.rejected = false;
	s->session.failures = s->session.denied = 0;
	s->problem[0] = '\0';
	s->tries = 0;
	s->delivered_at = clock_now();
	s->d->changed = true;
}

static void tell_token(struct agent_server *s, const char *what)
{
	if (session_is_to_be_told(&s->session))
		log_error(
			"%s: Authentication requires re-registration, refused %u times (%s). Run: "
			"pvewarden agent register",
			s->name, s->session.denied, what);
}

/* What lies between may refuse as well: that says nothing about the token. */
static void tell_no_refresh(struct agent_server *s, const char *what)
{
	char why[sizeof(s->problem)];

	/* Of an answer that is well there is nothing to say, unless it is this one. */
	(void)snprintf(why, sizeof(why), "the token cannot be refreshed: %s",
		       *what ? what : "200, without a token");
	tell_failure(s, why);
	agentd_item_later(s);
}

/* --- answers --------------------------------------------------------------------------------- */

static struct delivery_seen seen_of(const struct sender_answer *a)
{
	return (struct delivery_seen){ .error = a->error,
				       .why = a->why,
				       .status = a->http.status,
				       .retry_after = a->http.retry_after,
				       .body = buf_slice(&a->http.body) };
}

static void took_token(struct agent_server *s, const struct sender_answer *a, bool renewal)
{
	struct delivery_seen seen = seen_of(a);
	struct session_seen took = { .error = a->error,
				     .status = a->http.status,
				     .content_type = a->http.content_type,
				     .body = seen.body };
	bool was_given_up = s->token.given_up;
	struct delivery said;

	delivery_judge(&seen, s->session.failures, clock_now(), agentd_random(), &said);
	took.wait_ms = said.wait_ms;
	switch (session_took(&s->session, &s->token, renewal, &took, clock_now())) {
	case SESSION_GOT:
		log_debug("%s: the token was %s", s->name, renewal ? "renewed" : "refreshed");
		s->token_unsaved = true;
		break;
	case SESSION_NO_RENEW:
		log_info("%s: this server does not renew refresh tokens (%s)", s->name, said.why);
		break;
	case SESSION_GIVEN_UP:
		s->token_unsaved = s->token_unsaved || !was_given_up;
		tell_token(s, "the server says that the refresh token is not valid any more");
		tell_failure(s, said.why);
		break;
	case SESSION_REFUSED:
		tell_token(s, said.why);
		tell_no_refresh(s, said.why);
		break;
	case SESSION_LATER:
		if (!renewal)
			tell_no_refresh(s, said.why);
		break;
	}
	agentd_token_save(s);
}

static void put_off(struct agent_server *s, const struct delivery *what)
{
	s->tries++;
	s->wait_until = clock_boot_ms() + what->wait_ms;
	agentd_item_later(s);
	tell_failure(s, what->why);
}

static void refused(struct agent_server *s, struct delivery *said, struct slice answer)
{
	size_t n = strlen(said->why);

	if (agentd_item_is_of_a_clock(s, answer)) {
		(void)snprintf(said->why + n, sizeof(said->why) - n,
			       ", and this node's clock says otherwise");
		put_off(s, said);
		return;
	}
	agentd_item_refused(s, said->why);
	s->tries = 0;
}

static void took_item(struct agent_server *s, const struct sender_answer *a)
{
	struct delivery_seen seen = seen_of(a);
	struct delivery said;

	delivery_judge(&seen, s->tries, clock_now(), agentd_random(), &said);
	switch (said.verdict) {
	case DELIVERY_DONE:
		agentd_item_done(s, seen.body);
		tell_success(s);
		break;
	case DELIVERY_PARK:
		refused(s, &said, seen.body);
		break;
	case DELIVERY_REFRESH:
		if (session_rejected(&s->session, &s->token, said.own, clock_now()))
			break;
		if (said.own)
			tell_token(s, said.why);
		tell_failure(s, said.why);
		agentd_item_later(s);
		break;
	case DELIVERY_REVOKED:
		s->revoked = true;
		put_off(s, &said);
		break;
	case DELIVERY_LATER:
		put_off(s, &said);
		break;
	}
}

static void on_answer(struct agent_server *s, struct sender_answer *a)
{
	enum agent_doing was = s->doing;

	s->doing = AGENT_IDLE;
	if (was == AGENT_SENDING)
		took_item(s, a);
	else
		took_token(s, a, was == AGENT_RENEWING);
	if (a->error != -EPIPE)
		agentd_push(s, clock_boot_ms());
}

/* --- what is next ---------------------------------------------------------------------------- */

static void ask_for_token(struct agent_server *s, bool renewal)
{
	CLEANUP(buf_wipe) struct buf body = {};

	if (renewal)
		auth_ask_renew(&s->token, &body);
	else
		auth_ask_refresh(&s->token, &body);
	send_call(s, renewal ? AGENT_RENEWING : AGENT_REFRESHING, WIRE_AGENT_PATH,
		  buf_slice(&body));
}

static void send_item(struct agent_server *s)
{
	CLEANUP(buf_done) struct buf body = {};
	struct err e = {};
	char path[64];

	/* It is a copy of us, and keeps what we have in memory when it begins: not a document. If
	 * it cannot begin, send_call() says so. */
	(void)start_sender(s, &e);
	if (!agentd_next_item(s, &body, path))
		return;
	send_call(s, AGENT_SENDING, path, buf_slice(&body));
	if (body.len < LARGE_BODY)
		return;
	buf_done(&body);
	(void)malloc_trim(0);
}

static void tell_no_token(struct agent_server *s)
{
	if (!s->token_told)
		log_error("%s: there is no token for %s: pvewarden agent register", s->name,
			  s->url);
	s->token_told = true;
	(void)snprintf(s->problem, sizeof(s->problem), "not registered");
}

void agentd_push(struct agent_server *s, int64_t now)
{
	int64_t until;

	if (!s->url)
		return;
	if (s->doing != AGENT_IDLE) {
		if (now < s->answer_by)
			return;
		end_sender(s);
		fail(s, -ETIMEDOUT, "the sender does not answer");
		return;
	}
	if (now < s->wait_until)
		return;
	switch (session_next(&s->session, &s->token, clock_now(), &until)) {
	case SESSION_NONE:
		tell_no_token(s);
		break;
	case SESSION_USE:
		send_item(s);
		break;
	case SESSION_REFRESH:
		ask_for_token(s, false);
		break;
	case SESSION_RENEW:
		ask_for_token(s, true);
		break;
	case SESSION_WAIT:
		break;
	}
}

/* --- beginning and end ----------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

void agentd_server_set(struct agent_server *s, const char *url, const char *ca)
{
	const struct agent_conf *c = &s->d->conf;

	s->session.renew_before = (int64_t)c->renew_days * 86400;
	s->session.check_every = c->renew_check;
	s->session.renew_retry = c->renew_retry;
	if (!same(s->url, url) || !same(s->ca, ca)) {
		end_sender(s);
		s->doing = AGENT_IDLE;
		s->wait_until = 0;
		free(s->url);
		free(s->ca);
		s->url = url ? xstrdup(url) : NULL;
		s->ca = ca ? xstrdup(ca) : NULL;
		s->since = clock_now();
	}
	if (s->url)
		agentd_token_load(s);
}

void agentd_server_end(struct agent_server *s)
{
	end_sender(s);
	token_done(&s->token);
	free(s->url);
	free(s->ca);
	s->url = s->ca = NULL;
}
