/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/fsm_inside.h"

enum {
	CLEAN_UP_MS = 60 * 1000,
	CLEAN_UP_AGAIN_MS = 1500,
	RETRY_FIRST_MS = 10 * 1000,
	RETRY_LONGEST_MS = 300 * 1000,
	HELD_STOP_MS = 15 * 60 * 1000, /* a stop that a brake holds is given up then */
};

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
bool fsm_backs_off(const struct watch_fsm *f, const struct watch_settings *s, int64_t now)
{
	uint32_t used = restarts_within(f, s->budget_window, now);

	if (used == 0)
		return false;
	return now < f->stamps[f->n_stamps - 1] + (s->boot_time << (used < 10 ? used : 10));
}

/* --- restarting ------------------------------------------------------------------------------ */

bool fsm_is_for_failure(enum watch_reason r)
{
	return r == WATCH_FOR_FAILURE || r == WATCH_FOR_CRASH || r == WATCH_FOR_HANG;
}

void fsm_want(struct watch_fsm *f, enum watch_op op, int64_t now, struct watch_effects *ret)
{
	f->wanted = op;
	f->asked_at = now;
	ret->want = op;
}

/* What is owed to a guest that we may have stopped: a stop if it still runs, else its start. */
void fsm_go_on(struct watch_fsm *f, int64_t now, struct watch_effects *ret)
{
	f->next_try = 0;
	if (f->running) {
		fsm_want(f, WATCH_OP_STOP, now, ret);
		return;
	}
	fsm_enter(f, WATCH_STARTING, now);
	fsm_want(f, WATCH_OP_START, now, ret);
}

static void end_restart(struct watch_fsm *f, struct watch_effects *ret)
{
	f->reason = WATCH_FOR_NOTHING;
	f->wanted = WATCH_OP_NONE;
	f->stopped_by_us = false;
	f->start_tries = 0;
	f->next_try = 0;
	ret->intent = true;
}

/* The restart is not ours any more. */
void fsm_give_up(struct watch_fsm *f, const struct watch_settings *s, enum watch_note why,
		 int64_t now, struct watch_effects *ret)
{
	end_restart(f, ret);
	fsm_note(ret, why);
	if (f->running && f->ours)
		fsm_take_up(f, s, now, now, ret);
	else
		fsm_let_go(f, now, ret);
}

void fsm_is_back(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		 struct watch_effects *ret)
{
	end_restart(f, ret);
	fsm_note(ret, WATCH_NOTE_STARTED);
	fsm_take_up(f, s, now, now, ret);
}

static void act(struct watch_fsm *f, enum watch_op op, int64_t now, struct watch_effects *ret)
{
	f->acting = op;
	f->acted_at = now;
	f->held = BRAKE_NONE;
	ret->act = op;
	ret->intent = true;
	if (op != WATCH_OP_START)
		f->acted_on = f->started;
	if (op == WATCH_OP_SHUTDOWN) {
		f->stopped_by_us = true;
		f->due = false;
		if (fsm_is_for_failure(f->reason))
			stamp(f, now);
		fsm_note(ret, WATCH_NOTE_RESTART);
	} else if (op == WATCH_OP_STOP) {
		fsm_note(ret, WATCH_NOTE_COMMAND);
	}
	fsm_enter(f, op == WATCH_OP_START ? WATCH_STARTING : WATCH_STOPPING, now);
}

/* A brake is told when it is another one than before, and once per log_interval. */
static void tell_held(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
		      int64_t now, struct watch_effects *ret)
{
	if (f->held != b || now >= f->next_log) {
		fsm_note(ret, WATCH_NOTE_HELD);
		f->next_log = now + s->log_interval;
	}
	f->held = b;
}

void fsm_hold(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b, int64_t now,
	      struct watch_effects *ret)
{
	tell_held(f, s, b, now, ret);
	if (fsm_is_for_failure(f->reason)) {
		fsm_enter(f, WATCH_HELD, now);
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
		fsm_give_up(f, s, WATCH_NOTE_CANCELLED, now, ret);
		return;
	}
	tell_held(f, s, b, now, ret);
	f->next_try = now + RETRY_FIRST_MS;
	if (now - f->since >= HELD_STOP_MS)
		fsm_get_stuck(f, s, now, ret);
}

static int64_t retry_pause(unsigned int tries)
{
	return min64((int64_t)RETRY_FIRST_MS << (tries < 6 ? tries : 6), RETRY_LONGEST_MS);
}

static void hold_start(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b,
		       int64_t now, struct watch_effects *ret)
{
	if (b == BRAKE_PERSON) {
		fsm_give_up(f, s, WATCH_NOTE_CANCELLED, now, ret);
		return;
	}
	if (b == BRAKE_ELSEWHERE || b == BRAKE_TEMPLATE) {
		fsm_give_up(f, s, WATCH_NOTE_ALERT_LEFT, now, ret);
		return;
	}
	/* Proxmox itself cleans up after each guest that ends, under its lock, for a moment. */
	if (b == BRAKE_TASK && now - f->since < CLEAN_UP_MS) {
		f->next_try = now + CLEAN_UP_AGAIN_MS;
		return;
	}
	if (f->held != b || now >= f->next_log) {
		fsm_note(ret, WATCH_NOTE_ALERT_START);
		f->next_log = now + s->log_interval;
	}
	f->held = b;
	f->next_try = now + RETRY_FIRST_MS;
}

void fsm_on_permit(struct watch_fsm *f, const struct watch_settings *s,
		   const struct watch_event *ev, struct watch_effects *ret)
{
	enum watch_op op = f->wanted;

	f->wanted = WATCH_OP_NONE;
	if (op == WATCH_OP_NONE)
		return; /* it has served again meanwhile, or is gone */
	if (ev->brake == BRAKE_NONE)
		act(f, op, ev->now, ret);
	else if (op == WATCH_OP_SHUTDOWN)
		fsm_hold(f, s, ev->brake, ev->now, ret);
	else if (op == WATCH_OP_STOP)
		hold_stop(f, s, ev->brake, ev->now, ret);
	else
		hold_start(f, s, ev->brake, ev->now, ret);
}

static void start_done(struct watch_fsm *f, const struct watch_settings *s,
		       const struct watch_event *ev, struct watch_effects *ret)
{
	if (ev->running) {
		fsm_is_back(f, s, ev->now, ret);
		return;
	}
	f->next_try = ev->now + retry_pause(f->start_tries++);
	/* Said at once, and again once per log_interval as long as it stays off. */
	if (f->start_tries == 1 || ev->now >= f->next_log) {
		fsm_note(ret, WATCH_NOTE_ALERT_START);
		f->next_log = ev->now + s->log_interval;
	}
}

void fsm_get_stuck(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		   struct watch_effects *ret)
{
	fsm_forget_failure(f);
	f->next_try = 0;
	f->next_probe = now + s->check_interval;
	fsm_enter(f, WATCH_STUCK, now);
	fsm_note(ret, WATCH_NOTE_ALERT_STUCK);
}

void fsm_forgive(struct watch_fsm *f, struct watch_effects *ret)
{
	if (f->stopped_by_us)
		end_restart(f, ret);
}

static void stop_done(struct watch_fsm *f, const struct watch_settings *s,
		      const struct watch_event *ev, struct watch_effects *ret)
{
	if (!ev->running) {
		fsm_go_on(f, ev->now, ret);
		return;
	}
	if (!ev->ran) {
		f->next_try = ev->now + RETRY_FIRST_MS;
		return;
	}
	fsm_get_stuck(f, s, ev->now, ret);
}

/* Nothing has happened, so nothing is taken from the budget. */
static void not_begun(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		      struct watch_effects *ret)
{
	if (fsm_is_for_failure(f->reason) && f->n_stamps)
		f->n_stamps--;
	fsm_give_up(f, s, WATCH_NOTE_CANCELLED, now, ret);
}

void fsm_on_done(struct watch_fsm *f, const struct watch_settings *s, const struct watch_event *ev,
		 struct watch_effects *ret)
{
	enum watch_op op = f->acting;

	if (op == WATCH_OP_NONE)
		return;
	f->acting = WATCH_OP_NONE;
	f->running = ev->running;
	if (op == WATCH_OP_START)
		start_done(f, s, ev, ret);
	else if (ev->running && ev->started != f->acted_on)
		fsm_is_back(f, s, ev->now, ret); /* it has ended, and somebody has started it */
	else if (op == WATCH_OP_STOP)
		stop_done(f, s, ev, ret);
	else if (ev->ran)
		fsm_go_on(f, ev->now, ret);
	else
		not_begun(f, s, ev->now, ret);
}
