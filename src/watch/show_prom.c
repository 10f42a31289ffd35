/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The watch in Prometheus' text format. A guest has its sample for each state, also at 0, so that
 * an alert sees a change and not a series that begins.
 */

#include "util/prom.h"
#include "watch/show_status.h"

#define WATCH "pvewarden_watch_"

static void labels(struct buf *out, const char *name, const struct watch_state_guest *g)
{
	buf_addf(out, "%s{vmid=\"%u\",name=\"", name, g->vmid);
	prom_label(out, g->name ? g->name : "");
	buf_addc(out, '"');
}

static void add_states(const struct watch_document *s, struct buf *out)
{
	prom_gauge(out, WATCH "guest_state", "1 for the state that the guest is in.");
	for (size_t i = 0; i < s->n_guests; i++) {
		const struct watch_state_guest *g = &s->guests[i];

		for (enum watch_state p = 0; p < WATCH_STATE_MAX; p++) {
			labels(out, WATCH "guest_state", g);
			buf_addf(out, ",state=\"%s\"} %d\n", watch_state_name(p), g->phase == p);
		}
	}
}

static void add_up(const struct watch_document *s, struct buf *out)
{
	prom_gauge(out, WATCH "up", "Whether the guest serves, of those that run here.");
	for (size_t i = 0; i < s->n_guests; i++)
		if (watch_state_counts(&s->guests[i])) {
			labels(out, WATCH "up", &s->guests[i]);
			buf_addf(out, "} %d\n", s->guests[i].phase == WATCH_SERVING);
		}
}

struct figure {
	const char *name, *help;
	bool counter;
	size_t offset; /* of a uint64_t in struct watch_state_guest */
};

static void add_figure(const struct watch_document *s, const struct figure *f, struct buf *out)
{
	(f->counter ? prom_counter : prom_gauge)(out, f->name, f->help);
	for (size_t i = 0; i < s->n_guests; i++) {
		uint64_t n;

		memcpy(&n, (const char *)&s->guests[i] + f->offset, sizeof(n));
		labels(out, f->name, &s->guests[i]);
		buf_addf(out, "} %llu\n", (unsigned long long)n);
	}
}

/* Two requests to one port are told apart by their place. */
static void add_probe(const struct watch_state_guest *g, size_t at, struct buf *out)
{
	const struct watch_state_probe *p = &g->probes[at];
	size_t before = 0;

	for (size_t i = 0; i < at; i++)
		before += g->probes[i].port == p->port && strcmp(g->probes[i].kind, p->kind) == 0;
	labels(out, WATCH "probe_seconds", g);
	buf_adds(out, ",probe=\"");
	prom_label(out, p->kind);
	if (p->port)
		buf_addf(out, ":%u", p->port);
	if (before)
		buf_addf(out, "/%zu", before + 1);
	buf_addf(out, "\"} %.6f\n", p->ms / 1000);
}

static void add_probes(const struct watch_document *s, struct buf *out)
{
	prom_gauge(out, WATCH "probe_seconds", "How long the last probe took that was good.");
	for (size_t i = 0; i < s->n_guests; i++)
		for (size_t k = 0; k < s->guests[i].n_probes; k++)
			if (strcmp(s->guests[i].probes[k].result, "good") == 0)
				add_probe(&s->guests[i], k, out);
}

static void add_node(const struct watch_document *s, struct buf *out)
{
	size_t n[2] = {};

	for (size_t i = 0; i < s->n_maintenance; i++)
		n[s->maintenance[i].cluster]++;
	prom_gauge(out, WATCH "maintenance", "Switches that keep guests from being restarted.");
	buf_addf(out,
		 WATCH "maintenance{scope=\"node\"} %zu\n" WATCH
		       "maintenance{scope=\"cluster\"} %zu\n",
		 n[0], n[1]);
	prom_gauge(out, WATCH "acts", "0: says only what it would do (dry run, or mvmm is there).");
	buf_addf(out, WATCH "acts %d\n", !s->dry_run && !s->mvmm);
}

void watch_show_prometheus(const struct watch_document *s, struct buf *out)
{
	static const struct figure figures[] = {
		{ WATCH "restarts_total", "Restarts because the guest did not serve.", true,
		  offsetof(struct watch_state_guest, stats.restarts) },
		{ WATCH "scheduled_restarts_total", "Restarts that were planned.", true,
		  offsetof(struct watch_state_guest, stats.scheduled_restarts) },
		{ WATCH "budget_left", "Restarts that are left in the guest's time.", false,
		  offsetof(struct watch_state_guest, budget.left) },
		{ WATCH "checks_total", "Rounds of probes.", true,
		  offsetof(struct watch_state_guest, stats.checks) },
		{ WATCH "failed_checks_total", "Rounds of probes that were bad.", true,
		  offsetof(struct watch_state_guest, stats.failed) },
		{ WATCH "alerts_total", "Alerts.", true,
		  offsetof(struct watch_state_guest, stats.alerts) },
	};

	if (s->age >= 0) {
		prom_gauge(out, WATCH "document_age_seconds", "How old all this is.");
		buf_addf(out, WATCH "document_age_seconds %lld\n", (long long)s->age);
	}
	prom_gauge(out, WATCH "answer",
		   "The worst of it, as the exit status: 0 ok, 1 warning, 2 critical, 3 could not "
		   "tell.");
	buf_addf(out, WATCH "answer %d\n", watch_state_exit(s));
	if (s->absent)
		return;
	add_node(s, out);
	add_states(s, out);
	add_up(s, out);
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		add_figure(s, &figures[i], out);
	add_probes(s, out);
}
