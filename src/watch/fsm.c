/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/fsm.h"

enum {
	SILENT_IS_HUNG = 3, /* times in a row; Proxmox itself may hold QMP for some seconds */
	COMMAND_MARGIN_MS = 120 * 1000, /* what a command may take beyond its own time-out */
	ROUND_MS = 5 * 1000,		/* what a round may take beyond its interval */
	PERMIT_MS = 30 * 1000,		/* an unanswered question counts as "cannot tell" */
	RETRY_FIRST_MS = 10 * 1000,
	RETRY_LONGEST_MS = 300 * 1000,
	DUE_MS = 3600 * 1000,	       /* a scheduled restart is tried for so long */
	HELD_STOP_MS = 15 * 60 * 1000, /* a stop that a brake holds is given up then */
};

void watch_fsm_init(struct watch_fsm *f, bool vm, int64_t now)
{
	*f = (struct watch_fsm){ .state = WATCH_ABSENT, .vm = vm, .since = now };
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void note(struct watch_effects *ret, enum watch_note n)
{
	if (ret->n_notes < WATCH_NOTES_MAX)
		ret->notes[ret->n_notes++] = n;
}

static void enter(struct watch_fsm *f, enum watch_state state, int64_t now)
{
	if (f->state != state)
		f->since = now;
	f->state = state;
}

static bool is_probed(const struct watch_fsm *f)
{
	switch (f->state) {
	case WATCH_BOOTING:
	case WATCH_SERVING:
	case WATCH_FAILING:
	case WATCH_HELD:
	case WATCH_EXHAUSTED:
		return true;
	case WATCH_STUCK: /* it may come back to life by itself */
		return f->running && !f->acting;
	case WATCH_ABSENT:
	case WATCH_DISABLED:
	case WATCH_MISCONFIGURED:
	case WATCH_STOPPING:
	case WATCH_STARTING:
	case WATCH_STATE_MAX:
		break;
	}
	return false;
}

static void forget_failure(struct watch_fsm *f)
{
	f->bad_since = f->bad_for = f->last_bad = 0;
	f->silent = 0;
	f->qmp = QMP_NOT_ASKED;
	f->held = BRAKE_NONE;
	f->alerted_io = false;
}

/* The guest runs here: from now on it is watched, if it is to be. */
static void take_up(struct watch_fsm *f, const struct watch_settings *s, int64_t from, int64_t now,
		    struct watch_effects *ret)
{
	forget_failure(f);
	f->wanted = WATCH_OP_NONE;
	f->reason = WATCH_FOR_NOTHING;
	f->due = false;
	f->next_probe = 0;
	f->boot_from = from;
	f->online_since = 0;
	if (!s || s->enabled == TRI_NO) {
		enter(f, WATCH_DISABLED, now);
		note(ret, WATCH_NOTE_DISABLED);
		f->next_log = s ? now + s->disabled_log_interval : 0;
	} else if (watch_settings_problem(s)) {
		enter(f, WATCH_MISCONFIGURED, now);
		f->next_log = 0;
	} else {
		enter(f, WATCH_BOOTING, now);
		f->next_probe = now;
		f->next_log = now + s->log_interval;
	}
}

static void let_go(struct watch_fsm *f, int64_t now, struct watch_effects *ret)
{
	if (f->state != WATCH_DISABLED)
		note(ret, WATCH_NOTE_GONE);
	forget_failure(f);
	f->wanted = WATCH_OP_NONE;
	f->reason = WATCH_FOR_NOTHING;
	f->next_probe = f->next_log = 0;
	f->due = false;
	enter(f, WATCH_ABSENT, now);
}

/* --- the budget ------------------------------------------------------------------------------ */

static uint32_t restarts_within(const struct watch_fsm *f, int64_t window, int64_t now)
{
	uint32_t n = 0;

	for (size_t i = 0; i < f->n_stamps; i++)
		n += f->stamps[i] > now - window;
	return n;
}

uint32_t watch_fsm_budget_left(const struct watch_fsm *f, const struct watch_settings *s,
			       int64_t now)
{
	uint32_t used = restarts_within(f, s->budget_window, now);
	uint32_t budget = s->budget < WATCH_STAMPS_MAX ? s->budget : WATCH_STAMPS_MAX;

	return used < budget ? budget - used : 0;
}

static void stamp(struct watch_fsm *f, int64_t now)
{
	if (f->n_stamps == WATCH_STAMPS_MAX) {
		memmove(f->stamps, f->stamps + 1, (WATCH_STAMPS_MAX - 1) * sizeof(f->stamps[0]));
		f->n_stamps--;
	}
	f->stamps[f->n_stamps++] = now;
}

/* Each restart of the window doubles the pause before the next one. */
static bool backs_off(const struct watch_fsm *f, const struct watch_settings *s, int64_t now)
{
	uint32_t used = restarts_within(f, s->budget_window, now);

	if (used == 0)
		return false;
	return now < f->stamps[f->n_stamps - 1] + (s->boot_time << (used < 10 ? used : 10));
}

/* --- restarting ------------------------------------------------------------------------------ */

static bool is_for_failure(enum watch_reason r)
{
	return r == WATCH_FOR_FAILURE || r == WATCH_FOR_CRASH || r == WATCH_FOR_HANG;
}

static void want(struct watch_fsm *f, enum watch_op op, int64_t now, struct watch_effects *ret)
{
	f->wanted = op;
	f->asked_at = now;
	ret->want = op;
}

/* What is owed to a guest that we may have stopped: a stop if it still runs, else its start. */
static void go_on(struct watch_fsm *f, int64_t now, struct watch_effects *ret)
{
	f->next_try = 0;
	if (f->running) {
		want(f, WATCH_OP_STOP, now, ret);
		return;
	}
	enter(f, WATCH_STARTING, now);
	want(f, WATCH_OP_START, now, ret);
}

static void end_restart(struct watch_fsm *f, struct watch_effects *ret)
{
	f->reason = WATCH_FOR_NOTHING;
	f->wanted = WATCH_OP_NONE;
	f->stopped_by_us = false;
	f->overdue = false;
	f->start_tries = 0;
	f->next_try = 0;
	ret->intent = true;
}

/* The restart is not ours any more. */
static void give_up(struct watch_fsm *f, const struct watch_settings *s, enum watch_note why,
		    int64_t now, struct watch_effects *ret)
{
	end_restart(f, ret);
	note(ret, why);
	if (f->running && f->ours)
		take_up(f, s, now, now, ret);
	else
		let_go(f, now, ret);
}

static void is_back(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		    struct watch_effects *ret)
{
	end_restart(f, ret);
	note(ret, WATCH_NOTE_STARTED);
	take_up(f, s, now, now, ret);
}

static void act(struct watch_fsm *f, enum watch_op op, int64_t now, struct watch_effects *ret)
{
	f->acting = op;
	f->acted_at = now;
	f->overdue = false;
	f->held = BRAKE_NONE;
	ret->act = op;
	ret->intent = true;
	if (op == WATCH_OP_SHUTDOWN) {
		f->stopped_by_us = true;
		f->due = false;
		if (is_for_failure(f->reason))
			stamp(f, now);
		note(ret, WATCH_NOTE_RESTART);
	} else if (op == WATCH_OP_STOP) {
		note(ret, WATCH_NOTE_COMMAND);
	}
	enter(f, op == WATCH_OP_START ? WATCH_STARTING : WATCH_STOPPING, now);
}

/* A brake is told when it is another one than before, and once per log_interval. */
static void tell_held(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
		      int64_t now, struct watch_effects *ret)
{
	if (f->held != b || now >= f->next_log) {
		note(ret, WATCH_NOTE_HELD);
		f->next_log = now + s->log_interval;
	}
	f->held = b;
}

static void hold_restart(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
			 int64_t now, struct watch_effects *ret)
{
	tell_held(f, s, b, now, ret);
	if (is_for_failure(f->reason)) {
		enter(f, WATCH_HELD, now);
		return;
	}
	f->reason = WATCH_FOR_NOTHING;
	f->next_try = now + s->fail_interval;
}

/* Its shutdown was asked for, so that it may still end at any time: nothing is forgotten yet. */
static void hold_stop(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
		      int64_t now, struct watch_effects *ret)
{
	if (b == BRAKE_PERSON || b == BRAKE_ELSEWHERE) {
		give_up(f, s, WATCH_NOTE_CANCELLED, now, ret);
		return;
	}
	tell_held(f, s, b, now, ret);
	f->next_try = now + RETRY_FIRST_MS;
	if (now - f->since >= HELD_STOP_MS)
		give_up(f, s, WATCH_NOTE_ALERT_LEFT, now, ret);
}

static int64_t retry_pause(unsigned int tries)
{
	return min64((int64_t)RETRY_FIRST_MS << (tries < 6 ? tries : 6), RETRY_LONGEST_MS);
}

static void hold_start(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
		       int64_t now, struct watch_effects *ret)
{
	if (b == BRAKE_PERSON) {
		give_up(f, s, WATCH_NOTE_CANCELLED, now, ret);
		return;
	}
	if (b == BRAKE_ELSEWHERE || b == BRAKE_TEMPLATE) {
		give_up(f, s, WATCH_NOTE_ALERT_LEFT, now, ret);
		return;
	}
	if (f->held != b || now >= f->next_log) {
		note(ret, WATCH_NOTE_ALERT_START);
		f->next_log = now + s->log_interval;
	}
	f->held = b;
	f->next_try = now + RETRY_FIRST_MS;
}

static void on_permit(struct watch_fsm *f, const struct watch_settings *s,
		      const struct watch_event *ev, struct watch_effects *ret)
{
	enum watch_op op = f->wanted;

	f->wanted = WATCH_OP_NONE;
	if (op == WATCH_OP_NONE)
		return; /* it has served again meanwhile, or is gone */
	if (ev->brake == BRAKE_NONE)
		act(f, op, ev->now, ret);
	else if (op == WATCH_OP_SHUTDOWN)
		hold_restart(f, s, ev->brake, ev->now, ret);
	else if (op == WATCH_OP_STOP)
		hold_stop(f, s, ev->brake, ev->now, ret);
	else
		hold_start(f, s, ev->brake, ev->now, ret);
}

static void start_done(struct watch_fsm *f, const struct watch_settings *s,
		       const struct watch_event *ev, struct watch_effects *ret)
{
	if (ev->running) {
		is_back(f, s, ev->now, ret);
		return;
	}
	f->next_try = ev->now + retry_pause(f->start_tries++);
	/* Said at once, and again once per log_interval as long as it stays off. */
	if (f->start_tries == 1 || ev->now >= f->next_log) {
		note(ret, WATCH_NOTE_ALERT_START);
		f->next_log = ev->now + s->log_interval;
	}
}

static void stop_done(struct watch_fsm *f, const struct watch_settings *s,
		      const struct watch_event *ev, struct watch_effects *ret)
{
	if (!ev->running) {
		go_on(f, ev->now, ret);
		return;
	}
	if (!ev->ran) {
		f->next_try = ev->now + RETRY_FIRST_MS;
		return;
	}
	end_restart(f, ret);
	forget_failure(f);
	enter(f, WATCH_STUCK, ev->now);
	f->next_probe = ev->now + s->check_interval;
	note(ret, WATCH_NOTE_ALERT_STUCK);
}

static void on_done(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret)
{
	enum watch_op op = f->acting;

	if (op == WATCH_OP_NONE)
		return;
	f->acting = WATCH_OP_NONE;
	f->running = ev->running;
	if (op == WATCH_OP_START)
		start_done(f, s, ev, ret);
	else if (op == WATCH_OP_STOP)
		stop_done(f, s, ev, ret);
	else if (ev->ran)
		go_on(f, ev->now, ret);
	else
		give_up(f, s, WATCH_NOTE_CANCELLED, ev->now, ret);
}

/* --- probing --------------------------------------------------------------------------------- */

/* What QEMU's own word means for acting (decisions 36). Containers have none to say. */
static enum watch_brake qmp_brake(const struct watch_fsm *f)
{
	if (!f->vm)
		return BRAKE_NONE;
	switch (f->qmp) {
	case QMP_RUNNING:
	case QMP_INTERNAL_ERROR:
	case QMP_PANICKED:
		return BRAKE_NONE;
	case QMP_SILENT:
		return f->silent >= SILENT_IS_HUNG ? BRAKE_NONE : BRAKE_QMP_UNSURE;
	case QMP_IO_ERROR:
		return BRAKE_IO_ERROR;
	case QMP_PAUSED:
	case QMP_MIGRATING:
	case QMP_PRELAUNCH:
	case QMP_SHUTDOWN:
	case QMP_WATCHDOG:
		return BRAKE_PAUSED;
	case QMP_NOT_ASKED:
	case QMP_NONSENSE:
	case QMP_CLOSED:
	case QMP_OTHER:
	case QMP_STATE_MAX:
		break;
	}
	return BRAKE_QMP_UNSURE;
}

static enum watch_reason failure_reason(const struct watch_fsm *f)
{
	if (f->vm && (f->qmp == QMP_INTERNAL_ERROR || f->qmp == QMP_PANICKED))
		return WATCH_FOR_CRASH;
	return f->vm && f->qmp == QMP_SILENT ? WATCH_FOR_HANG : WATCH_FOR_FAILURE;
}

/* It has failed for long enough: is there anything of its own against a restart? */
static void judge_failure(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			  struct watch_effects *ret)
{
	enum watch_brake b = qmp_brake(f);

	if (b == BRAKE_IO_ERROR && !f->alerted_io) {
		note(ret, WATCH_NOTE_ALERT_IO_ERROR);
		f->alerted_io = true;
	}
	if (b == BRAKE_NONE && watch_fsm_budget_left(f, s, now) == 0) {
		if (!f->alerted_budget)
			note(ret, WATCH_NOTE_ALERT_BUDGET);
		f->alerted_budget = true;
		f->held = BRAKE_BUDGET;
		enter(f, WATCH_EXHAUSTED, now);
		return;
	}
	if (b == BRAKE_NONE && backs_off(f, s, now))
		b = BRAKE_BACK_OFF;
	f->reason = failure_reason(f);
	if (b != BRAKE_NONE)
		hold_restart(f, s, b, now, ret);
	else
		want(f, WATCH_OP_SHUTDOWN, now, ret);
}

static void count_failure(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			  struct watch_effects *ret)
{
	if (f->bad_since == 0) {
		f->bad_since = now;
		f->bad_for = 0;
		f->wanted = WATCH_OP_NONE; /* a scheduled restart can wait */
		note(ret, WATCH_NOTE_FAILED);
		f->next_log = now + s->log_interval;
		enter(f, WATCH_FAILING, now);
	} else if (f->last_bad) {
		/* A machine that slept has not seen the guest fail all night. */
		f->bad_for += min64(now - f->last_bad, s->fail_interval + ROUND_MS);
	}
	f->last_bad = now;
}

static void on_bad(struct watch_fsm *f, const struct watch_settings *s,
		   const struct watch_event *ev, struct watch_effects *ret)
{
	int64_t left;

	if (f->state == WATCH_STUCK || ev->now < f->boot_from + s->boot_time) {
		f->next_probe = ev->now + min64(s->fail_interval, s->check_interval);
		return;
	}
	f->qmp = ev->qmp;
	f->silent = ev->qmp == QMP_SILENT ? f->silent + 1 : 0;
	count_failure(f, s, ev->now, ret);
	/* What was wanted on other grounds is asked for anew. */
	if (f->wanted && qmp_brake(f) != BRAKE_NONE)
		f->wanted = WATCH_OP_NONE;
	left = s->fail_threshold - f->bad_for;
	f->next_probe = ev->now + (left > 0 ? min64(left, s->fail_interval) : s->fail_interval);
	/* Only now QEMU is asked: its one QMP connection is Proxmox' in the first place. */
	if (f->vm && !f->asked_qmp)
		f->next_probe = ev->now;
	else if (left <= 0 && !f->wanted)
		judge_failure(f, s, ev->now, ret);
}

/* There is no evidence for a restart any more; one for another reason stays wanted. */
static void drop_want(struct watch_fsm *f)
{
	if (!f->wanted || is_for_failure(f->reason)) {
		f->wanted = WATCH_OP_NONE;
		f->reason = WATCH_FOR_NOTHING;
	}
}

static void on_good(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		    struct watch_effects *ret)
{
	if (f->state != WATCH_SERVING) {
		note(ret, WATCH_NOTE_ONLINE);
		f->online_since = now;
		f->next_log = now + s->log_interval;
	}
	forget_failure(f);
	drop_want(f);
	f->alerted_budget = false;
	enter(f, WATCH_SERVING, now);
	f->next_probe = now + s->check_interval;
}

/* Time in which nothing could be told is time in which it did not fail. */
static void on_unknown(struct watch_fsm *f, const struct watch_settings *s, int64_t now)
{
	f->last_bad = 0;
	drop_want(f);
	f->silent = 0;
	f->next_probe = now + (f->bad_since ? s->fail_interval : s->check_interval);
}

static void on_round(struct watch_fsm *f, const struct watch_settings *s,
		     const struct watch_event *ev, struct watch_effects *ret)
{
	f->asked = false;
	if (!is_probed(f) || f->acting)
		return;
	f->verdict = ev->verdict;
	if (ev->verdict == PROBE_GOOD)
		on_good(f, s, ev->now, ret);
	else if (ev->verdict == PROBE_BAD)
		on_bad(f, s, ev, ret);
	else
		on_unknown(f, s, ev->now);
}

/* --- what the node shows --------------------------------------------------------------------- */

static void seen_in_restart(struct watch_fsm *f, const struct watch_settings *s,
			    const struct watch_event *ev, struct watch_effects *ret)
{
	if (f->acting)
		return; /* DONE will say how it went */
	if (!ev->ours)
		give_up(f, s, ev->running ? WATCH_NOTE_CANCELLED : WATCH_NOTE_ALERT_LEFT, ev->now,
			ret);
	else if (ev->running && f->state == WATCH_STARTING)
		is_back(f, s, ev->now, ret);
	else if (!ev->running && f->state == WATCH_STOPPING)
		go_on(f, ev->now, ret);
}

static void on_seen(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret)
{
	bool same = f->running && f->started == ev->started;
	bool was_running = f->running;

	f->running = ev->running;
	f->ours = ev->ours;
	f->started = ev->started;
	if (watch_fsm_restarting(f)) {
		/* Another process than the one we stopped: somebody has started it. */
		if (f->state == WATCH_STOPPING && was_running && ev->running && !same && !f->acting)
			is_back(f, s, ev->now, ret);
		else
			seen_in_restart(f, s, ev, ret);
		return;
	}
	if (!ev->running || !ev->ours) {
		if (f->state != WATCH_ABSENT)
			let_go(f, ev->now, ret);
		return;
	}
	if (f->state != WATCH_ABSENT && same)
		return;
	note(ret, WATCH_NOTE_APPEARED);
	take_up(f, s, ev->started ? ev->started : ev->now, ev->now, ret);
}

static void on_conf(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		    struct watch_effects *ret)
{
	bool watched = s && s->enabled != TRI_NO && !watch_settings_problem(s);

	if (watch_fsm_restarting(f) || f->state == WATCH_ABSENT)
		return;
	if (!watched || !is_probed(f))
		take_up(f, s, f->boot_from, now, ret);
	else
		f->next_probe = now;
}

/* --- time ------------------------------------------------------------------------------------ */

static int64_t command_deadline(const struct watch_fsm *f, const struct watch_settings *s)
{
	return f->acted_at + s->wait_interval + COMMAND_MARGIN_MS;
}

static void time_in_restart(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			    struct watch_effects *ret)
{
	if (f->acting && !f->overdue && now >= command_deadline(f, s)) {
		f->overdue = true;
		note(ret, WATCH_NOTE_ALERT_STUCK);
	}
	if (!f->acting && !f->wanted && f->next_try && now >= f->next_try)
		go_on(f, now, ret);
}

static bool is_due(const struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		   enum watch_reason *ret)
{
	if (f->state != WATCH_SERVING || f->wanted || now < f->next_try)
		return false;
	*ret = f->due ? WATCH_FOR_SCHEDULE : WATCH_FOR_AGE;
	return f->due || (s->restart_after && f->started && now - f->started >= s->restart_after);
}

static void tell_state(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		       struct watch_effects *ret)
{
	if (!f->next_log || now < f->next_log)
		return;
	if (f->state == WATCH_SERVING)
		note(ret, WATCH_NOTE_STILL);
	else if (f->state == WATCH_DISABLED)
		note(ret, WATCH_NOTE_DISABLED);
	else if (f->state == WATCH_FAILING || f->state == WATCH_EXHAUSTED)
		note(ret, WATCH_NOTE_FAILED);
	f->next_log =
		now + (f->state == WATCH_DISABLED ? s->disabled_log_interval : s->log_interval);
}

static void time_in_watch(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			  struct watch_effects *ret)
{
	if (f->due && now >= f->due_until) {
		f->due = false;
		note(ret, WATCH_NOTE_SKIPPED);
	}
	if (is_due(f, s, now, &f->reason))
		want(f, WATCH_OP_SHUTDOWN, now, ret);
	if (is_probed(f) && !f->asked && now >= f->next_probe) {
		f->asked = true;
		f->asked_qmp = f->vm && f->bad_since != 0;
		ret->probe = true;
		ret->probe_qmp = f->asked_qmp;
	}
	if (f->state != WATCH_HELD)
		tell_state(f, s, now, ret);
}

static void on_time(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret)
{
	struct watch_event blind = { .kind = WATCH_EV_PERMIT,
				     .now = ev->now,
				     .brake = BRAKE_BLIND };

	if (f->wanted && ev->now >= f->asked_at + PERMIT_MS)
		on_permit(f, s, &blind, ret);
	if (watch_fsm_restarting(f))
		time_in_restart(f, s, ev->now, ret);
	else
		time_in_watch(f, s, ev->now, ret);
}

static void on_due(struct watch_fsm *f, int64_t now)
{
	if (!is_probed(f))
		return;
	f->due = true;
	f->due_until = now + DUE_MS;
	f->next_try = 0;
}

/* A guest whose file went away in the middle of a restart still gets its start. */
static const struct watch_settings *or_default(const struct watch_settings *s,
					       struct watch_settings *fallback)
{
	if (s)
		return s;
	watch_settings_default(fallback);
	fallback->enabled = TRI_NO;
	return fallback;
}

void watch_fsm_step(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret)
{
	struct watch_settings fallback;

	s = or_default(s, &fallback);
	*ret = (struct watch_effects){};
	switch (ev->kind) {
	case WATCH_EV_SEEN:
		on_seen(f, s, ev, ret);
		break;
	case WATCH_EV_ROUND:
		on_round(f, s, ev, ret);
		break;
	case WATCH_EV_PERMIT:
		on_permit(f, s, ev, ret);
		break;
	case WATCH_EV_DONE:
		on_done(f, s, ev, ret);
		break;
	case WATCH_EV_TIME:
		on_time(f, s, ev, ret);
		break;
	case WATCH_EV_CONF:
		on_conf(f, s, ev->now, ret);
		break;
	case WATCH_EV_DUE:
		on_due(f, ev->now);
		break;
	case WATCH_EV_MAX:
		break;
	}
}

void watch_fsm_resume(struct watch_fsm *f, enum watch_op op, enum watch_reason reason, int64_t now,
		      int64_t from)
{
	f->reason = reason;
	f->stopped_by_us = true;
	enter(f, op == WATCH_OP_START ? WATCH_STARTING : WATCH_STOPPING, now);
	f->next_try = from;
}

static void earliest(int64_t *t, int64_t candidate)
{
	if (candidate && candidate < *t)
		*t = candidate;
}

int64_t watch_fsm_next(const struct watch_fsm *f, const struct watch_settings *s)
{
	int64_t t = INT64_MAX;
	struct watch_settings fallback;

	s = or_default(s, &fallback);
	if (f->wanted)
		earliest(&t, f->asked_at + PERMIT_MS);
	if (watch_fsm_restarting(f)) {
		if (f->acting && !f->overdue)
			earliest(&t, command_deadline(f, s));
		if (!f->acting && !f->wanted)
			earliest(&t, f->next_try);
		return t;
	}
	if (is_probed(f) && !f->asked)
		earliest(&t, f->next_probe);
	if (f->state != WATCH_HELD)
		earliest(&t, f->next_log);
	if (f->due)
		earliest(&t, f->due_until);
	if (f->due && f->state == WATCH_SERVING && !f->wanted)
		earliest(&t, f->next_try ? f->next_try : f->since);
	if (f->state == WATCH_SERVING && !f->wanted && s->restart_after && f->started)
		earliest(&t, f->next_try > f->started + s->restart_after
				     ? f->next_try
				     : f->started + s->restart_after);
	return t;
}

static const char *const state_names[WATCH_STATE_MAX] = {
	[WATCH_ABSENT] = "absent",
	[WATCH_DISABLED] = "disabled",
	[WATCH_MISCONFIGURED] = "misconfigured",
	[WATCH_BOOTING] = "booting",
	[WATCH_SERVING] = "serving",
	[WATCH_FAILING] = "failing",
	[WATCH_HELD] = "held",
	[WATCH_STOPPING] = "stopping",
	[WATCH_STARTING] = "starting",
	[WATCH_EXHAUSTED] = "exhausted",
	[WATCH_STUCK] = "stuck",
};

const char *watch_state_name(enum watch_state s)
{
	return state_names[s];
}
