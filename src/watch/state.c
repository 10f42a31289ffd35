/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/state.h"

#include <errno.h>
#include <math.h>
#include <signal.h>

#include "pve/guest.h"
#include "pve/published.h"
#include "util/cli.h"
#include "util/json.h"
#include "util/str.h"
#include "watch/probe.h"

#define START "systemctl start pvewarden-watch"

enum { SIZE_LIMIT = 16 * 1024 * 1024 };

void watch_state_done(struct watch_document *s)
{
	buf_done(&s->text);
	arena_done(&s->arena);
}

/* --- members ------------------------------------------------------------------------------- */

static bool vmid_of(const json_t *obj, uint32_t *ret)
{
	uint64_t n;

	if (!json_u64(obj, "vmid", &n) || (n && (n < VMID_MIN || n > VMID_MAX)))
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* --- the document -------------------------------------------------------------------------- */

static void take_maintenance(struct watch_document *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	s->maintenance = arena_alloc(&s->arena, json_array_size(rows) * sizeof(*s->maintenance));
	json_array_foreach(rows, i, row)
	{
		struct watch_state_switch *m = &s->maintenance[s->n_maintenance];
		const char *scope = json_str(row, "scope");

		if (!vmid_of(row, &m->vmid))
			continue;
		m->cluster = scope && strcmp(scope, "cluster") == 0;
		m->since = json_time(row, "since");
		m->until = json_time(row, "until");
		m->by = json_text(row, "by", &s->arena);
		s->n_maintenance++;
	}
}

static void take_probes(struct watch_state_guest *g, const json_t *rows, struct arena *a)
{
	json_t *row;
	size_t i;

	if (json_array_size(rows) > PROBE_TARGETS_MAX)
		return;
	g->probes = arena_alloc(a, json_array_size(rows) * sizeof(*g->probes));
	json_array_foreach(rows, i, row)
	{
		struct watch_state_probe *p = &g->probes[g->n_probes];
		uint64_t port = json_number(row, "port");
		double ms = json_number_value(json_object_get(row, "ms"));

		p->kind = json_text(row, "kind", a);
		p->result = json_text(row, "result", a);
		if (!p->kind || !p->result)
			continue;
		p->why = json_text(row, "why", a);
		p->port = port <= 65535 ? (uint32_t)port : 0;
		p->ms = isfinite(ms) && ms > 0 ? ms : 0;
		g->n_probes++;
	}
}

static void take_stats(struct watch_state_guest *g, const json_t *v)
{
	g->stats.since = json_time(v, "since");
	g->stats.checks = json_number(v, "checks");
	g->stats.failed = json_number(v, "failed");
	g->stats.restarts = json_number(v, "restarts");
	g->stats.scheduled_restarts = json_number(v, "scheduled_restarts");
	g->stats.alerts = json_number(v, "alerts");
	g->stats.up = json_number(v, "up_seconds");
	g->stats.down = json_number(v, "down_seconds");
	g->stats.longest_outage = json_number(v, "longest_outage");
}

static bool take_guest(struct watch_state_guest *g, const json_t *row, struct arena *a)
{
	const json_t *budget = json_obj(row, "budget");

	*g = (struct watch_state_guest){ .uptime = -1 };
	g->state = json_text(row, "state", a);
	if (!vmid_of(row, &g->vmid) || !g->vmid || !g->state)
		return false;
	g->phase = watch_state_of(g->state);
	g->type = json_text(row, "type", a);
	g->name = json_text(row, "name", a);
	g->held = json_text(row, "held", a);
	g->qmp = json_text(row, "qmp", a);
	g->since = json_time(row, "since");
	if (!json_i64(row, "uptime", &g->uptime) || g->uptime < 0)
		g->uptime = -1;
	g->last_probe = json_time(row, "last_probe");
	g->next_check = json_time(row, "next_check");
	take_probes(g, json_arr(row, "probes"), a);
	g->budget.left = json_number(budget, "left");
	g->budget.of = json_number(budget, "of");
	g->budget.window = json_number(budget, "window");
	take_stats(g, json_obj(row, "stats"));
	return true;
}

static int by_vmid(const void *a, const void *b)
{
	const struct watch_state_guest *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

/* A guest that cannot be understood is not left out: then nothing can be told of the whole. */
static bool take_guests(struct watch_document *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	s->guests = arena_alloc(&s->arena, json_array_size(rows) * sizeof(*s->guests));
	json_array_foreach(rows, i, row)
	{
		if (!take_guest(&s->guests[i], row, &s->arena))
			return false;
		s->n_guests++;
	}
	if (s->n_guests > 1)
		qsort(s->guests, s->n_guests, sizeof(*s->guests), by_vmid);
	for (i = 1; i < s->n_guests; i++)
		if (s->guests[i].vmid == s->guests[i - 1].vmid)
			return false;
	return true;
}

static const char *interpret(struct watch_document *s, const json_t *doc, int64_t now)
{
	const char *schema = json_str(doc, "schema"), *mode = json_str(doc, "mode");

	s->time = json_time(doc, "time");
	if (!schema || strcmp(schema, WATCH_STATE_SCHEMA) != 0 || !s->time ||
	    !json_arr(doc, "guests") || !take_guests(s, json_arr(doc, "guests")))
		return "/" WATCH_STATE_FILE " is no " WATCH_STATE_SCHEMA " document";
	s->age = now > s->time ? now - s->time : 0;
	s->started = json_time(doc, "started");
	s->node = json_text(doc, "node", &s->arena);
	s->pid = json_number(doc, "pid");
	s->dry_run = mode && strcmp(mode, "dry-run") == 0;
	s->mvmm = json_is_true(json_object_get(doc, "mvmm"));
	take_maintenance(s, json_arr(doc, "maintenance"));
	if (s->age > WATCH_STATE_MAX_AGE || s->time > now + WATCH_STATE_MAX_AGE)
		return "/" WATCH_STATE_FILE
		       " is older than 30 seconds, or of a time to come: is the "
		       "watch at work? (systemctl status pvewarden-watch; " START ")";
	return NULL;
}

void watch_state_parse(struct watch_document *ret, struct slice text, int64_t now)
{
	json_t *doc = NULL;

	*ret = (struct watch_document){ .age = -1 };
	buf_add(&ret->text, text.p, text.n);
	if (json_parse(buf_slice(&ret->text), WATCH_STATE_FILE, &doc, NULL) < 0)
		ret->absent = "/" WATCH_STATE_FILE " is not valid JSON";
	else
		ret->absent = interpret(ret, doc, now);
	json_decref(doc);
}

static const char *load(const struct root *r, struct buf *text)
{
	int got = published_read(r, WATCH_STATE_FILE, 0, SIZE_LIMIT, text, NULL);

	if (got == -ENOENT)
		return "the watch does not run on this node: " START;
	if (got < 0)
		return "/" WATCH_STATE_FILE " is not a regular file of root's";
	return NULL;
}

void watch_state_read(struct watch_document *ret, const struct root *root, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};
	const char *absent = load(root, &text);

	if (absent) {
		*ret = (struct watch_document){ .absent = absent, .age = -1 };
		return;
	}
	watch_state_parse(ret, buf_slice(&text), now);
	if (!ret->absent && root->live && ret->pid > 1 && ret->pid <= INT32_MAX &&
	    kill((pid_t)ret->pid, 0) < 0 && errno == ESRCH)
		ret->absent = "the watch has ended: " START;
}

/* --- what it amounts to -------------------------------------------------------------------- */

bool watch_state_counts(const struct watch_state_guest *g)
{
	return g->phase != WATCH_ABSENT && g->phase != WATCH_DISABLED;
}

static int exit_of(enum watch_state p)
{
	switch (p) {
	case WATCH_ABSENT:
	case WATCH_DISABLED:
	case WATCH_SERVING:
		return CLI_OK;
	case WATCH_MISCONFIGURED:
	case WATCH_BOOTING:
	case WATCH_FAILING:
	case WATCH_HELD:
	case WATCH_STOPPING:
	case WATCH_STARTING:
		return CLI_WARNING;
	case WATCH_EXHAUSTED:
	case WATCH_STUCK:
	case WATCH_OFF:
		return CLI_CRITICAL;
	case WATCH_STATE_MAX:
	default:
		return CLI_UNKNOWN;
	}
}

/* As elsewhere: critical wins over what cannot be told, and that over a warning. */
static int worse(int a, int b)
{
	static const int rank[] = {
		[CLI_OK] = 0, [CLI_WARNING] = 1, [CLI_CRITICAL] = 3, [CLI_UNKNOWN] = 2
	};

	return rank[a] >= rank[b] ? a : b;
}

int watch_state_exit(const struct watch_document *s)
{
	int status = s->mvmm || s->n_maintenance ? CLI_WARNING : CLI_OK;

	if (s->absent)
		return CLI_UNKNOWN;
	for (size_t i = 0; i < s->n_guests; i++)
		status = worse(status, exit_of(s->guests[i].phase));
	return status;
}
