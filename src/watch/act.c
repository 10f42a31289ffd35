/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "pve/power.h"
#include "util/clock.h"

enum {
	SWEEP_MS = 800, /* what the others get to show that they fail as well */
	SLACK_S = 2,
	RESUME_AGAIN_MS = 3000,
	COMMAND_SLACK_MS = 5000,  /* until a command has come as far as taking Proxmox' lock */
	EFFECT_MS = 3500,	  /* after a command: until the scout has seen its effect */
	HA_EFFECT_MS = 90 * 1000, /* HA's two managers act in rounds of several seconds */
};

/* --- may it be done? ------------------------------------------------------------------------- */

static void permit(struct watchd *d, struct watch_guest *g, enum watch_brake b)
{
	g->question = 0;
	(void)watch_brake_text(b, &g->facts.facts, g->held_by, sizeof(g->held_by));
	watchd_step(d, g,
		    (struct watch_event){
			    .kind = WATCH_EV_PERMIT, .now = clock_boot_ms(), .brake = b });
}

/* Unix seconds, a little before the first bad round; 0: not failing. */
static int64_t failing_since(const struct watch_guest *g)
{
	int64_t for_ms = clock_boot_ms() - g->fsm.bad_since;

	return g->fsm.bad_since ? clock_now() - for_ms / 1000 - SLACK_S : 0;
}

static bool ask(struct watchd *d, struct watch_guest *g)
{
	struct scout_question q = { .serial = ++d->serial,
				    .vmid = g->vmid,
				    .type = g->config.optin.type,
				    .stops_since =
					    g->record.owed ? g->record.since : failing_since(g) };

	g->asked_at = clock_now();
	g->question = q.serial;
	g->has_facts = false;
	return d->scout.pid > 0 && !d->blind && scout_ask(&d->scout, &q) == 0;
}

/* Of all watched guests the longest of one of their times. */
static int64_t longest(const struct watchd *d, size_t offset)
{
	int64_t found = 0, one;

	for (size_t i = 0; i < d->guests.n; i++) {
		const struct watch_guest *g = d->guests.items[i];

		memcpy(&one, (const char *)&g->settings + offset, sizeof(one));
		if (g->watched && one > found)
			found = one;
	}
	return found;
}

void watchd_want(struct watchd *d, struct watch_guest *g, enum watch_op op, int64_t now)
{
	bool alone = op != WATCH_OP_SHUTDOWN || g->fsm.reason >= WATCH_FOR_SCHEDULE ||
		     watch_guests_watched(&d->guests) < 2;

	/* An unanswered question becomes "cannot tell" by the state machine's own clock. */
	g->question = 0;
	g->has_facts = false;
	if (alone) {
		(void)ask(d, g);
		return;
	}
	/* The others first, and the facts only then: they are to be fresh. */
	watchd_sweep(d, g, now);
	g->ask_at = now + longest(d, offsetof(struct watch_settings, probe_timeout)) + SWEEP_MS;
}

void watchd_check_question(struct watchd *d, struct watch_guest *g, int64_t now)
{
	if (g->ask_at && now >= g->ask_at) {
		g->ask_at = 0;
		if (g->fsm.wanted)
			(void)ask(d, g);
	}
	if (g->resuming && g->resume_at && now >= g->resume_at) {
		g->resume_at = 0;
		g->question = 0;
		watchd_resume(d, g, now);
	}
}

static enum watch_brake decide(struct watchd *d, struct watch_guest *g, int64_t now)
{
	struct watch_facts *f = &g->facts.facts;

	f->dry_run = d->dry_run;
	/* No new restart on the way out. */
	if (d->ending && g->fsm.wanted == WATCH_OP_SHUTDOWN)
		return BRAKE_NODE_STOPPING;
	/* What stops for all at one moment is seen at each guest's own turn, and one that answers
	 * no more is seen later than one that refuses. */
	f->failing_at_once = watch_guests_failing_with(
		&d->guests, g,
		longest(d, offsetof(struct watch_settings, check_interval)) +
			longest(d, offsetof(struct watch_settings, probe_timeout)) + SWEEP_MS);
	f->watched = watch_guests_watched(&d->guests);
	f->acting = watch_guests_acting(&d->guests, g);
	f->gateway = gateway_answers(&d->gateway, now);
	/* Before anything of ours, whoever stops a guest whose ports close is its reason. */
	f->person = g->record.owed ? watch_record_meet(&g->record, g->facts.stops, g->facts.n_stops,
						       g->recount)
				   : g->facts.n_stops > 0;
	g->recount = false;
	return watch_brake(g->fsm.wanted, f, &g->settings, &d->node);
}

void watchd_lose_questions(struct watchd *d)
{
	for (size_t i = 0; i < d->guests.n; i++) {
		struct watch_guest *g = d->guests.items[i];

		if (g->question && !g->has_facts && !g->resuming)
			permit(d, g, BRAKE_BLIND);
	}
}

void watchd_check_permit(struct watchd *d, struct watch_guest *g, int64_t now)
{
	if (!g->question || !g->has_facts || g->resuming)
		return;
	permit(d, g, g->fsm.wanted ? decide(d, g, now) : BRAKE_NONE);
}

/* The facts are younger than the scout's last look. */
static void take_run(struct watchd *d, struct watch_guest *g)
{
	bool runs = g->facts.runs == TRI_YES;

	if (g->facts.runs == TRI_UNKNOWN ||
	    (runs == g->runs && (!runs || g->facts.run.started == g->run.started)))
		return;
	g->runs = runs;
	g->run = g->facts.run;
	if (!g->resuming)
		watchd_step(d, g, watchd_seen(g, clock_boot_ms()));
}

void watchd_take_facts(struct watchd *d, struct watch_guest *g, const struct scout_facts *facts,
		       uint32_t serial)
{
	if (!g->question || serial != g->question)
		return;
	g->facts = *facts;
	g->has_facts = true;
	take_run(d, g);
	if (g->resuming)
		watchd_resume(d, g, clock_boot_ms());
	watchd_check_permit(d, g, clock_boot_ms());
	watchd_rearm(d, g);
}

/* --- the intent ------------------------------------------------------------------------------ */

static void take_stamps(struct watch_guest *g, int64_t now)
{
	int64_t wall = clock_now();

	g->record.n_stamps = g->fsm.n_stamps;
	for (size_t i = 0; i < g->fsm.n_stamps; i++)
		g->record.stamps[i] = wall - (now - g->fsm.stamps[i]) / 1000;
}

static int write_record(struct watchd *d, struct watch_guest *g)
{
	struct err e = {};
	int r;

	if (d->dry_run)
		return 0;
	r = watch_record_write(&g->record, d->records_fd, g->vmid, &e);
	if (r < 0)
		watchd_log(d, g, LOG_LEVEL_ERROR, "the intent could not be written: %s", e.text);
	return r;
}

static void fill_intent(struct watchd *d, struct watch_guest *g, enum watch_op op)
{
	struct watch_record *rec = &g->record;

	if (op == WATCH_OP_SHUTDOWN) {
		rec->owed = true;
		rec->reason = g->fsm.reason;
		rec->ha = g->facts.facts.ha_managed;
		rec->digest = g->facts.digest;
		rec->started = g->fsm.started;
		/* From when nobody was at work on it: who comes later is counted. */
		rec->since = g->asked_at;
		rec->stops = 0;
		rec->n_known = 0;
		(void)snprintf(rec->boot_id, sizeof(rec->boot_id), "%s", d->boot_id);
		(void)snprintf(rec->node, sizeof(rec->node), "%s", d->round.node);
	}
	rec->op = op;
	rec->stops += op != WATCH_OP_START;
}

void watchd_keep_intent(struct watchd *d, struct watch_guest *g)
{
	g->record.owed = g->fsm.stopped_by_us;
	take_stamps(g, clock_boot_ms());
	(void)write_record(d, g);
}

/* --- doing it -------------------------------------------------------------------------------- */

static void done(struct watchd *d, struct watch_guest *g, bool ran, bool ok)
{
	g->done_by = 0;
	watchd_step(d, g,
		    (struct watch_event){ .kind = WATCH_EV_DONE,
					  .now = clock_boot_ms(),
					  .running = g->runs,
					  .ours = g->here,
					  .started = g->run.started,
					  .ran = ran,
					  .ok = ok });
}

static const enum power_op power_ops[WATCH_OP_MAX] = {
	[WATCH_OP_SHUTDOWN] = POWER_SHUTDOWN,
	[WATCH_OP_STOP] = POWER_STOP,
	[WATCH_OP_START] = POWER_START,
};

void watchd_act(struct watchd *d, struct watch_guest *g, enum watch_op op, int64_t now)
{
	struct power_command c = { .vmid = g->vmid,
				   .type = g->config.optin.type,
				   .op = power_ops[op],
				   .timeout_s = (int)(g->settings.wait_interval / 1000) };
	struct err e = {};
	char text[120];

	fill_intent(d, g, op);
	/* As it is now: it may have been given to HA or taken from it meanwhile. */
	g->record.ha = c.ha = g->facts.facts.ha_managed;
	take_stamps(g, now);
	g->error[0] = '\0';
	/* A start is owed already, and the disk knows: it does not wait for the disk. */
	if ((write_record(d, g) < 0 && op != WATCH_OP_START) || power_run(d->power, &c, &e) < 0) {
		(void)snprintf(g->error, sizeof(g->error), "%.159s",
			       e.text[0] ? e.text : "the intent could not be written");
		watchd_log(d, g, LOG_LEVEL_ERROR, "%s was not run: %s",
			   power_command_text(&c, text, sizeof(text)), g->error);
		done(d, g, false, false);
		return;
	}
	watchd_log(d, g, LOG_LEVEL_INFO, "running: %s", power_command_text(&c, text, sizeof(text)));
}

/* The guest is as the command was to make it. */
static bool has_effect(const struct watch_guest *g)
{
	return g->fsm.acting == WATCH_OP_START ? g->runs : !g->runs;
}

void watchd_check_done(struct watchd *d, struct watch_guest *g, int64_t now)
{
	if (g->done_by && g->fsm.acting && (has_effect(g) || now >= g->done_by))
		done(d, g, true, g->done_ok);
}

static void on_power_done(void *ctx, uint32_t vmid, const char *error, enum bus_end end)
{
	struct watchd *d = ctx;
	struct watch_guest *g = watch_guests_find(&d->guests, vmid);
	int64_t now = clock_boot_ms();

	if (!g || !g->fsm.acting)
		return;
	g->done_ok = !error;
	(void)snprintf(g->error, sizeof(g->error), "%.159s", error ? error : "");
	if (error)
		watchd_log(d, g, LOG_LEVEL_WARN, "the command %s: %s",
			   end == BUS_REFUSED ? "was not run" : "failed", error);
	if (end == BUS_REFUSED) {
		done(d, g, false, false);
		return;
	}
	/* HA makes its tasks later, when it comes to it. */
	g->recount = end == BUS_ENDED && !g->record.ha;
	g->done_by = now + EFFECT_MS;
	if (g->record.ha && !error)
		g->done_by = now + HA_EFFECT_MS + g->settings.wait_interval;
	watchd_check_done(d, g, now);
	watchd_rearm(d, g);
}

/* --- going on with what an earlier supervisor began ------------------------------------------ */

static void drop_record(struct watchd *d, struct watch_guest *g, const char *why, bool alert)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "%s %u: a restart that was begun is given up: %s",
		       g->config.optin.type == GUEST_QEMU ? "VM" : "CT", g->vmid, why);
	watchd_log(d, g, alert ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%s", text);
	if (alert)
		watchd_alert(d, g, text);
	g->record.owed = false;
	(void)write_record(d, g);
}

static void go_on(struct watchd *d, struct watch_guest *g, int64_t now)
{
	/* Its shutdown may still be under way, in a unit that outlived us: it gets its time. */
	int64_t from = g->runs ? now + g->settings.wait_interval + COMMAND_SLACK_MS : now;

	watchd_log(d, g, LOG_LEVEL_WARN, "going on with a restart that was begun");
	g->fsm.running = g->runs;
	g->fsm.ours = g->here;
	g->fsm.started = g->run.started;
	watch_fsm_resume(&g->fsm, g->runs ? WATCH_OP_STOP : WATCH_OP_START, g->record.reason, now,
			 from);
	watchd_event(d, g, WATCH_EV_TIME);
}

void watchd_resume(struct watchd *d, struct watch_guest *g, int64_t now)
{
	const char *why;

	if (!g->has_facts || g->facts.facts.here == TRI_UNKNOWN) {
		if (!g->question || g->has_facts)
			(void)ask(d, g);
		/* A scout that is replaced takes the question with it. */
		g->resume_at = now + RESUME_AGAIN_MS;
		return;
	}
	g->resuming = false;
	g->resume_at = 0;
	g->question = 0;
	why = watch_record_mismatch(&g->record, d->boot_id, d->round.node, g->facts.digest);
	if (g->facts.facts.here == TRI_NO)
		why = "its config is not on this node any more";
	if (why)
		drop_record(d, g, why, !g->runs);
	else if (g->runs && (g->run.started != g->record.started || g->record.op == WATCH_OP_START))
		drop_record(d, g, "it runs again", false);
	else
		go_on(d, g, now);
}

void watchd_load_record(struct watchd *d, struct watch_guest *g)
{
	int64_t now = clock_boot_ms(), wall = clock_now();
	struct err e = {};

	if (watch_record_read(&g->record, d->records_fd, g->vmid, &e) < 0) {
		watchd_log(d, g, LOG_LEVEL_ERROR, "its record cannot be read: %s", e.text);
		return;
	}
	/* A dry run leaves what others began to them. */
	g->resuming = g->record.owed && !d->dry_run;
	g->record.owed = g->resuming;
	for (size_t i = 0; i < g->record.n_stamps; i++) {
		int64_t age = wall > g->record.stamps[i] ? wall - g->record.stamps[i] : 0;

		g->fsm.stamps[g->fsm.n_stamps++] = now - age * 1000;
	}
}

int watchd_open_power(struct watchd *d, struct err *e)
{
	struct record_ids ids = {};

	if (watch_record_list(d->records_fd, &ids) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "the records cannot be listed");
	for (size_t i = 0; i < ids.n; i++)
		(void)watchd_guest(d, ids.items[i]);
	vec_free(&ids);
	return power_open(&d->power, d->loop, on_power_done, d, e);
}

void watchd_close_power(struct watchd *d)
{
	power_close(d->power);
}
