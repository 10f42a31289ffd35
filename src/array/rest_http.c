/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* One request, once, with its log lines and what is counted. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "array/rest_inside.h"
#include "array/rest_rules.h"
#include "util/clock.h"
#include "util/str.h"

enum {
	ATTEMPT_MS = 15 * 1000,
	CONNECT_MS = 5 * 1000,
	LEAST_MS = 50,
	/* Who said nothing for so long is silent: less time proves nothing. */
	SILENCE_MS = 500,
	ANSWER_MAX = 32 << 20,
	BODY_SHOWN = 2000,
	REQUEST_ID_MAX = 48,
};

enum { AUTH_TOKEN, NEXT_TOKEN, REQUEST_ID, DATE, N_WANTED };

void rest_heard_done(struct rest_heard *h)
{
	http_answer_done(&h->http);
	buf_wipe(&h->auth_token);
	buf_done(&h->next);
	buf_done(&h->request_id);
}

/* A change leaves time to look what became of it. */
static int attempt_ms(const struct fa_call *c, bool changes)
{
	int64_t end = changes || c->enough ? c->deadline : rest_waits_until(c);
	int64_t left = end - rest_now_ms();

	if (changes)
		left = left * 2 / 3;
	return (int)(left < LEAST_MS ? 0 : left < ATTEMPT_MS ? left : ATTEMPT_MS);
}

bool rest_has_time(const struct fa_call *c, bool changes)
{
	return attempt_ms(c, changes) > 0;
}

static void show_body(struct rest *r, const struct fa_call *c, const char *which, struct slice body)
{
	char text[BODY_SHOWN];

	if (!slice_empty(body)) {
		str_printable(text, sizeof(text), body);
		rest_log(r, c, 3, "%s: %s", which, text);
	}
}

static void show(struct rest *r, const struct fa_call *c, const struct rest_attempt *a,
		 const struct rest_heard *h, const char *id, int64_t began, const char *failed)
{
	int64_t ms = rest_now_ms() - began;

	if (failed)
		rest_log(r, c, 2, "%s %s (%s): %s after %" PRId64 " ms", a->method, a->path, id,
			 failed, ms);
	else
		rest_log(r, c, 2, "%s %s (%s): status %ld, %zu bytes, %" PRId64 " ms", a->method,
			 a->path, id, h->http.status, h->http.body.len, ms);
	show_body(r, c, "request", a->body);
	if (!failed)
		show_body(r, c, "answer", buf_slice(&h->http.body));
}

static void count(struct rest *r, const struct rest_heard *h, int result)
{
	long status = h->http.status;

	r->requests++;
	if (result == 0 && status < 500 && status != 429) {
		r->last_ok = clock_now();
		return;
	}
	r->errors++;
	if (rest_is_busy(status))
		r->limited++;
	r->last_error = result < 0 ? result : -EAGAIN;
}

static void keep_lead(struct rest *r, const struct buf *date)
{
	int64_t ms = rest_date_ms(buf_str(date));

	if (ms >= 0)
		r->lead_ms = ms - rest_now_ms();
}

static int failed(struct rest *r, int code, bool sent, struct err *e)
{
	struct err why = *e;

	if (code == -EACCES)
		return err_set(e, -EHOSTUNREACH,
			       "%s: its certificate is not one that this node trusts; give this "
			       "node the array's CA (update-ca-certificates), or set check_ssl 0",
			       r->url);
	if (code == -EINVAL)
		return code;
	if (sent)
		return err_set(e, -EINPROGRESS, "%s: no answer (%s)", r->url,
			       strerrordesc_np(-code));
	/* libcurl's sentence begins with the whole URL. */
	return err_set(e, -EHOSTUNREACH, "%s: not reached (%s)", r->url,
		       strrchr(why.text, ':') ? strrchr(why.text, ':') + 2 : why.text);
}

/* Where no other array can be asked half of the time is kept for a second try. */
static int connect_ms(const struct fa_call *c, int attempt)
{
	int64_t ms = c->enough	      ? attempt
		     : c->patience_ms ? rest_waits_until(c) - rest_now_ms()
				      : attempt / 2;

	return (int)(ms < LEAST_MS ? LEAST_MS : ms < CONNECT_MS ? ms : CONNECT_MS);
}

static void note_silence(struct rest *r, int code, long status, int64_t began)
{
	int64_t now = rest_now_ms();

	if (code == 0) {
		r->heard_at = now;
		if (!rest_is_busy(status))
			r->silent_until = 0;
	} else if (now - began >= SILENCE_MS && !rest_has_spoken(r)) {
		r->silent_until = now + REST_SILENT_MS;
	}
}

static void note(struct rest *r, int code, long status, int64_t began)
{
	note_silence(r, code, status, began);
	if (code < 0 || status == 401 || status >= 500)
		r->failed_at = rest_now_ms();
}

static int no_time(const struct rest *r, struct err *e)
{
	return err_set(e, -EHOSTUNREACH, "%s: no time is left to ask", r->url);
}

/* Not while the array wants to be left alone, as it may have said to those before. */
static int take_turn(struct rest *r, const struct fa_call *c, struct http_client **ret,
		     struct err *e)
{
	int64_t began = rest_now_ms();

	for (;;) {
		int code = rest_borrow(r, c, ret, e);

		if (code < 0 || rest_now_ms() >= r->hold_until)
			return code;
		rest_give_back(r, *ret);
		code = rest_keep_hold(r, c, began, e);
		if (code < 0)
			return code;
	}
}

/* Its turn may come late: the time it has is counted from then. */
static int send(struct rest *r, const struct fa_call *c, bool changes, struct http_call *call,
		struct rest_heard *ret, struct err *e)
{
	struct http_client *client;
	int code = take_turn(r, c, &client, e);
	int64_t began;

	if (code < 0)
		return code;
	call->deadline_ms = attempt_ms(c, changes);
	if (call->deadline_ms == 0) {
		rest_give_back(r, client);
		return no_time(r, e);
	}
	call->connect_ms = connect_ms(c, call->deadline_ms);
	began = rest_now_ms();
	code = http_client_call(client, call, &ret->http, e);
	/* Who is asked beside another one is left when that answers. */
	if (code != -ETIMEDOUT || !c->beside)
		note(r, code, ret->http.status, began);
	/* Before the next one has the connection. */
	if (code == 0 && ret->http.status == 429)
		rest_hold(r, &ret->http, 0);
	rest_give_back(r, client);
	ret->timed_out = code == -ETIMEDOUT;
	return code < 0 ? failed(r, code, ret->http.sent, e) : 0;
}

int rest_http(struct rest *r, const struct fa_call *c, const struct rest_attempt *a,
	      struct rest_heard *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf url = {};
	char id[REQUEST_ID_MAX];
	const struct http_header headers[] = { { "api-token", a->api_token },
					       { "x-auth-token", a->auth_token },
					       { "X-Request-ID", id } };
	struct http_wanted wanted[N_WANTED] = { [AUTH_TOKEN] = { "x-auth-token" },
						[NEXT_TOKEN] = { "x-next-token" },
						[REQUEST_ID] = { "x-request-id" },
						[DATE] = { "date" } };
	struct http_call call = { .method = a->method,
				  .headers = headers,
				  .n_headers = ARRAY_SIZE(headers),
				  .wanted = wanted,
				  .n_wanted = N_WANTED,
				  .body = a->body,
				  .enough = a->changes ? NULL : c->enough,
				  .enough_arg = c->enough_arg,
				  .max_answer = ANSWER_MAX,
				  .once = a->changes,
				  .unverified = !r->check_ssl,
				  .direct = true };
	int64_t began = rest_now_ms();
	struct err why = {};
	int code;

	if (attempt_ms(c, a->changes) == 0)
		return no_time(r, e);
	(void)snprintf(id, sizeof(id), "pvewarden-%08" PRIx32 "-%" PRIu64, r->id, ++r->serial);
	buf_addf(&url, "%s%s", r->url, a->path);
	call.url = buf_str(&url);
	code = send(r, c, a->changes, &call, ret, &why);
	count(r, ret, code);
	if (code == 0)
		keep_lead(r, &wanted[DATE].value);
	show(r, c, a, ret, id, began, code < 0 ? why.text : NULL);
	buf_wipe(&ret->auth_token);
	buf_done(&ret->next);
	buf_done(&ret->request_id);
	ret->auth_token = wanted[AUTH_TOKEN].value;
	ret->next = wanted[NEXT_TOKEN].value;
	ret->request_id = wanted[REQUEST_ID].value;
	buf_done(&wanted[DATE].value);
	return code < 0 ? err_set(e, code, "%s", why.text) : 0;
}
