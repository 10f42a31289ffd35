/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "http.h"
#include "sim.h"

/*
 * The port of who tests: plain HTTP and JSON.
 *
 *   GET    /state      everything there is
 *   GET    /counters   {"fa1":{"requests","logins","refused","sessions","lines",
 *                      "calls":{"GET volumes":n}}}; lines: TCP connections that asked something
 *   DELETE /counters   from 0 again
 *   POST   /make       objects and settings: see sim_make()
 *   POST   /set        {"array","config":{..}} or {"array","volume","used"} or
 *                      {"pod","array","status"}
 *   POST   /rest       {"array","method","path","args":{},"body":..}: a request without a session
 *   POST   /fault      what goes wrong: see sim_fault_parse()
 *   DELETE /fault      nothing does any more
 *   POST   /down       {"array"}: its port is closed, who waits is cut off
 *   POST   /up         {"array","forget_sessions"?}: with it as after a restart: 401 for everybody
 *   POST   /expire     {"array"?}: all sessions are forgotten
 *   POST   /clock      {"forward_ms"}
 */

struct ask {
	struct sim *s;
	const json_t *body;
	struct sim_array *array; /* of {"array"}; NULL: not named */
	json_t *reply;
	struct err e;
};

static int get_state(struct ask *a)
{
	a->reply = sim_dump(a->s);
	return 0;
}

static int get_counters(struct ask *a)
{
	a->reply = json_object();
	for (unsigned int i = 0; i < a->s->n_arrays; i++) {
		const struct sim_array *x = &a->s->arrays[i];

		json_object_set_new(
			a->reply, x->name,
			json_pack("{s:I, s:I, s:I, s:i, s:I, s:O}", "requests",
				  (json_int_t)x->requests, "logins", (json_int_t)x->logins,
				  "refused", (json_int_t)x->refused, "sessions", (int)x->sessions.n,
				  "lines", (json_int_t)x->lines, "calls", x->counters));
	}
	return 0;
}

static int delete_counters(struct ask *a)
{
	for (unsigned int i = 0; i < a->s->n_arrays; i++) {
		struct sim_array *x = &a->s->arrays[i];

		json_object_clear(x->counters);
		x->requests = x->logins = x->refused = x->lines = 0;
	}
	return 0;
}

/* An object, or several in a list. */
static int make(struct ask *a)
{
	int r = 0;

	if (!json_is_array(a->body))
		return sim_make(a->s, a->body, &a->e);
	for (size_t i = 0; i < json_array_size(a->body) && r == 0; i++)
		r = sim_make(a->s, json_array_get(a->body, i), &a->e);
	return r;
}

static int set_pod(struct ask *a, const char *name)
{
	struct sim_pod *p = sim_pod_find(a->array, name);
	const json_t *safemode = json_object_get(a->body, "safemode");
	const char *status = json_str(a->body, "status");

	if (!p)
		return err_set(&a->e, -ENOENT, "no pod %s", name);
	if (safemode)
		p->safemode = json_is_true(safemode);
	if (status)
		(void)snprintf(p->status[a->array->index], sizeof(p->status[0]), "%s", status);
	return 0;
}

static int set(struct ask *a)
{
	const char *volume = json_str(a->body, "volume"), *pod = json_str(a->body, "pod");
	struct sim_volume *v;

	if (!a->array)
		return err_set(&a->e, -EINVAL, "which array?");
	if (pod)
		return set_pod(a, pod);
	if (!volume)
		return sim_configure(a->array, json_obj(a->body, "config"), &a->e);
	v = sim_volume_find(a->array, volume);
	if (!v)
		return err_set(&a->e, -ENOENT, "no volume %s", volume);
	(void)json_u64(a->body, "used", &v->used);
	return 0;
}

static int call_rest(struct ask *a)
{
	const char *method = json_str(a->body, "method"), *path = json_str(a->body, "path");
	const char *key;
	struct sim_request r = { .sim = a->s,
				 .array = a->array ? a->array : &a->s->arrays[0],
				 .method = method,
				 .path = path,
				 .minor = a->s->versions[a->s->n_versions - 1],
				 .trusted = true };
	json_t *args = json_obj(a->body, "args"), *value;

	if (!method || !path)
		return err_set(&a->e, -EINVAL, "method and path are needed");
	json_object_foreach(args, key, value)
		sim_request_arg(&r, key, json_is_string(value) ? json_string_value(value) : "");
	r.body = json_incref(json_object_get(a->body, "body"));
	sim_rest(&r);
	a->reply = json_pack("{s:i, s:O?}", "status", r.status, "reply", r.reply);
	sim_request_done(&r);
	return 0;
}

static int add_fault(struct ask *a)
{
	struct sim_fault f;
	int r = sim_fault_parse(a->s, a->body, &f, &a->e);

	if (r == 0)
		*vec_push(&a->s->faults) = f;
	return r;
}

static int delete_faults(struct ask *a)
{
	a->s->faults.n = 0;
	return 0;
}

/* The lock is given back meanwhile: who is being answered needs it to come to an end. */
static int take_down(struct ask *a)
{
	if (!a->array || a->array->down)
		return err_set(&a->e, -EINVAL, "no such array that is up");
	a->array->down = true;
	pthread_cond_broadcast(&a->s->changed);
	pthread_mutex_unlock(&a->s->lock);
	sim_door_close(a->array);
	pthread_mutex_lock(&a->s->lock);
	return 0;
}

static int bring_up(struct ask *a)
{
	int r;

	if (!a->array || !a->array->down)
		return err_set(&a->e, -EINVAL, "no such array that is down");
	a->array->down = false;
	if (json_is_true(json_object_get(a->body, "forget_sessions")))
		a->array->sessions.n = 0;
	r = sim_door_open(a->array, &a->e);
	if (r < 0)
		a->array->down = true;
	return r;
}

static int expire(struct ask *a)
{
	for (unsigned int i = 0; i < a->s->n_arrays; i++)
		if (!a->array || a->array == &a->s->arrays[i])
			a->s->arrays[i].sessions.n = 0;
	return 0;
}

static int move_clock(struct ask *a)
{
	int64_t ms = 0;

	(void)json_i64(a->body, "forward_ms", &ms);
	a->s->shift += ms;
	sim_expire(a->s);
	return 0;
}

static const struct {
	const char *method, *url;
	int (*handle)(struct ask *a);
} CALLS[] = {
	{ "GET", "/state", get_state },
	{ "GET", "/counters", get_counters },
	{ "DELETE", "/counters", delete_counters },
	{ "POST", "/make", make },
	{ "POST", "/set", set },
	{ "POST", "/rest", call_rest },
	{ "POST", "/fault", add_fault },
	{ "DELETE", "/fault", delete_faults },
	{ "POST", "/down", take_down },
	{ "POST", "/up", bring_up },
	{ "POST", "/expire", expire },
	{ "POST", "/clock", move_clock },
};

static int find_array(struct ask *a)
{
	const char *array = json_str(a->body, "array");

	if (!array)
		return 0;
	a->array = sim_array_find(a->s, array);
	return a->array ? 0 : err_set(&a->e, -ENOENT, "no array %s", array);
}

static int run(struct ask *a, const char *method, const char *url)
{
	for (size_t i = 0; i < ARRAY_SIZE(CALLS); i++) {
		if (strcmp(CALLS[i].method, method) == 0 && strcmp(CALLS[i].url, url) == 0) {
			int r = find_array(a);

			return r < 0 ? r : CALLS[i].handle(a);
		}
	}
	return err_set(&a->e, -ENOENT, "no %s %s here", method, url);
}

static void on_ask(void *arg, struct http_exchange *x)
{
	struct ask a = { .s = arg };
	json_t *body = NULL;
	char *text;
	int r = 0;

	if (x->body.len)
		r = json_parse(buf_slice(&x->body), "the body", &body, &a.e);
	a.body = body;
	pthread_mutex_lock(&a.s->lock);
	if (r == 0)
		r = run(&a, x->method, x->url);
	if (r < 0)
		a.reply = json_pack("{s:s}", "error", a.e.text);
	text = a.reply ? json_dumps(a.reply, JSON_COMPACT) : xstrdup("{}");
	json_decref(a.reply);
	pthread_mutex_unlock(&a.s->lock);
	x->status = r < 0 ? 400 : 200;
	buf_adds(&x->reply, text);
	free(text);
	json_decref(body);
}

int sim_control_start(struct sim *s, int *port, struct http_server **ret, struct err *e)
{
	return http_start(port, NULL, NULL, on_ask, s, ret, e);
}
