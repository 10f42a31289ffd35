/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/show_status.h"

#include <inttypes.h>
#include <stdio.h>

#include "pve/session.h"
#include "util/cli.h"
#include "util/clock.h"
#include "util/prom.h"
#include "util/str.h"
#include "util/table.h"

static void escaped(struct buf *out, const char *text)
{
	char shown[1024];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_adds(out, shown);
}

/* --- above the table ------------------------------------------------------------------------- */

static const char *ago(int64_t at, int64_t now, char buf[CLOCK_TEXT_MAX + 8])
{
	char length[CLOCK_TEXT_MAX];

	if (!at)
		return "never";
	(void)snprintf(buf, CLOCK_TEXT_MAX + 8, "%s ago",
		       clock_duration(now > at ? now - at : 0, length));
	return buf;
}

/* The line that a monitoring system shows. */
static void add_headline(const struct agent_state *s, const struct agent_view *view,
			 struct buf *out)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	static const enum term_style styles[] = { TERM_GREEN, TERM_YELLOW, TERM_RED, TERM_YELLOW };
	int status = agent_state_exit(s, view->now);
	char buf[CLOCK_TEXT_MAX + 8];
	uint64_t delivered = 0;

	for (size_t i = 0; i < s->n_servers; i++)
		delivered += s->servers[i].delivered;
	term_add(out, view->color, styles[status], words[status]);
	buf_adds(out, " - ");
	escaped(out, s->node && *s->node ? s->node : "?");
	buf_addf(out, ": collected %s, %" PRIu64 " document%s waiting",
		 ago(s->collection.last, view->now, buf), s->spool.documents,
		 s->spool.documents == 1 ? "" : "s");
	for (size_t i = 0; i < s->n_servers; i++) {
		buf_adds(out, ", ");
		escaped(out, s->servers[i].name);
		buf_addf(out, " %s", ago(s->servers[i].last_delivery, view->now, buf));
	}
	if (!view->terminal)
		buf_addf(out,
			 " | spool=%" PRIu64 " spool_bytes=%" PRIu64 "B delivered=%" PRIu64
			 "c dropped=%" PRIu64 "c parked=%" PRIu64 "c",
			 s->spool.documents, s->spool.bytes, delivered, s->spool.dropped,
			 s->spool.parked + s->parked_objects);
	buf_addc(out, '\n');
}

static void add_daemon(const struct agent_state *s, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];

	buf_addf(out, "At work since %s, pid %" PRIu64 ", seen %" PRId64 "s ago",
		 s->started ? clock_rfc3339(s->started, when) : "?", s->pid, s->age);
	if (s->cluster) {
		buf_adds(out, "; cluster ");
		escaped(out, s->cluster);
	}
	if (s->reporter) {
		buf_adds(out, ", reporter ");
		escaped(out, s->reporter);
	}
	buf_adds(out, ".\n");
}

static void add_problem(const char *what, const char *text, struct buf *out)
{
	if (!text)
		return;
	buf_adds(out, what);
	escaped(out, text);
	buf_addc(out, '\n');
}

static void add_collection(const struct agent_state *s, struct buf *out)
{
	if (s->no_proxmox)
		buf_adds(out, "Proxmox VE is not installed here: there is nothing to collect.\n");
	else
		buf_addf(out,
			 "Collected %" PRIu64 " times, %" PRIu64
			 " guests here, the last in %" PRIu64 " ms.\n",
			 s->collection.count, s->collection.guests, s->collection.ms);
	if (s->collection.hangs)
		buf_addf(out,
			 "/etc/pve hangs: pmxcfs does not answer (%" PRIu64
			 " readers are stuck there).\n",
			 s->collection.stuck);
	add_problem("Nothing could be collected: ", s->collection.problem, out);
}

static void add_spool(const struct agent_state *s, struct buf *out)
{
	char bytes[24], max[24];

	buf_addf(out, "Spool: %" PRIu64 " documents, %s of %s", s->spool.documents,
		 str_human_size(s->spool.bytes, bytes), str_human_size(s->spool.max, max));
	buf_addf(out,
		 "; dropped %" PRIu64 ", put aside %" PRIu64 ", damaged %" PRIu64
		 ", not kept %" PRIu64 ".\n",
		 s->spool.dropped, s->spool.parked + s->parked_objects, s->spool.damaged,
		 s->spool.unkept);
	add_problem("Disk: ", s->spool.problem, out);
}

/* --- the servers ----------------------------------------------------------------------------- */

/* "5m old, ends in 55m" */
static void add_age(struct table *t, const struct agent_state_server *v, int64_t now)
{
	char age[CLOCK_TEXT_MAX + 8] = "", length[CLOCK_TEXT_MAX];
	bool over = v->expires && v->expires <= now;

	if (v->got && v->got <= now)
		(void)snprintf(age, sizeof(age), "%s old, ", clock_duration(now - v->got, length));
	if (v->ready || !v->expires)
		table_addf(t, "%s%s", age, v->ready ? "ready-made" : "no end known");
	else
		table_addf(t, "%s%s %s%s", age, over ? "ended" : "ends in",
			   clock_duration(over ? now - v->expires : v->expires - now, length),
			   over ? " ago" : "");
}

static void add_token(struct table *t, const struct agent_state_server *v, int64_t now)
{
	if (!v->token)
		table_add_styled(t, TERM_RED, "none: agent register");
	else if (v->given_up)
		table_add_styled(t, TERM_RED, "refused: agent register");
	else if (v->revoked)
		table_add_styled(t, TERM_RED, "revoked");
	else
		add_age(t, v, now);
}

static void add_server(struct table *t, const struct agent_state_server *v, int64_t now)
{
	static const enum term_style styles[] = { TERM_GREEN, TERM_YELLOW, TERM_RED, TERM_YELLOW };
	char when[CLOCK_TEXT_MAX + 8], length[CLOCK_TEXT_MAX];

	table_add(t, v->name);
	table_add_styled(t, styles[agent_state_server_exit(v, now)],
			 ago(v->last_delivery, now, when));
	table_addf(t, "%" PRIu64, v->delivered);
	table_addf(t, "%" PRIu64, v->waiting);
	table_add(t, v->next_try > now ? clock_duration(v->next_try - now, length) : NULL);
	add_token(t, v, now);
	table_add(t, v->problem ? v->problem : v->url);
}

static void add_servers(const struct agent_state *s, const struct agent_view *view, struct buf *out)
{
	CLEANUP(table_done) struct table t = {};

	if (!s->n_servers) {
		buf_adds(out, "No server is set: hub_url or nannyapi_url in [agent] of "
			      "/etc/pvewarden/pvewarden.conf.\n");
		return;
	}
	table_column(&t, "SERVER", 0);
	table_column(&t, "DELIVERED", 0);
	table_column(&t, "TOTAL", TABLE_RIGHT);
	table_column(&t, "WAITING", TABLE_RIGHT);
	table_column(&t, "NEXT TRY", 0);
	table_column(&t, "TOKEN", 0);
	table_column(&t, "WHERE, OR WHY NOT", TABLE_ELASTIC);
	for (size_t i = 0; i < s->n_servers; i++)
		add_server(&t, &s->servers[i], view->now);
	buf_addc(out, '\n');
	table_write(&t, out, 0, view->width, view->color);
}

static void add_reasons(const struct agent_state *s, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];

	if (s->n_reasons)
		buf_adds(out, "\nPut aside, because a server refuses it:\n");
	for (size_t i = 0; i < s->n_reasons; i++) {
		buf_addf(out, "  %s  ",
			 s->reasons[i].at ? clock_rfc3339(s->reasons[i].at, when) : "?");
		escaped(out, s->reasons[i].why);
		buf_addc(out, '\n');
	}
}

void agent_show_status(const struct agent_state *s, const struct agent_view *view, struct buf *out)
{
	add_headline(s, view, out);
	add_daemon(s, out);
	add_collection(s, out);
	add_spool(s, out);
	add_servers(s, view, out);
	add_reasons(s, out);
}

/* --- metrics --------------------------------------------------------------------------------- */

#define AGENT "pvewarden_agent_"

static void gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
	prom_gauge(out, name, help);
	buf_addf(out, "%s %" PRId64 "\n", name, value);
}

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	prom_counter(out, name, help);
	buf_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void sample(struct buf *out, const char *name, const struct agent_state_server *v,
		   int64_t value)
{
	buf_addf(out, "%s{server=\"", name);
	prom_label(out, v->name);
	buf_addf(out, "\"} %" PRId64 "\n", value);
}

static void add_server_metrics(const struct agent_state *s, struct buf *out)
{
	prom_gauge(out, AGENT "last_delivery_timestamp_seconds",
		   "When a server took something last; 0: never.");
	for (size_t i = 0; i < s->n_servers; i++)
		sample(out, AGENT "last_delivery_timestamp_seconds", &s->servers[i],
		       s->servers[i].last_delivery);
	prom_counter(out, AGENT "delivered_total", "Documents and objects that a server took.");
	for (size_t i = 0; i < s->n_servers; i++)
		sample(out, AGENT "delivered_total", &s->servers[i],
		       (int64_t)s->servers[i].delivered);
	prom_counter(out, AGENT "refused_total", "Those that it will never take.");
	for (size_t i = 0; i < s->n_servers; i++)
		sample(out, AGENT "refused_total", &s->servers[i], (int64_t)s->servers[i].refused);
	prom_gauge(out, AGENT "token_expires_timestamp_seconds",
		   "End of the access token; 0: not known.");
	for (size_t i = 0; i < s->n_servers; i++)
		sample(out, AGENT "token_expires_timestamp_seconds", &s->servers[i],
		       s->servers[i].expires);
}

void agent_show_prometheus(const struct agent_state *s, int64_t now, struct buf *out)
{
	if (s->absent) {
		session_unknown_metric(AGENT_STATE_SCHEMA, s->absent, out);
		return;
	}
	gauge(out, AGENT "answer", "0 ok, 1 warning, 2 critical, 3 could not tell.",
	      agent_state_exit(s, now));
	gauge(out, AGENT "last_collection_timestamp_seconds",
	      "When something was collected last; 0: never.", s->collection.last);
	gauge(out, AGENT "collection_milliseconds", "How long that took.",
	      (int64_t)s->collection.ms);
	gauge(out, AGENT "pmxcfs_hangs", "1 while /etc/pve does not answer.", s->collection.hangs);
	gauge(out, AGENT "spool_documents", "Documents that wait for the hub.",
	      (int64_t)s->spool.documents);
	gauge(out, AGENT "spool_bytes", "Bytes of these.", (int64_t)s->spool.bytes);
	gauge(out, AGENT "spool_full_disk", "1 while the disk takes no document.",
	      s->spool.problem != NULL);
	counter(out, AGENT "dropped_total", "Documents dropped to make room.", s->spool.dropped);
	counter(out, AGENT "parked_total", "Put aside because a server refuses them.",
		s->spool.parked + s->parked_objects);
	counter(out, AGENT "collections_total", "Collections since the agent began.",
		s->collection.count);
	add_server_metrics(s, out);
}
