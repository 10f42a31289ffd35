/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#include "sim.h"

static const struct {
	const char *path, *methods;
	void (*handle)(struct sim_request *r);
	unsigned int since; /* x of the first 2.x that has it */
} ROUTES[] = {
	{ "volumes", "GET POST PATCH DELETE", rest_volumes, 0 },
	{ "volumes/space", "GET", rest_volume_space, 0 },
	{ "volumes/tags", "GET DELETE", rest_tags, 2 },
	{ "volumes/tags/batch", "PUT", rest_tags_batch, 2 },
	{ "volume-snapshots", "GET POST PATCH DELETE", rest_snapshots, 0 },
	{ "connections", "GET POST DELETE", rest_connections, 0 },
	{ "hosts", "GET POST PATCH DELETE", rest_hosts, 0 },
	{ "host-groups", "GET POST PATCH DELETE", rest_hgroups, 0 },
	{ "host-groups/hosts", "GET POST DELETE", rest_hgroup_hosts, 0 },
	{ "pods", "GET POST PATCH DELETE", rest_pods, 0 },
	{ "pods/arrays", "GET POST DELETE", rest_pod_arrays, 0 },
	{ "volume-groups", "GET POST PATCH DELETE", rest_vgroups, 0 },
	{ "volume-groups/volumes", "GET", rest_vgroup_volumes, 0 },
	{ "arrays", "GET", rest_arrays, 0 },
	{ "arrays/space", "GET", rest_arrays_space, 0 },
	{ "ports", "GET", rest_ports, 0 },
	{ "controllers", "GET", rest_controllers, 0 },
};

const char *sim_arg(const struct sim_request *r, const char *key)
{
	vec_each (arg, &r->args)
		if (strcmp(arg->key, key) == 0)
			return arg->value;
	return NULL;
}

bool sim_flag(const struct sim_request *r, const char *key)
{
	const char *value = sim_arg(r, key);

	return value && strcasecmp(value, "true") == 0;
}

struct sim_names sim_list(const struct sim_request *r, const char *key, bool *there)
{
	struct sim_names ret = {};
	const char *value = sim_arg(r, key), *comma;

	*there = value != NULL;
	for (; value && *value; value = *comma ? comma + 1 : comma) {
		comma = strchrnul(value, ',');
		*vec_push(&ret.list) = strndup(value, (size_t)(comma - value));
	}
	return ret;
}

bool sim_is(const struct sim_request *r, const char *method)
{
	return strcmp(r->method, method) == 0;
}

void sim_request_arg(struct sim_request *r, const char *key, const char *value)
{
	*vec_push(&r->args) = (struct sim_arg){ xstrdup(key), xstrdup(value) };
}

void sim_request_done(struct sim_request *r)
{
	vec_each (arg, &r->args) {
		free(arg->key);
		free(arg->value);
	}
	vec_free(&r->args);
	json_decref(r->reply);
	json_decref(r->body);
}

void sim_error(struct sim_request *r, int status, const char *context, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!r->spoilt) {
		json_decref(r->reply);
		r->reply = json_pack("{s:[]}", "errors");
		r->status = status;
		r->spoilt = true;
	}
	json_array_append_new(json_object_get(r->reply, "errors"),
			      json_pack("{s:s?, s:s}", "context", context, "message", text));
}

void sim_reply_items(struct sim_request *r, json_t *items)
{
	if (r->spoilt) {
		json_decref(items);
		return;
	}
	r->reply = json_pack("{s:o}", "items", items);
	r->status = 200;
}

/* Never the same in two runs: what a client kept of the last one is not valid in this one. */
static void draw_token(char ret[static 40])
{
	uint64_t room[2];

	if (getrandom(room, sizeof(room), 0) != sizeof(room))
		abort();
	(void)snprintf(ret, 40, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned int)(room[0] >> 32),
		       (unsigned int)(room[0] >> 16 & 0xffff), (unsigned int)(room[0] & 0xffff),
		       (unsigned int)(room[1] >> 48), room[1] & 0xffffffffffff);
}

static void login(struct sim_request *r)
{
	struct sim_array *a = r->array;
	struct sim_session *session;

	a->logins++;
	if (!r->api_token || strcmp(r->api_token, a->api_token) != 0) {
		sim_error(r, 401, NULL, "API token is invalid.");
		return;
	}
	session = vec_push(&a->sessions);
	draw_token(session->token);
	session->used = sim_now(r->sim);
	memcpy(r->token, session->token, sizeof(r->token));
	sim_reply_items(r, json_pack("[{s:s}]", "username", a->user));
}

/* The caller's session, its idle time beginning anew. */
static struct sim_session *session_of(struct sim_request *r)
{
	struct sim_array *a = r->array;
	int64_t now = sim_now(r->sim);

	vec_each (session, &a->sessions) {
		if (!r->session || strcmp(session->token, r->session) != 0)
			continue;
		if (a->idle_timeout && now - session->used >= a->idle_timeout)
			return NULL;
		session->used = now;
		return session;
	}
	return NULL;
}

static void logout(struct sim_request *r)
{
	struct sim_session *session = session_of(r);

	if (session)
		*session = r->array->sessions.items[--r->array->sessions.n];
	r->status = 200;
}

static void invalid_session(struct sim_request *r)
{
	r->array->refused++;
	sim_error(r, 401, NULL, "Invalid session.");
	json_object_set_new(json_array_get(json_object_get(r->reply, "errors"), 0),
			    "location_context",
			    json_pack("{s:s, s:s, s:n}", "name", r->array->name, "resource_type",
				      "remote-arrays", "id"));
}

static void dispatch(struct sim_request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++) {
		if (strcmp(ROUTES[i].path, r->path) != 0 || ROUTES[i].since > r->minor)
			continue;
		if (!strstr(ROUTES[i].methods, r->method))
			sim_error(r, 405, NULL, "Method not allowed.");
		else if (sim_since_parameters(r))
			ROUTES[i].handle(r);
		sim_since_members(r);
		return;
	}
	sim_error(r, 404, NULL, "The requested resource does not exist.");
}

void sim_count(struct sim_array *a, const char *method, const char *path)
{
	char key[96];
	json_int_t n;

	(void)snprintf(key, sizeof(key), "%s %s", method, path);
	n = json_integer_value(json_object_get(a->counters, key));
	json_object_set_new(a->counters, key, json_integer(n + 1));
	a->requests++;
}

void sim_rest(struct sim_request *r)
{
	sim_expire(r->sim);
	if (!r->trusted)
		sim_count(r->array, r->method, r->path);
	if (strcmp(r->path, "login") == 0 && sim_is(r, "POST"))
		login(r);
	else if (!r->trusted && !session_of(r))
		invalid_session(r);
	else if (strcmp(r->path, "logout") == 0 && sim_is(r, "POST"))
		logout(r);
	else
		dispatch(r);
	if (!r->status)
		r->status = 200;
}

int64_t sim_pending(const struct sim_array *a, const struct sim_pod *p)
{
	bool safe = a->safemode || (p && p->safemode);

	return sim_now(a->sim) + (safe ? a->disabled_delay : a->enabled_delay);
}

bool sim_may_eradicate(struct sim_request *r, const struct sim_pod *p, const char *name)
{
	if (!r->array->safemode && !(p && p->safemode))
		return true;
	sim_error(r, 400, name, "Eradication is disabled.");
	return false;
}

static bool limit_from(struct sim_request *r, const char *name, const char *key, uint64_t low,
		       uint64_t high, uint64_t *ret)
{
	const json_t *qos = json_obj(r->body, "qos");
	const json_t *value = json_object_get(qos, key);

	if (!value)
		return true;
	if (json_is_null(value)) {
		*ret = 0;
		return true;
	}
	if (json_is_integer(value) && json_integer_value(value) >= (json_int_t)low &&
	    json_integer_value(value) <= (json_int_t)high) {
		*ret = (uint64_t)json_integer_value(value);
		return true;
	}
	sim_error(r, 400, name, "Invalid %s: must be between %" PRIu64 " and %" PRIu64 ".", key,
		  low, high);
	return false;
}

bool sim_qos_from(struct sim_request *r, const char *name, struct sim_qos *ret)
{
	return limit_from(r, name, "bandwidth_limit", 1 << 20, 512ull << 30, &ret->bandwidth) &&
	       limit_from(r, name, "iops_limit", 100, 100000000, &ret->iops);
}
