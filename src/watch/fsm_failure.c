/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/fsm_inside.h"

enum {
	SILENT_IS_HUNG = 3,  /* times in a row; Proxmox itself may hold QMP for some seconds */
	ROUND_MS = 5 * 1000, /* what a round may take beyond its interval */
};

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
		fsm_note(ret, WATCH_NOTE_ALERT_IO_ERROR);
		f->alerted_io = true;
	}
	if (b == BRAKE_NONE && watch_fsm_budget_left(f, s, now) == 0) {
		if (!f->alerted_budget)
			fsm_note(ret, WATCH_NOTE_ALERT_BUDGET);
		f->alerted_budget = true;
		f->held = BRAKE_BUDGET;
		fsm_enter(f, WATCH_EXHAUSTED, now);
		return;
	}
	if (b == BRAKE_NONE && fsm_backs_off(f, s, now))
		b = BRAKE_BACK_OFF;
	f->reason = failure_reason(f);
	if (b != BRAKE_NONE)
		fsm_hold(f, s, b, now, ret);
	else
		fsm_want(f, WATCH_OP_SHUTDOWN, now, ret);
}

static void count_failure(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
			  struct watch_effects *ret)
{
	if (f->bad_since == 0) {
		f->bad_since = f->failed_at = now;
		f->bad_for = 0;
		f->wanted = WATCH_OP_NONE; /* a scheduled restart can wait */
		fsm_note(ret, WATCH_NOTE_FAILED);
		f->next_log = now + s->log_interval;
		fsm_enter(f, WATCH_FAILING, now);
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
	if (!f->wanted || fsm_is_for_failure(f->reason)) {
		f->wanted = WATCH_OP_NONE;
		f->reason = WATCH_FOR_NOTHING;
	}
}

static void on_good(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		    struct watch_effects *ret)
{
	if (f->state != WATCH_SERVING) {
		fsm_note(ret, WATCH_NOTE_ONLINE);
		f->online_since = now;
		f->next_log = now + s->log_interval;
	}
	fsm_forget_failure(f);
	fsm_forgive(f, ret);
	f->failed_at = 0;
	drop_want(f);
	f->alerted_budget = false;
	fsm_enter(f, WATCH_SERVING, now);
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

void fsm_on_round(struct watch_fsm *f, const struct watch_settings *s, const struct watch_event *ev,
		  struct watch_effects *ret)
{
	f->asked = false;
	if (!fsm_is_probed(f) || f->acting)
		return;
	f->verdict = ev->verdict;
	if (ev->verdict == PROBE_GOOD)
		on_good(f, s, ev->now, ret);
	else if (ev->verdict == PROBE_BAD)
		on_bad(f, s, ev, ret);
	else
		on_unknown(f, s, ev->now);
}
