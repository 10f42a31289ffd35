/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/fsm_inside.h"

enum {
	COMMAND_MARGIN_MS = 120 * 1000, /* beyond its own time-out, with systemd\'s */
	START_MS = 300 * 1000,
	PERMIT_MS = 30 * 1000, /* an unanswered question counts as "cannot tell" */
	DUE_MS = 3600 * 1000,  /* a scheduled restart is tried for so long */
};

void watch_fsm_init(struct watch_fsm *f, bool vm, int64_t now)
{
	*f = (struct watch_fsm){ .state = WATCH_ABSENT, .vm = vm, .since = now };
}

void fsm_note(struct watch_effects *ret, enum watch_note n)
{
	if (ret->n_notes < WATCH_NOTES_MAX)
		ret->notes[ret->n_notes++] = n;
}

void fsm_enter(struct watch_fsm *f, enum watch_state state, int64_t now)
{
	if (f->state != state)
		f->since = now;
	f->state = state;
}

bool fsm_is_probed(const struct watch_fsm *f)
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
	case WATCH_OFF:
	case WATCH_STATE_MAX:
		break;
	}
	return false;
}

void fsm_forget_failure(struct watch_fsm *f)
{
	f->bad_since = f->bad_for = f->last_bad = 0;
	f->silent = 0;
	f->qmp = QMP_NOT_ASKED;
	f->held = BRAKE_NONE;
	f->alerted_io = false;
}

/* The guest runs here: from now on it is watched, if it is to be. */
void fsm_take_up(struct watch_fsm *f, const struct watch_settings *s, int64_t from, int64_t now,
		 struct watch_effects *ret)
{
	fsm_forget_failure(f);
	f->wanted = WATCH_OP_NONE;
	f->reason = WATCH_FOR_NOTHING;
	f->due = false;
	f->next_probe = 0;
	f->boot_from = from;
	f->online_since = 0;
	if (!s || s->enabled == TRI_NO) {
		fsm_enter(f, WATCH_DISABLED, now);
		fsm_note(ret, WATCH_NOTE_DISABLED);
		f->next_log = s ? now + s->disabled_log_interval : 0;
	} else if (watch_settings_problem(s)) {
		fsm_enter(f, WATCH_MISCONFIGURED, now);
		f->next_log = 0;
	} else {
		fsm_enter(f, WATCH_BOOTING, now);
		f->next_probe = now;
		f->next_log = now + s->log_interval;
	}
}

void fsm_let_go(struct watch_fsm *f, int64_t now, struct watch_effects *ret)
{
	if (f->state != WATCH_DISABLED)
		fsm_note(ret, WATCH_NOTE_GONE);
	fsm_forget_failure(f);
	f->wanted = WATCH_OP_NONE;
	f->reason = WATCH_FOR_NOTHING;
	f->next_probe = f->next_log = 0;
	f->due = false;
	fsm_enter(f, WATCH_ABSENT, now);
}

/* --- what the node shows --------------------------------------------------------------------- */

static void seen_in_restart(struct watch_fsm *f, const struct watch_settings *s,
			    const struct watch_event *ev, struct watch_effects *ret)
{
	if (f->acting)
		return; /* DONE will say how it went */
	if (!ev->ours)
		fsm_give_up(f, s, ev->running ? WATCH_NOTE_CANCELLED : WATCH_NOTE_ALERT_LEFT,
			    ev->now, ret);
	else if (ev->running && f->state == WATCH_STARTING)
		fsm_is_back(f, s, ev->now, ret);
	else if (!ev->running && f->state != WATCH_STARTING)
		fsm_go_on(f, ev->now, ret);
}

static void on_seen(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret)
{
	bool same = f->running && f->started == ev->started;
	bool was_running = f->running;

	f->running = ev->running;
	f->ours = ev->ours;
	f->started = ev->started;
	if (fsm_owes(f)) {
		/* Another process than the one we stopped: somebody has started it. */
		if (f->state != WATCH_STARTING && was_running && ev->running && !same && !f->acting)
			fsm_is_back(f, s, ev->now, ret);
		else
			seen_in_restart(f, s, ev, ret);
		return;
	}
	if (!ev->running || !ev->ours) {
		if (f->state != WATCH_ABSENT)
			fsm_let_go(f, ev->now, ret);
		return;
	}
	if (f->state != WATCH_ABSENT && same)
		return;
	fsm_note(ret, WATCH_NOTE_APPEARED);
	fsm_take_up(f, s, ev->started ? ev->started : ev->now, ev->now, ret);
}

static void on_conf(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		    struct watch_effects *ret)
{
	bool watched = s && s->enabled != TRI_NO && !watch_settings_problem(s);

	if (fsm_owes(f) || f->state == WATCH_ABSENT)
		return;
	if (!watched || !fsm_is_probed(f))
		fsm_take_up(f, s, f->boot_from, now, ret);
	else
		f->next_probe = now;
}

/* --- time ------------------------------------------------------------------------------------ */

static int64_t command_deadline(const struct watch_fsm *f, const struct watch_settings *s)
{
	return f->acted_at + COMMAND_MARGIN_MS +
	       (f->acting == WATCH_OP_START ? START_MS : s->wait_interval);
}

static void time_in_restart(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			    struct watch_effects *ret)
{
	struct watch_event lost = { .kind = WATCH_EV_DONE,
				    .now = now,
				    .running = f->running,
				    .started = f->started,
				    .ran = true };

	/* systemd has ended it long ago, and its word was lost. Should it live all the same, its
	 * task and its lock hold whatever comes next. */
	if (f->acting && now >= command_deadline(f, s))
		fsm_on_done(f, s, &lost, ret);
	if (!f->acting && !f->wanted && f->next_try && now >= f->next_try)
		fsm_go_on(f, now, ret);
}

static bool is_due(const struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		   enum watch_reason *ret)
{
	bool old = s->restart_after && f->started && now - f->started >= s->restart_after;

	if (f->state != WATCH_SERVING || f->wanted || now < f->next_try || (!f->due && !old))
		return false;
	*ret = f->due ? WATCH_FOR_SCHEDULE : WATCH_FOR_AGE;
	return true;
}

static void tell_state(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		       struct watch_effects *ret)
{
	if (!f->next_log || now < f->next_log)
		return;
	if (f->state == WATCH_SERVING)
		fsm_note(ret, WATCH_NOTE_STILL);
	else if (f->state == WATCH_DISABLED)
		fsm_note(ret, WATCH_NOTE_DISABLED);
	else if (f->state == WATCH_FAILING || f->state == WATCH_EXHAUSTED)
		fsm_note(ret, WATCH_NOTE_FAILED);
	f->next_log =
		now + (f->state == WATCH_DISABLED ? s->disabled_log_interval : s->log_interval);
}

static void time_in_watch(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			  struct watch_effects *ret)
{
	if (f->due && now >= f->due_until) {
		f->due = false;
		fsm_note(ret, WATCH_NOTE_SKIPPED);
	}
	if (is_due(f, s, now, &f->reason))
		fsm_want(f, WATCH_OP_SHUTDOWN, now, ret);
	if (fsm_is_probed(f) && !f->asked && now >= f->next_probe) {
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
		fsm_on_permit(f, s, &blind, ret);
	if (watch_fsm_restarting(f))
		time_in_restart(f, s, ev->now, ret);
	else
		time_in_watch(f, s, ev->now, ret);
}

static void on_due(struct watch_fsm *f, int64_t now)
{
	if (!fsm_is_probed(f))
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
		fsm_on_round(f, s, ev, ret);
		break;
	case WATCH_EV_PERMIT:
		fsm_on_permit(f, s, ev, ret);
		break;
	case WATCH_EV_DONE:
		fsm_on_done(f, s, ev, ret);
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
	fsm_enter(f, op == WATCH_OP_START ? WATCH_STARTING : WATCH_STOPPING, now);
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
		if (f->acting)
			earliest(&t, command_deadline(f, s));
		if (!f->acting && !f->wanted)
			earliest(&t, f->next_try);
		return t;
	}
	if (fsm_is_probed(f) && !f->asked)
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
