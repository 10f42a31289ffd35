/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/show_status.h"

#include <stdio.h>

#include "util/cli.h"
#include "util/clock.h"
#include "util/str.h"
#include "util/table.h"

static enum term_style style_of(enum watch_state p)
{
	switch (p) {
	case WATCH_SERVING:
		return TERM_GREEN;
	case WATCH_ABSENT:
	case WATCH_DISABLED:
		return TERM_DIM;
	case WATCH_BOOTING:
	case WATCH_STOPPING:
	case WATCH_STARTING:
		return TERM_CYAN;
	case WATCH_MISCONFIGURED:
	case WATCH_FAILING:
	case WATCH_HELD:
		return TERM_YELLOW;
	case WATCH_EXHAUSTED:
	case WATCH_STUCK:
	case WATCH_OFF:
	case WATCH_STATE_MAX:
	default:
		return TERM_RED;
	}
}

static void escaped(struct buf *out, const char *text)
{
	char shown[1024];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_adds(out, shown);
}

/* --- above the table ----------------------------------------------------------------------- */

static void count(const struct watch_document *s, size_t n[WATCH_STATE_MAX + 1], size_t *watched)
{
	*watched = 0;
	for (size_t i = 0; i < s->n_guests; i++) {
		n[s->guests[i].phase]++;
		*watched += watch_state_counts(&s->guests[i]);
	}
}

/* The line that a monitoring system shows. */
static void add_headline(const struct watch_document *s, const struct watch_view *view,
			 struct buf *out)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	static const enum term_style styles[] = { TERM_GREEN, TERM_YELLOW, TERM_RED, TERM_YELLOW };
	size_t n[WATCH_STATE_MAX + 1] = {}, watched;
	int status = watch_state_exit(s);

	count(s, n, &watched);
	term_add(out, view->color, styles[status], words[status]);
	buf_adds(out, " - ");
	escaped(out, s->node ? s->node : "?");
	buf_addf(out, ": %zu of %zu guest%s serving", n[WATCH_SERVING], watched,
		 watched == 1 ? "" : "s");
	for (int p = WATCH_MISCONFIGURED; p <= WATCH_STATE_MAX; p++)
		if (n[p] && p != WATCH_SERVING)
			buf_addf(out, ", %zu %s", n[p], watch_state_name((enum watch_state)p));
	if (!view->terminal)
		buf_addf(out, " | guests=%zu serving=%zu failing=%zu held=%zu given_up=%zu",
			 watched, n[WATCH_SERVING], n[WATCH_FAILING], n[WATCH_HELD],
			 n[WATCH_EXHAUSTED] + n[WATCH_STUCK] + n[WATCH_OFF]);
	buf_addc(out, '\n');
}

static void add_switch(const struct watch_state_switch *m, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];

	buf_adds(out, "Maintenance: ");
	if (m->vmid)
		buf_addf(out, "guest %u", m->vmid);
	else
		buf_addf(out, "all guests of the %s", m->cluster ? "cluster" : "node");
	if (m->since)
		buf_addf(out, ", since %s", clock_rfc3339(m->since, when));
	if (m->until)
		buf_addf(out, ", until %s", clock_rfc3339(m->until, when));
	if (m->by) {
		buf_adds(out, ", by ");
		escaped(out, m->by);
	}
	buf_adds(out, ": nothing is restarted.\n");
}

static void add_daemon(const struct watch_document *s, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];

	buf_addf(out, "%s since %s, pid %llu, seen %llds ago\n",
		 s->dry_run ? "Dry run (says what it would do, does nothing)" : "At work",
		 s->started ? clock_rfc3339(s->started, when) : "?", (unsigned long long)s->pid,
		 (long long)s->age);
	if (s->mvmm)
		buf_adds(out, "An mvmm process lives on this node: acts on nothing until it ends "
			      "(systemctl disable --now mvmm).\n");
	for (size_t i = 0; i < s->n_maintenance; i++)
		add_switch(&s->maintenance[i], out);
}

/* --- the guests ---------------------------------------------------------------------------- */

static void add_guest_cell(struct table *t, const struct watch_state_guest *g)
{
	table_addf(t, "%u %s", g->vmid, g->name ? g->name : "");
}

static void add_length(struct table *t, int64_t from, int64_t now)
{
	char length[CLOCK_TEXT_MAX];

	table_add(t, from && now >= from ? clock_duration(now - from, length) : NULL);
}

static void add_probes(struct table *t, const struct watch_state_guest *g)
{
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < g->n_probes; i++) {
		const struct watch_state_probe *p = &g->probes[i];

		buf_addf(&text, "%s%s", i ? ", " : "", p->kind);
		if (p->port)
			buf_addf(&text, " %u", p->port);
		if (strcmp(p->result, "good") == 0)
			buf_addf(&text, " %.0fms", p->ms);
		else
			buf_addf(&text, " %s", p->why ? p->why : p->result);
	}
	table_add(t, buf_str(&text));
}

static void add_next(struct table *t, const struct watch_state_guest *g, int64_t now)
{
	char length[CLOCK_TEXT_MAX];

	if (!g->next_check)
		table_add(t, NULL);
	else
		table_addf(t, "in %s", clock_duration(g->next_check - now, length));
}

static void add_budget(struct table *t, const struct watch_state_guest *g)
{
	char length[CLOCK_TEXT_MAX];

	if (!g->budget.of)
		table_add(t, NULL);
	else
		table_addf(t, "%llu of %llu in %s", (unsigned long long)g->budget.left,
			   (unsigned long long)g->budget.of,
			   clock_duration(g->budget.window > INT32_MAX ? INT32_MAX
								       : (int64_t)g->budget.window,
					  length));
}

static void add_row(struct table *t, const struct watch_state_guest *g, int64_t now)
{
	char length[CLOCK_TEXT_MAX];

	add_guest_cell(t, g);
	table_add_styled(t, style_of(g->phase), g->state);
	add_length(t, g->since, now);
	table_add(t, g->uptime >= 0 ? clock_duration(g->uptime, length) : NULL);
	add_probes(t, g);
	add_length(t, g->last_probe, now);
	add_budget(t, g);
	add_next(t, g, now);
}

/* What a column has no room for. */
static void add_reasons(const struct watch_document *s, const struct watch_view *view,
			struct buf *out)
{
	for (size_t i = 0; i < s->n_guests; i++) {
		const struct watch_state_guest *g = &s->guests[i];
		CLEANUP(buf_done) struct buf text = {};

		if (!g->held && !g->qmp)
			continue;
		buf_addf(&text, "%u: ", g->vmid);
		if (g->held)
			escaped(&text, g->held);
		if (g->qmp) {
			buf_adds(&text, g->held ? "; QEMU says " : "QEMU says ");
			escaped(&text, g->qmp);
		}
		term_wrap(out, buf_str(&text), 2, view->width);
		buf_addc(out, '\n');
	}
}

void watch_show_status(const struct watch_document *s, const struct watch_view *view,
		       struct buf *out)
{
	CLEANUP(table_done) struct table t = {};

	add_headline(s, view, out);
	add_daemon(s, out);
	if (!s->n_guests) {
		buf_adds(out, "\nNo guest is watched. A guest is when it has a file "
			      "/etc/pve/mvmm/VMID.conf: see pvewarden-watch.conf(5).\n");
		return;
	}
	table_column(&t, "Guest", 0);
	table_column(&t, "State", 0);
	table_column(&t, "For", TABLE_RIGHT);
	table_column(&t, "Uptime", TABLE_RIGHT);
	table_column(&t, "Last probes", TABLE_ELASTIC);
	table_column(&t, "Ago", TABLE_RIGHT);
	table_column(&t, "Restarts left", 0);
	table_column(&t, "Next check", 0);
	for (size_t i = 0; i < s->n_guests; i++)
		add_row(&t, &s->guests[i], view->now);
	buf_addc(out, '\n');
	table_write(&t, out, 0, view->width, view->color);
	add_reasons(s, view, out);
}

/* --- what has been so far ------------------------------------------------------------------ */

static void add_share(struct table *t, uint64_t up, uint64_t down)
{
	if (up + down == 0 || up + down < up)
		table_add(t, NULL);
	else
		table_addf(t, "%.2f%%", 100.0 * (double)up / (double)(up + down));
}

static void add_number(struct table *t, uint64_t n)
{
	table_addf(t, "%llu", (unsigned long long)n);
}

void watch_show_stats(const struct watch_document *s, const struct watch_view *view,
		      struct buf *out)
{
	CLEANUP(table_done) struct table t = {};
	char when[CLOCK_TEXT_MAX], length[CLOCK_TEXT_MAX];

	table_column(&t, "Guest", 0);
	table_column(&t, "Since", 0);
	table_column(&t, "Checks", TABLE_RIGHT);
	table_column(&t, "Failed", TABLE_RIGHT);
	table_column(&t, "Restarts", TABLE_RIGHT);
	table_column(&t, "Scheduled", TABLE_RIGHT);
	table_column(&t, "Alerts", TABLE_RIGHT);
	table_column(&t, "Up", TABLE_RIGHT);
	table_column(&t, "Longest outage", TABLE_RIGHT);
	for (size_t i = 0; i < s->n_guests; i++) {
		const struct watch_state_guest *g = &s->guests[i];
		uint64_t longest = g->stats.longest_outage;

		add_guest_cell(&t, g);
		table_add(&t, g->stats.since ? clock_rfc3339(g->stats.since, when) : NULL);
		add_number(&t, g->stats.checks);
		add_number(&t, g->stats.failed);
		add_number(&t, g->stats.restarts);
		add_number(&t, g->stats.scheduled_restarts);
		add_number(&t, g->stats.alerts);
		add_share(&t, g->stats.up, g->stats.down);
		table_add(&t, longest && longest <= INT64_MAX
				      ? clock_duration((int64_t)longest, length)
				      : NULL);
	}
	table_write(&t, out, 0, view->width, view->color);
}
