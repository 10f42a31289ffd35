/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/state.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>

#include "pve/published.h"
#include "util/cli.h"
#include "util/json.h"
#include "util/str.h"

#define START "systemctl start pvewarden-agent"

enum { SIZE_LIMIT = 4 * 1024 * 1024 };

void agent_state_done(struct agent_state *s)
{
	buf_done(&s->text);
	arena_done(&s->arena);
}

/* --- members --------------------------------------------------------------------------------- */

static bool truth_of(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

/* --- the document ---------------------------------------------------------------------------- */

static void take_collection(struct agent_state *s, const json_t *v)
{
	s->collection.last = json_time(v, "last");
	s->collection.count = json_number(v, "count");
	s->collection.unanswered = json_number(v, "unanswered");
	s->collection.guests = json_number(v, "guests");
	s->collection.ms = json_number(v, "ms");
	s->collection.stuck = json_number(v, "stuck");
	s->collection.hangs = truth_of(v, "pmxcfs_hangs");
	s->collection.problem = json_text(v, "problem", &s->arena);
}

static void take_reasons(struct agent_state *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		struct agent_state_reason *r = &s->reasons[s->n_reasons];

		if (s->n_reasons == AGENT_STATE_REASONS)
			return;
		r->at = json_time(row, "at");
		r->why = json_text(row, "why", &s->arena);
		s->n_reasons += r->why != NULL;
	}
}

static void take_spool(struct agent_state *s, const json_t *v, const json_t *parked)
{
	s->spool.documents = json_number(v, "documents");
	s->spool.bytes = json_number(v, "bytes");
	s->spool.max = json_number(v, "max_bytes");
	s->spool.dropped = json_number(v, "dropped");
	s->spool.parked = json_number(v, "parked");
	s->spool.damaged = json_number(v, "damaged");
	s->spool.unkept = json_number(v, "unkept");
	s->spool.problem = json_text(v, "problem", &s->arena);
	s->parked_objects = json_number(parked, "objects");
	take_reasons(s, json_arr(v, "reasons"));
	take_reasons(s, json_arr(parked, "reasons"));
}

static bool take_server(struct agent_state_server *v, const json_t *row, struct arena *a)
{
	const json_t *token = json_obj(row, "token");

	*v = (struct agent_state_server){ .name = json_text(row, "name", a),
					  .url = json_text(row, "url", a),
					  .problem = json_text(row, "problem", a),
					  .interval = json_number(row, "interval"),
					  .delivered = json_number(row, "delivered"),
					  .refused = json_number(row, "refused"),
					  .waiting = json_number(row, "waiting"),
					  .failures = json_number(token, "failures"),
					  .since = json_time(row, "since"),
					  .last_delivery = json_time(row, "last_delivery"),
					  .last_try = json_time(row, "last_try"),
					  .next_try = json_time(row, "next_try"),
					  .token = truth_of(token, "there"),
					  .ready = truth_of(token, "ready"),
					  .given_up = truth_of(token, "given_up"),
					  .revoked = truth_of(token, "revoked"),
					  .got = json_time(token, "got_at"),
					  .expires = json_time(token, "expires_at"),
					  .refresh_expires =
						  json_time(token, "refresh_expires_at") };
	return v->name && v->url && v->interval && v->since;
}

static bool take_servers(struct agent_state *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (s->n_servers == AGENT_STATE_SERVERS ||
		    !take_server(&s->servers[s->n_servers], row, &s->arena))
			return false;
		s->n_servers++;
	}
	return rows != NULL;
}

static const char *interpret(struct agent_state *s, const json_t *doc, int64_t now)
{
	const char *schema = json_str(doc, "schema");

	s->time = json_time(doc, "time");
	if (!schema || strcmp(schema, AGENT_STATE_SCHEMA) != 0 || !s->time ||
	    !take_servers(s, json_arr(doc, "servers")))
		return "/" AGENT_STATE_PATH " is no " AGENT_STATE_SCHEMA " document";
	s->age = now > s->time ? now - s->time : 0;
	s->started = json_time(doc, "started");
	s->node = json_text(doc, "node", &s->arena);
	s->cluster = json_text(doc, "cluster", &s->arena);
	s->reporter = json_text(doc, "reporter", &s->arena);
	s->pid = json_number(doc, "pid");
	s->no_proxmox = json_is_false(json_object_get(doc, "proxmox"));
	take_collection(s, json_obj(doc, "collection"));
	take_spool(s, json_obj(doc, "spool"), json_obj(doc, "parked"));
	if (s->age > AGENT_STATE_MAX_AGE || s->time > now + AGENT_STATE_MAX_AGE)
		return "/" AGENT_STATE_PATH " is older than a minute, or of a time to come: is the "
		       "agent at work? (systemctl status pvewarden-agent; " START ")";
	return NULL;
}

void agent_state_parse(struct agent_state *ret, struct slice text, int64_t now)
{
	json_t *doc = NULL;

	*ret = (struct agent_state){ .age = -1 };
	buf_add(&ret->text, text.p, text.n);
	if (json_parse(buf_slice(&ret->text), AGENT_STATE_PATH, &doc, NULL) < 0)
		ret->absent = "/" AGENT_STATE_PATH " is not valid JSON";
	else
		ret->absent = interpret(ret, doc, now);
	json_decref(doc);
}

/* The agent's own user, 0 where there is none. */
static uid_t own_user(const struct root *r)
{
	const struct passwd *user = r->live ? getpwnam("pvewarden-agent") : NULL;

	return user ? user->pw_uid : 0;
}

static const char *load(const struct root *r, struct buf *text)
{
	int got = published_read(r, AGENT_STATE_PATH, own_user(r), SIZE_LIMIT, text, NULL);

	if (got == -ENOENT)
		return "the agent does not run on this node: " START;
	if (got == -EACCES)
		return "/" AGENT_STATE_PATH " is for root and group www-data to read";
	if (got < 0)
		return "/" AGENT_STATE_PATH " is not a regular file of the agent's";
	return NULL;
}

void agent_state_read(struct agent_state *ret, const struct root *root, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};
	const char *absent = load(root, &text);

	if (absent) {
		*ret = (struct agent_state){ .absent = absent, .age = -1 };
		return;
	}
	agent_state_parse(ret, buf_slice(&text), now);
	if (!ret->absent && root->live && ret->pid > 1 && ret->pid <= INT32_MAX &&
	    kill((pid_t)ret->pid, 0) < 0 && errno == ESRCH)
		ret->absent = "the agent has ended: " START;
}

/* --- what it amounts to ---------------------------------------------------------------------- */

/* A time to come is one of a clock that was set back: it says nothing. */
static int64_t past(int64_t t, int64_t now)
{
	return t <= now + AGENT_STATE_MAX_AGE ? t : 0;
}

int agent_state_server_exit(const struct agent_state_server *v, int64_t now)
{
	int64_t delivered = past(v->last_delivery, now), since = past(v->since, now);
	int64_t last = delivered > since ? delivered : since;
	int64_t silent = now > last ? now - last : 0, interval = (int64_t)v->interval;

	if (!v->token || v->given_up || v->revoked || silent >= AGENT_SILENT_INTERVALS * interval)
		return CLI_CRITICAL;
	return silent >= AGENT_LATE_INTERVALS * interval ? CLI_WARNING : CLI_OK;
}

static bool parked_lately(const struct agent_state *s, int64_t now)
{
	for (size_t i = 0; i < s->n_reasons; i++)
		if (s->reasons[i].at && now - s->reasons[i].at < AGENT_PARKED_S)
			return true;
	return false;
}

int agent_state_exit(const struct agent_state *s, int64_t now)
{
	bool wrong = s->spool.problem || s->collection.problem || s->collection.hangs ||
		     s->n_servers == 0 || parked_lately(s, now);
	int status = wrong ? CLI_WARNING : CLI_OK;

	if (s->absent)
		return CLI_UNKNOWN;
	for (size_t i = 0; i < s->n_servers; i++) {
		int of = agent_state_server_exit(&s->servers[i], now);

		/* Without Proxmox nothing is sent, and nothing is late. */
		if (s->no_proxmox && s->servers[i].token && !s->servers[i].given_up)
			continue;
		if (of > status)
			status = of;
	}
	return s->no_proxmox && status != CLI_CRITICAL ? CLI_UNKNOWN : status;
}
