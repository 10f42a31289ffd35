/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A request until it has an answer that means something, or until its time is up. */

#include <errno.h>

#include "array/rest_inside.h"
#include "array/rest_rules.h"
#include "util/str.h"

enum { LOGINS_MAX = 2, LOST_MAX = 2, LOST_PAUSE_MS = 200, QUICK_MS = 1000, HEARD_MS = 5000 };

struct calling {
	struct rest *r;
	const struct fa_call *c;
	const struct rest_request *q;
	bool changes;
	int64_t began;
	struct resttoken token;
	bool refused; /* the token was */
	unsigned int logins, busy, lost;
	bool doubtful;
};

void rest_reply_done(struct rest_reply *r)
{
	json_decref(r->doc);
	r->doc = NULL;
	buf_done(&r->next);
}

/* Where another array can be asked, one that is too busy is as good as silent. */
static bool leave_alone(struct rest *r, const struct fa_call *c, int64_t since, int64_t ms)
{
	int64_t now = rest_now_ms();

	if (ms <= 0)
		return true;
	if (!c->patience_ms || now + ms <= since + c->patience_ms)
		return rest_pause(c, ms);
	if (c->enough)
		r->silent_until = now + REST_SILENT_MS;
	return false;
}

int rest_keep_hold(struct rest *r, const struct fa_call *c, int64_t since, struct err *e)
{
	if (leave_alone(r, c, since, r->hold_until - rest_now_ms()))
		return 0;
	return err_set(e, -EAGAIN, "%s: asked to be left alone for longer than there is", r->url);
}

int64_t rest_hold(struct rest *r, const struct http_answer *a, unsigned int tries)
{
	int64_t ms = rest_busy_ms(*a->retry_after ? a->retry_after : NULL, tries, rest_random());

	if (a->status == 429)
		r->hold_until = rest_now_ms() + ms;
	return ms;
}

bool rest_wait_busy(struct rest *r, const struct fa_call *c, int64_t since,
		    const struct http_answer *a, unsigned int tries)
{
	return leave_alone(r, c, since, rest_hold(r, a, tries));
}

/*
 * What was sent and not answered can be asked of no other array, so one that has not been heard of
 * for a while is asked for its version first: a kept connection may be dead.
 */
static bool wants_sign_of_life(const struct calling *k)
{
	return k->changes && k->c->patience_ms && rest_now_ms() - k->r->heard_at > HEARD_MS;
}

static int get_session(struct calling *k, unsigned int *minor, struct err *e)
{
	struct resttoken old = k->token;
	int r = rest_session_get(k->r, k->c, k->refused ? old.auth : NULL, &k->token, minor, e);

	explicit_bzero(&old, sizeof(old));
	return r;
}

static int attempt(struct calling *k, struct rest_heard *heard, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};
	struct rest_attempt a = { .method = k->q->method,
				  .body = k->q->body,
				  .auth_token = k->token.auth,
				  .changes = k->changes };
	unsigned int minor;
	int r;

	r = rest_keep_hold(k->r, k->c, k->began, e);
	if (r < 0)
		return r;
	if (wants_sign_of_life(k))
		rest_session_forget_version(k->r);
	r = get_session(k, &minor, e);
	if (r < 0)
		return r;
	buf_addf(&path, "/api/2.%u/%s", minor, k->q->path);
	a.path = buf_str(&path);
	return rest_http(k->r, k->c, &a, heard, e);
}

/* --- what to do about an answer -------------------------------------------------------------- */

enum next { FINISHED, AGAIN };

static enum next after_refused_token(struct calling *k)
{
	/* 401 says that nothing was done, so that even a POST may be sent again. */
	k->refused = true;
	return k->logins++ < LOGINS_MAX ? AGAIN : FINISHED;
}

static enum next after_busy(struct calling *k, const struct rest_heard *h)
{
	/* In front of the array's own program a 503 can come after the request went through. */
	if (k->changes && h->http.status != 429)
		k->doubtful = true;
	return rest_wait_busy(k->r, k->c, k->began, &h->http, k->busy++) ? AGAIN : FINISHED;
}

/* Not reached, or no answer to a question. What took long is tried once more, as a kept connection
 * may be dead, but not where another array can be asked instead. */
static enum next after_lost(struct calling *k, int64_t took_ms)
{
	int64_t half = k->c->patience_ms / 2;
	bool quick = took_ms <= (half && half < QUICK_MS ? half : QUICK_MS);

	if (!quick && (k->lost || k->c->patience_ms))
		return FINISHED;
	if (k->c->enough && k->c->enough(k->c->enough_arg, took_ms))
		return FINISHED;
	if (k->lost++ < LOST_MAX)
		return rest_pause(k->c, LOST_PAUSE_MS << k->lost) ? AGAIN : FINISHED;
	/* Nobody is there each time: each question would be tried as often. */
	if (k->c->enough)
		k->r->silent_until = rest_now_ms() + REST_SILENT_MS;
	return FINISHED;
}

static enum next decide(struct calling *k, int r, const struct rest_heard *h, int64_t took_ms)
{
	long status = h->http.status;

	if (status == 404)
		rest_session_forget_version(k->r);
	if (r == -EKEYREJECTED && status == 401)
		return after_refused_token(k);
	if (r == -EAGAIN && status)
		return after_busy(k, h);
	if (r == -EHOSTUNREACH || (r == -EINPROGRESS && !k->changes))
		return after_lost(k, took_ms);
	return FINISHED;
}

static int read_answer(struct calling *k, struct rest_heard *h, struct rest_reply *ret,
		       struct err *e)
{
	json_t *doc = NULL;
	struct err why = {};
	int parsed = 0, r;

	if (h->http.body.len)
		parsed = json_parse_bulk(buf_slice(&h->http.body), "answer", &doc, &why);
	r = rest_judge(h->http.status, doc, &why);
	if (r < 0)
		(void)err_set(e, r, "%s: %s: %s", k->r->url, k->q->what, why.text);
	/* A change was made whatever its answer looks like; who needs that reads again. */
	if (r == 0 && !k->changes && (parsed < 0 || !json_is_object(doc)))
		r = err_set(e, -EPROTO, "%s: %s: no FlashArray's answer", k->r->url, k->q->what);
	if (r < 0) {
		json_decref(doc);
		return r;
	}
	ret->doc = doc;
	ret->next = h->next;
	h->next = (struct buf){};
	return 0;
}

/* What a caller may conclude from how it ended. */
static int conclude(const struct calling *k, int r, struct rest_reply *ret)
{
	ret->doubtful = r < 0 && k->doubtful;
	if (r == -EINPROGRESS && !k->changes)
		return -EHOSTUNREACH;
	if (k->doubtful && (r == -EHOSTUNREACH || r == -EAGAIN))
		return -EINPROGRESS;
	return r;
}

int rest_call(struct rest *r, const struct fa_call *c, const struct rest_request *q,
	      struct rest_reply *ret, struct err *e)
{
	struct calling k = { .r = r,
			     .c = c,
			     .q = q,
			     .changes = strcmp(q->method, "GET") != 0,
			     .began = rest_now_ms() };
	enum next next;
	int code;

	do {
		CLEANUP(rest_heard_done) struct rest_heard heard = {};
		int64_t began = rest_now_ms();

		code = attempt(&k, &heard, e);
		ret->timed_out = heard.timed_out;
		if (code == 0)
			code = read_answer(&k, &heard, ret, e);
		next = code < 0 ? decide(&k, code, &heard, rest_now_ms() - began) : FINISHED;
		/* Without time for another one, this answer is what is known. */
	} while (next == AGAIN && rest_has_time(c, k.changes));
	explicit_bzero(&k.token, sizeof(k.token));
	return conclude(&k, code, ret);
}
