/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "watch/probe_words.h"

#define STATS_SCHEMA "pvewarden.watch.stats/1"

static int64_t unix_of(int64_t boot, int64_t now)
{
	return boot ? clock_now() - (now - boot) / 1000 : 0;
}

static void write_probes(struct jsonw *w, const struct watch_guest *g)
{
	struct probe_target targets[PROBE_TARGETS_MAX];
	size_t n = watch_settings_targets(&g->settings, targets);

	jsonw_array(w, "probes");
	for (size_t i = 0; g->answered_at && i < n && i < g->answer.n_targets; i++) {
		jsonw_row(w, NULL);
		jsonw_str(w, "kind", probe_kind_name((enum probe_kind)targets[i].kind));
		if (targets[i].port)
			jsonw_u64(w, "port", targets[i].port);
		else
			jsonw_null(w, "port");
		jsonw_str(w, "result",
			  probe_result_name((enum probe_result)g->answer.targets[i].result));
		jsonw_str(w, "why", probe_why_text((enum probe_why)g->answer.targets[i].why));
		if (g->answer.targets[i].value)
			jsonw_u64(w, "status", g->answer.targets[i].value);
		jsonw_num(w, "ms", (double)g->answer.targets[i].us / 1000);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_stats(struct jsonw *w, const char *key, const struct watch_stats *s)
{
	jsonw_row(w, key);
	jsonw_time(w, "since", s->since);
	jsonw_u64(w, "checks", s->checks);
	jsonw_u64(w, "failed", s->failed);
	jsonw_u64(w, "restarts", s->restarts);
	jsonw_u64(w, "scheduled_restarts", s->scheduled);
	jsonw_u64(w, "alerts", s->alerts);
	jsonw_i64(w, "up_seconds", s->up_ms / 1000);
	jsonw_i64(w, "down_seconds", s->down_ms / 1000);
	jsonw_i64(w, "longest_outage", s->longest_outage_ms / 1000);
	jsonw_close(w);
}

static void write_held(struct jsonw *w, const struct watch_guest *g)
{
	const char *problem = watch_settings_problem(&g->settings);
	char why[200];

	if (g->fsm.state == WATCH_MISCONFIGURED && problem)
		jsonw_str(w, "held", problem);
	else
		jsonw_str(w, "held", watch_guest_held(g, why, sizeof(why)));
}

/* A guest that is off because of us is called so: somebody may have to look. */
static const char *state_of(const struct watch_guest *g)
{
	bool waits = g->fsm.state == WATCH_STARTING && (g->fsm.held || g->fsm.start_tries);

	return watch_state_name(waits && !g->runs ? WATCH_OFF : g->fsm.state);
}

static void write_guest(struct jsonw *w, const struct watch_guest *g, int64_t now)
{
	jsonw_object(w, NULL);
	jsonw_u64(w, "vmid", g->vmid);
	jsonw_str(w, "type", g->config.optin.type == GUEST_QEMU ? "qemu" : "lxc");
	jsonw_str(w, "name", watch_guest_name(g));
	jsonw_str(w, "state", state_of(g));
	jsonw_time(w, "since", unix_of(g->fsm.since, now));
	if (g->runs && g->run.started)
		jsonw_i64(w, "uptime", (now - g->run.started) / 1000);
	else
		jsonw_null(w, "uptime");
	write_held(w, g);
	jsonw_time(w, "last_probe", g->answered_at);
	jsonw_time(w, "next_check", g->fsm.asked ? clock_now() : unix_of(g->fsm.next_probe, now));
	write_probes(w, g);
	jsonw_str(w, "qmp", g->answered_at ? probe_qmp_name(g->qmp_said) : NULL);
	jsonw_row(w, "budget");
	jsonw_u64(w, "left", watch_fsm_budget_left(&g->fsm, &g->settings, now));
	jsonw_u64(w, "of", g->settings.budget);
	jsonw_i64(w, "window", g->settings.budget_window / 1000);
	jsonw_close(w);
	jsonw_u64(w, "monitor", g->has_prober ? (uint64_t)g->prober.pid : 0);
	write_stats(w, "stats", &g->stats);
	jsonw_close(w);
}

static void write_switch(struct jsonw *w, const char *scope, uint32_t vmid, int64_t since,
			 int64_t until, const char *by)
{
	jsonw_row(w, NULL);
	jsonw_u64(w, "vmid", vmid);
	jsonw_str(w, "scope", scope);
	jsonw_time(w, "since", since);
	jsonw_time(w, "until", until);
	jsonw_str(w, "by", by);
	jsonw_close(w);
}

static void write_maintenance(struct jsonw *w, const struct watchd *d)
{
	jsonw_array(w, "maintenance");
	if (d->round.maintenance_cluster)
		write_switch(w, "cluster", MAINTENANCE_NODE, d->round.maintenance_since,
			     d->round.maintenance_until, d->round.maintenance_by);
	for (size_t i = 0; i < d->maintenance.n; i++) {
		const struct maintenance_switch *s = &d->maintenance.items[i];

		if (!s->until || s->until > clock_now())
			write_switch(w, "node", s->vmid, s->since, s->until, s->by);
	}
	jsonw_close(w);
}

static void write_totals(struct jsonw *w, const struct watchd *d)
{
	uint64_t serving = 0, failing = 0, restarts = 0, checks = 0, failed = 0;

	for (size_t i = 0; i < d->guests.n; i++) {
		const struct watch_guest *g = d->guests.items[i];

		serving += g->fsm.state == WATCH_SERVING;
		failing += g->fsm.bad_since != 0;
		restarts += g->stats.restarts + g->stats.scheduled;
		checks += g->stats.checks;
		failed += g->stats.failed;
	}
	jsonw_row(w, "totals");
	jsonw_u64(w, "guests", watch_guests_watched(&d->guests));
	jsonw_u64(w, "serving", serving);
	jsonw_u64(w, "failing", failing);
	jsonw_u64(w, "restarts", restarts);
	jsonw_u64(w, "alerts", d->alerts);
	jsonw_u64(w, "checks", checks);
	jsonw_u64(w, "failed_checks", failed);
	jsonw_close(w);
}

static void write_document(const struct watchd *d, int64_t now, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", "pvewarden.watch/1");
	jsonw_time(&w, "time", clock_now());
	jsonw_str(&w, "node", d->round.node);
	jsonw_u64(&w, "pid", (uint64_t)getpid());
	jsonw_time(&w, "started", d->started);
	jsonw_str(&w, "mode", d->dry_run ? "dry-run" : "run");
	jsonw_bool(&w, "mvmm", d->round.mvmm);
	jsonw_bool(&w, "blind", d->blind || !d->round.readable);
	write_maintenance(&w, d);
	jsonw_array(&w, "guests");
	for (size_t i = 0; i < d->guests.n; i++) {
		const struct watch_guest *g = d->guests.items[i];

		if (g->watched || watch_fsm_restarting(&g->fsm))
			write_guest(&w, g, now);
	}
	jsonw_close(&w);
	write_totals(&w, d);
	jsonw_end(&w);
}

void watchd_publish(struct watchd *d, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};
	const struct group *group = getgrnam("www-data");
	int r;

	write_document(d, now, &text);
	r = file_write_atomic_for(d->run_fd, "watch.json", buf_slice(&text), 0640,
				  group ? group->gr_gid : (gid_t)-1);
	if (r < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "watch.json: %s", strerror(-r));
	d->published_at = now;
	d->changed = false;
}

/* --- totals that survive us ------------------------------------------------------------------ */

void watchd_save_stats(struct watchd *d)
{
	CLEANUP(buf_done) struct buf text = {};
	struct jsonw w;
	char key[16];

	d->saved_at = clock_boot_ms();
	jsonw_begin(&w, &text);
	jsonw_str(&w, "schema", STATS_SCHEMA);
	jsonw_u64(&w, "alerts", d->alerts);
	jsonw_object(&w, "guests");
	for (size_t i = 0; i < d->guests.n; i++) {
		const struct watch_guest *g = d->guests.items[i];

		if (g->stats.checks + g->stats.restarts == 0)
			continue;
		(void)snprintf(key, sizeof(key), "%u", g->vmid);
		write_stats(&w, key, &g->stats);
	}
	jsonw_close(&w);
	jsonw_end(&w);
	if (file_write_atomic(d->state_fd, "stats.json", buf_slice(&text), 0600) < 0)
		watchd_log(d, NULL, LOG_LEVEL_WARN, "the totals could not be kept");
}

static int64_t number(const json_t *o, const char *key)
{
	int64_t v = 0;

	(void)json_i64(o, key, &v);
	return v > 0 ? v : 0;
}

void watchd_load_stats_of(struct watchd *d, struct watch_guest *g)
{
	char key[16];
	const json_t *o;

	(void)snprintf(key, sizeof(key), "%u", g->vmid);
	o = json_obj(json_obj(d->old_stats, "guests"), key);
	if (!o)
		return;
	if (json_str(o, "since"))
		(void)clock_parse(slice_of(json_str(o, "since")), &g->stats.since);
	g->stats.checks = (uint64_t)number(o, "checks");
	g->stats.failed = (uint64_t)number(o, "failed");
	g->stats.restarts = (uint64_t)number(o, "restarts");
	g->stats.scheduled = (uint64_t)number(o, "scheduled_restarts");
	g->stats.alerts = (uint64_t)number(o, "alerts");
	g->stats.up_ms = number(o, "up_seconds") * 1000;
	g->stats.down_ms = number(o, "down_seconds") * 1000;
	g->stats.longest_outage_ms = number(o, "longest_outage") * 1000;
}

void watchd_load_stats(struct watchd *d)
{
	CLEANUP(buf_done) struct buf text = {};

	if (file_read_at(d->state_fd, "stats.json", (size_t)16 << 20, &text) < 0 ||
	    json_parse(buf_slice(&text), "stats.json", &d->old_stats, NULL) < 0)
		return;
	d->alerts = (uint64_t)number(d->old_stats, "alerts");
}
