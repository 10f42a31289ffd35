/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "http.h"
#include "sim.h"

/* Waits, with the lock held, unless the array goes down meanwhile. */
static void rest_a_while(struct sim_array *a, int64_t ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!a->down && !a->sim->ending &&
	       pthread_cond_clockwait(&a->sim->changed, &a->sim->lock, CLOCK_MONOTONIC, &until) !=
		       ETIMEDOUT)
		;
}

static void take_arg(void *arg, const char *key, const char *value)
{
	sim_request_arg(arg, key, value);
}

/* Whatever the reply is, it becomes text. */
static void say(struct http_exchange *x, int status, const json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

	x->status = (unsigned int)status;
	if (text)
		buf_adds(&x->reply, text);
	free(text);
}

static void say_versions(struct sim *s, struct http_exchange *x)
{
	json_t *list = json_array(), *reply;

	for (unsigned int i = 0; i < s->n_versions; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "2.%u", s->versions[i]);
		json_array_append_new(list, json_string(text));
	}
	reply = json_pack("{s:o}", "version", list);
	say(x, 200, reply);
	json_decref(reply);
}

static bool speaks(const struct sim *s, unsigned int minor)
{
	for (unsigned int i = 0; i < s->n_versions; i++)
		if (s->versions[i] == minor)
			return true;
	return false;
}

/* "/api/2.26/volumes" into 26 and "volumes". */
static const char *path_of(const char *url, unsigned int *minor)
{
	int at = 0;

	*minor = 0;
	if (strcmp(url, "/api/api_version") == 0)
		return "api_version";
	if (sscanf(url, "/api/2.%u/%n", minor, &at) == 1 && at > 0)
		return url + at;
	return "";
}

static void say_error(struct http_exchange *x, int status, const char *text)
{
	json_t *reply = json_pack("{s:[{s:n, s:s}]}", "errors", "context", "message", text);

	say(x, status, reply);
	json_decref(reply);
}

static void execute(struct sim_array *a, struct http_exchange *x, const char *path,
		    unsigned int minor)
{
	struct sim_request r = { .sim = a->sim,
				 .array = a,
				 .method = x->method,
				 .path = path,
				 .minor = minor,
				 .api_token = http_header(x, "api-token"),
				 .session = http_header(x, "x-auth-token") };

	http_args(x, take_arg, &r);
	if (x->body.len && json_parse(buf_slice(&x->body), "the body", &r.body, NULL) < 0)
		sim_error(&r, 400, NULL, "Invalid JSON in request body.");
	else
		sim_rest(&r);
	say(x, r.status, r.reply);
	if (r.token[0])
		http_add_header(x, "x-auth-token", r.token);
	if (r.next[0])
		http_add_header(x, "x-next-token", r.next);
	sim_request_done(&r);
}

static void answer(struct sim_array *a, struct http_exchange *x, const char *path,
		   unsigned int minor)
{
	const char *id = http_header(x, "x-request-id");

	if (id)
		http_add_header(x, "X-Request-ID", id);
	if (strcmp(path, "api_version") == 0) {
		sim_count(a, x->method, path);
		say_versions(a->sim, x);
	} else if (!*path || !speaks(a->sim, minor)) {
		say_error(x, 404, "The requested API version does not exist.");
	} else {
		execute(a, x, path, minor);
	}
}

static const char *default_text(int status)
{
	switch (status) {
	case 401:
		return "Invalid session.";
	case 403:
		return "Operation not permitted.";
	case 429:
		return "Too many requests.";
	case 500:
		return "Internal error.";
	default:
		return "Service unavailable.";
	}
}

static bool executes(enum sim_fault_kind kind)
{
	return kind != FAULT_STATUS && kind != FAULT_DROP && kind != FAULT_RESET &&
	       kind != FAULT_HANG;
}

static void garbage(struct http_exchange *x, const struct sim_fault *f)
{
	buf_reset(&x->reply);
	buf_adds(&x->reply, f->text[0] ? f->text : "<html><body>It works!</body></html>");
	x->type = "text/html";
	x->n_headers = 0;
}

static void spoil(struct sim_array *a, struct http_exchange *x, const struct sim_fault *f)
{
	static const enum http_end END[FAULT_KINDS] = {
		[FAULT_DROP] = HTTP_CLOSE,
		[FAULT_DROP_AFTER] = HTTP_CLOSE,
		[FAULT_RESET] = HTTP_RESET,
		[FAULT_RESET_AFTER] = HTTP_RESET,
		[FAULT_HANG] = HTTP_CLOSE,
		[FAULT_HANG_AFTER] = HTTP_CLOSE,
		[FAULT_TRUNCATED] = HTTP_TRUNCATED,
		[FAULT_STALE] = HTTP_STALE,
		[FAULT_HALF_CLOSED] = HTTP_HALF_CLOSED,
	};

	x->end = END[f->kind];
	if (f->kind == FAULT_HANG || f->kind == FAULT_HANG_AFTER)
		rest_a_while(a, f->ms);
	if (f->kind == FAULT_GARBAGE)
		garbage(x, f);
	if (f->kind != FAULT_STATUS)
		return;
	say_error(x, f->status, f->text[0] ? f->text : default_text(f->status));
	if (f->retry_after[0])
		http_add_header(x, "Retry-After", f->retry_after);
}

static void on_call(void *arg, struct http_exchange *x)
{
	struct sim_array *a = arg;
	struct sim_fault fault;
	unsigned int minor;
	const char *path = path_of(x->url, &minor);
	int64_t latency;
	bool spoilt;

	pthread_mutex_lock(&a->sim->lock);
	a->lines += x->first;
	spoilt = sim_fault_take(a->sim, a, x->method, path, &fault, &latency);
	if (latency)
		rest_a_while(a, latency);
	if (a->down)
		x->end = HTTP_CLOSE;
	else if (!spoilt || executes(fault.kind))
		answer(a, x, path, minor);
	if (spoilt && !a->down)
		spoil(a, x, &fault);
	pthread_mutex_unlock(&a->sim->lock);
}

int sim_door_open(struct sim_array *a, struct err *e)
{
	return http_start(&a->port, a->sim->cert, a->sim->key, on_call, a, &a->door, e);
}

void sim_door_close(struct sim_array *a)
{
	http_stop(a->door);
	a->door = NULL;
}
