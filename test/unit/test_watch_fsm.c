/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The watch's state machine. What must always hold, whatever happens:
 *  1. never a command while another one of the same guest has not ended;
 *  2. no command that was not permitted by the event before, and only the one that was wanted;
 *  3. a command that may have stopped the guest is followed by its start or by an alert;
 *  4. never more restarts for failures within the window than the budget;
 *  5. none for a failure while QEMU says that it is paused, migrating or has an I/O error;
 *  6. time goes on: an event of time at next() leads to another next();
 *  7. what was asked (a round, a permit) is not asked twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "watch/fsm.h"

enum { SECOND = 1000 };

static struct watch_settings settings(void)
{
	struct watch_settings s;

	watch_settings_default(&s);
	s.enabled = TRI_YES;
	s.n_ports_all = 1;
	s.ports_all[0] = 80;
	(void)snprintf(s.ip, sizeof(s.ip), "192.0.2.1");
	s.check_interval = 10 * SECOND;
	s.fail_interval = 5 * SECOND;
	s.fail_threshold = 30 * SECOND;
	s.wait_interval = 15 * SECOND;
	s.boot_time = 60 * SECOND;
	s.budget = 3;
	s.budget_window = 6 * 3600 * SECOND;
	return s;
}

/* --- a world around one machine, which checks every step -------------------------------------- */

struct world {
	struct watch_fsm f;
	struct watch_settings s;
	int64_t now;
	/* what it was told last */
	bool running, ours;
	int64_t started;
	enum watch_op pending; /* command under way */
	enum watch_op wanted;  /* permit asked for */
	bool asked;	       /* round asked for */
	bool owed, counted;
	int64_t acted_at;
	enum probe_qmp qmp;	/* of the last bad round */
	int64_t restarts[4096]; /* for failures */
	size_t n_restarts;
	unsigned int starts, alerts, wants;
	struct watch_effects last;
};

static const char *state_of(const struct world *w)
{
	return watch_state_name(w->f.state);
}

static void check_budget(struct world *w)
{
	uint32_t n = 0;

	assert_true(w->n_restarts < 4096);
	w->restarts[w->n_restarts++] = w->now;
	for (size_t i = 0; i < w->n_restarts; i++)
		n += w->restarts[i] > w->now - w->s.budget_window;
	assert_true(n <= w->s.budget);
}

static bool may_restart(const struct world *w)
{
	if (!w->f.vm)
		return true;
	return w->qmp == QMP_RUNNING || w->qmp == QMP_PANICKED || w->qmp == QMP_INTERNAL_ERROR ||
	       w->qmp == QMP_SILENT;
}

static void check_act(struct world *w, const struct watch_event *ev)
{
	enum watch_op op = w->last.act;

	assert_int_equal(w->pending, WATCH_OP_NONE);
	assert_int_equal(ev->kind, WATCH_EV_PERMIT);
	assert_int_equal(ev->brake, BRAKE_NONE);
	assert_int_equal(op, w->wanted);
	assert_true(w->last.intent);
	assert_true(w->f.stopped_by_us);
	w->counted = op == WATCH_OP_SHUTDOWN && w->f.reason < WATCH_FOR_SCHEDULE;
	if (w->counted) {
		check_budget(w);
		assert_true(may_restart(w));
	}
	w->pending = op;
	w->acted_at = w->now;
	w->owed = true;
	w->starts += op == WATCH_OP_START;
}

static bool has_note(const struct watch_effects *e, enum watch_note n)
{
	for (size_t i = 0; i < e->n_notes; i++)
		if (e->notes[i] == n)
			return true;
	return false;
}

/* The debt ends with the start, with an alert, or with somebody else having it. */
static void check_debt(struct world *w)
{
	if (w->owed && !w->f.stopped_by_us) {
		assert_true(has_note(&w->last, WATCH_NOTE_STARTED) ||
			    has_note(&w->last, WATCH_NOTE_CANCELLED) ||
			    has_note(&w->last, WATCH_NOTE_ALERT_LEFT) ||
			    has_note(&w->last, WATCH_NOTE_ONLINE));
		assert_true(w->last.intent);
		w->owed = false;
	}
	assert_int_equal(w->owed, w->f.stopped_by_us);
	if (w->owed)
		assert_true(watch_fsm_restarting(&w->f) || w->f.state == WATCH_STUCK);
}

static void step(struct world *w, struct watch_event ev)
{
	ev.now = w->now;
	watch_fsm_step(&w->f, &w->s, &ev, &w->last);
	assert_in_range(w->f.state, 0, WATCH_STATE_MAX - 1);
	if (ev.kind == WATCH_EV_ROUND) {
		w->asked = false;
		if (ev.verdict == PROBE_BAD)
			w->qmp = ev.qmp;
	}
	if (ev.kind == WATCH_EV_DONE) {
		/* What never began is not counted. */
		if (w->pending == WATCH_OP_SHUTDOWN && !ev.ran && w->counted)
			w->n_restarts--;
		w->pending = WATCH_OP_NONE;
	}
	/* A command whose end was lost counts as ended long after systemd has ended it. */
	if (ev.kind == WATCH_EV_TIME && w->pending && !w->f.acting) {
		assert_true(w->now - w->acted_at >= 120 * SECOND);
		w->pending = WATCH_OP_NONE;
	}
	if (w->last.act)
		check_act(w, &ev);
	check_debt(w);
	if (ev.kind == WATCH_EV_PERMIT)
		w->wanted = WATCH_OP_NONE;
	if (w->last.want) {
		assert_false(w->last.act);
		assert_int_equal(w->f.wanted, w->last.want);
		w->wanted = w->last.want;
		w->wants++;
	}
	w->wanted = w->f.wanted;
	assert_false(w->f.wanted && w->f.acting);
	assert_int_equal(w->f.acting, w->pending);
	if (w->last.probe) {
		assert_false(w->asked);
		w->asked = true;
	}
	for (size_t i = 0; i < w->last.n_notes; i++)
		w->alerts += w->last.notes[i] >= WATCH_NOTE_ALERT_BUDGET;
}

static void seen(struct world *w, bool running, bool ours, int64_t started)
{
	w->running = running;
	w->ours = ours;
	w->started = started;
	step(w,
	     (struct watch_event){
		     .kind = WATCH_EV_SEEN, .running = running, .ours = ours, .started = started });
}

static void round_of(struct world *w, enum probe_result verdict, enum probe_qmp qmp)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_ROUND, .verdict = verdict, .qmp = qmp });
}

static void answer(struct world *w, enum watch_brake b)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_PERMIT, .brake = b });
}

static void done(struct world *w, bool running, bool ok)
{
	w->running = running;
	step(w, (struct watch_event){ .kind = WATCH_EV_DONE,
				      .running = running,
				      .ours = true,
				      .started = w->started,
				      .ran = true,
				      .ok = ok });
}

static void time_event(struct world *w)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_TIME });
}

static struct world world(void)
{
	struct world w = { .s = settings(), .now = 1000 * SECOND };

	watch_fsm_init(&w.f, true, w.now);
	return w;
}

/* Runs until @until, answering each round with that verdict, and no permit. */
static void pass(struct world *w, int64_t until, enum probe_result verdict, enum probe_qmp qmp)
{
	while (w->now < until && !w->wanted) {
		int64_t next = watch_fsm_next(&w->f, &w->s);

		if (next >= until) {
			w->now = until;
			break;
		}
		w->now = next > w->now ? next : w->now;
		time_event(w);
		if (w->asked)
			round_of(w, verdict, w->last.probe_qmp ? qmp : QMP_NOT_ASKED);
	}
}

static struct world serving(void)
{
	struct world w = world();

	seen(&w, true, true, w.now - 3600 * SECOND);
	assert_string_equal(state_of(&w), "booting");
	pass(&w, w.now + 1, PROBE_GOOD, QMP_NOT_ASKED);
	assert_string_equal(state_of(&w), "serving");
	return w;
}

/* --- the ordinary way ------------------------------------------------------------------------ */

static void restarts_what_fails(void **state)
{
	struct world w = serving();
	int64_t begun;

	(void)state;
	pass(&w, w.now + 10 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	begun = w.now;
	pass(&w, w.now + 300 * SECOND, PROBE_BAD, QMP_RUNNING);
	assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
	assert_in_range(w.now - begun, 30 * SECOND, 45 * SECOND);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_SHUTDOWN);
	assert_true(has_note(&w.last, WATCH_NOTE_RESTART));
	w.now += 10 * SECOND;
	done(&w, false, true);
	assert_int_equal(w.wanted, WATCH_OP_START);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_START);
	w.now += 2 * SECOND;
	done(&w, true, true);
	assert_string_equal(state_of(&w), "booting");
	assert_int_equal(watch_fsm_budget_left(&w.f, &w.s, w.now), 2);
	seen(&w, true, true, w.now);
	/* Nothing is expected of it while it boots. */
	pass(&w, w.now + 59 * SECOND, PROBE_BAD, QMP_NOT_ASKED);
	assert_string_equal(state_of(&w), "booting");
	pass(&w, w.now + 2 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	assert_string_equal(state_of(&w), "serving");
	assert_int_equal(w.alerts, 0);
}

static void shutdown_stop_start(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 300 * SECOND, PROBE_BAD, QMP_SILENT);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.f.reason, WATCH_FOR_HANG);
	done(&w, true, false);
	assert_int_equal(w.wanted, WATCH_OP_STOP);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_STOP);
	done(&w, false, true);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_START);
	/* Brought back, but the start failed: said, tried again. */
	done(&w, false, false);
	assert_true(has_note(&w.last, WATCH_NOTE_ALERT_START));
	w.now = watch_fsm_next(&w.f, &w.s);
	time_event(&w);
	assert_int_equal(w.wanted, WATCH_OP_START);
	answer(&w, BRAKE_NONE);
	done(&w, true, true);
	assert_string_equal(state_of(&w), "booting");
}

static void does_nothing_without_reason(void **state)
{
	static const enum probe_qmp never[] = {
		QMP_PAUSED,   QMP_MIGRATING, QMP_PRELAUNCH, QMP_IO_ERROR, QMP_SHUTDOWN,
		QMP_WATCHDOG, QMP_OTHER,     QMP_NONSENSE,  QMP_CLOSED,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		struct world w = serving();

		pass(&w, w.now + 3600 * SECOND, PROBE_BAD, never[i]);
		assert_int_equal(w.wants, 0);
		assert_string_equal(state_of(&w), "held");
		assert_int_equal(w.alerts, never[i] == QMP_IO_ERROR);
		pass(&w, w.now + 60 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
		assert_string_equal(state_of(&w), "serving");
	}
}

static void unknown_is_never_a_reason(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 3600 * SECOND, PROBE_UNKNOWN, QMP_RUNNING);
	assert_int_equal(w.wants, 0);
	/* Failures with gaps of not knowing in between add up only for what was known. */
	for (int i = 0; i < 20; i++) {
		pass(&w, w.now + 6 * SECOND, PROBE_BAD, QMP_RUNNING);
		pass(&w, w.now + 60 * SECOND, PROBE_UNKNOWN, QMP_RUNNING);
		if (i < 4)
			assert_int_equal(w.wants, 0);
	}
}

static void asks_qmp_only_after_a_failure(void **state)
{
	struct world w = serving();

	(void)state;
	for (int i = 0; i < 10; i++) {
		w.now = watch_fsm_next(&w.f, &w.s);
		time_event(&w);
		assert_false(w.last.probe_qmp);
		round_of(&w, PROBE_GOOD, QMP_NOT_ASKED);
	}
	w.now = watch_fsm_next(&w.f, &w.s);
	time_event(&w);
	round_of(&w, PROBE_BAD, QMP_NOT_ASKED);
	assert_int_equal(watch_fsm_next(&w.f, &w.s), w.now);
	time_event(&w);
	assert_true(w.last.probe_qmp);
}

static void containers_have_no_qmp(void **state)
{
	struct world w = world();

	(void)state;
	w.f.vm = false;
	seen(&w, true, true, 0);
	w.now += 61 * SECOND;
	pass(&w, w.now + 600 * SECOND, PROBE_BAD, QMP_NOT_ASKED);
	assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
}

static void a_sleeping_machine_proves_nothing(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 12 * SECOND, PROBE_BAD, QMP_RUNNING);
	w.now += 8 * 3600 * SECOND;
	time_event(&w);
	round_of(&w, PROBE_BAD, QMP_RUNNING);
	assert_int_equal(w.wants, 0);
}

static void budget_then_alert(void **state)
{
	struct world w = serving();

	(void)state;
	for (int i = 0; i < 3; i++) {
		pass(&w, w.now + 3600 * SECOND, PROBE_BAD, QMP_RUNNING);
		assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
		answer(&w, BRAKE_NONE);
		done(&w, false, true);
		answer(&w, BRAKE_NONE);
		done(&w, true, true);
		seen(&w, true, true, w.now);
	}
	pass(&w, w.now + 3600 * SECOND, PROBE_BAD, QMP_RUNNING);
	assert_int_equal(w.wanted, WATCH_OP_NONE);
	assert_string_equal(state_of(&w), "exhausted");
	assert_int_equal(w.alerts, 1);
	/* Once it serves again and the window has passed, it may be restarted again. */
	pass(&w, w.now + 7 * 3600 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	assert_int_equal(watch_fsm_budget_left(&w.f, &w.s, w.now), 3);
}

static void backs_off(void **state)
{
	struct world w = serving();
	int64_t last, pause[2];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pass(&w, w.now + 3600 * SECOND, PROBE_BAD, QMP_RUNNING);
		if (i)
			pause[i - 1] = w.now - last;
		last = w.now;
		answer(&w, BRAKE_NONE);
		done(&w, false, true);
		answer(&w, BRAKE_NONE);
		done(&w, true, true);
		seen(&w, true, true, w.now);
	}
	assert_true(pause[0] >= 120 * SECOND);
	assert_true(pause[1] >= 240 * SECOND);
}

static void brakes_hold(void **state)
{
	struct world w = serving();

	(void)state;
	for (int i = 0; i < 20; i++) {
		pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
		assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
		answer(&w, BRAKE_MAINTENANCE_NODE);
		assert_string_equal(state_of(&w), "held");
	}
	assert_int_equal(watch_fsm_budget_left(&w.f, &w.s, w.now), 3);
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	/* It serves again before the answer comes: the answer is not used. */
	round_of(&w, PROBE_GOOD, QMP_NOT_ASKED);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_NONE);
	assert_string_equal(state_of(&w), "serving");
}

static void a_person_cancels(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	answer(&w, BRAKE_NONE);
	done(&w, false, true);
	answer(&w, BRAKE_PERSON);
	assert_true(has_note(&w.last, WATCH_NOTE_CANCELLED));
	assert_string_equal(state_of(&w), "absent");
	assert_int_equal(w.starts, 0);
}

static void a_start_that_is_held_is_an_alert(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	answer(&w, BRAKE_NONE);
	done(&w, false, true);
	answer(&w, BRAKE_QUORUM);
	assert_true(has_note(&w.last, WATCH_NOTE_ALERT_START));
	for (int i = 0; i < 10; i++) {
		w.now = watch_fsm_next(&w.f, &w.s);
		time_event(&w);
		assert_int_equal(w.wanted, WATCH_OP_START);
		answer(&w, i < 9 ? BRAKE_QUORUM : BRAKE_NONE);
	}
	assert_int_equal(w.last.act, WATCH_OP_START);
	assert_int_equal(w.alerts, 1);
}

static void a_survivor_is_left_alone(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	answer(&w, BRAKE_NONE);
	done(&w, true, false);
	answer(&w, BRAKE_NONE);
	done(&w, true, false);
	assert_string_equal(state_of(&w), "stuck");
	assert_true(has_note(&w.last, WATCH_NOTE_ALERT_STUCK));
	pass(&w, w.now + 24 * 3600 * SECOND, PROBE_BAD, QMP_RUNNING);
	assert_int_equal(w.wants, 2);
	/* It ends after all, as it was asked to: then its start is owed. */
	seen(&w, false, true, 0);
	assert_int_equal(w.wanted, WATCH_OP_START);
	answer(&w, BRAKE_NONE);
	done(&w, true, true);
	seen(&w, true, true, w.now);
	pass(&w, w.now + 70 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	assert_string_equal(state_of(&w), "serving");
}

static void schedules(void **state)
{
	struct world w = serving();

	(void)state;
	step(&w, (struct watch_event){ .kind = WATCH_EV_DUE });
	time_event(&w);
	assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
	answer(&w, BRAKE_LOCKED);
	assert_string_equal(state_of(&w), "serving");
	pass(&w, w.now + 60 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.f.reason, WATCH_FOR_SCHEDULE);
	done(&w, false, true);
	answer(&w, BRAKE_NONE);
	done(&w, true, true);
	assert_int_equal(watch_fsm_budget_left(&w.f, &w.s, w.now), 3);
	/* Held for an hour, it is left out. */
	seen(&w, true, true, w.now);
	pass(&w, w.now + 1 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	step(&w, (struct watch_event){ .kind = WATCH_EV_DUE });
	for (int i = 0; i < 2000 && w.f.due; i++) {
		pass(&w, w.now + 10 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
		if (w.wanted)
			answer(&w, BRAKE_LOCKED);
	}
	assert_false(w.f.due);
}

static void restarts_by_age(void **state)
{
	struct world w = serving();

	(void)state;
	w.s.restart_after = 2 * 3600 * SECOND;
	pass(&w, w.now + 3 * 3600 * SECOND, PROBE_GOOD, QMP_NOT_ASKED);
	assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
	assert_true(w.now - w.started >= w.s.restart_after);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.f.reason, WATCH_FOR_AGE);
}

static void migrates_away(void **state)
{
	struct world w = serving();

	(void)state;
	seen(&w, true, false, w.started);
	assert_string_equal(state_of(&w), "absent");
	assert_int_equal(watch_fsm_next(&w.f, &w.s), INT64_MAX);
	/* Moved in the middle of our restart, and off: somebody must know. */
	w = serving();
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	answer(&w, BRAKE_NONE);
	done(&w, false, true);
	seen(&w, false, false, 0);
	assert_true(has_note(&w.last, WATCH_NOTE_ALERT_LEFT));
}

static void started_by_somebody_meanwhile(void **state)
{
	struct world w = serving();

	(void)state;
	pass(&w, w.now + 60 * SECOND, PROBE_BAD, QMP_RUNNING);
	answer(&w, BRAKE_NONE);
	/* It ended and was started again before anybody looked. */
	w.started = w.now;
	done(&w, true, true);
	assert_int_equal(w.wanted, WATCH_OP_NONE);
	assert_string_equal(state_of(&w), "booting");
}

static void what_never_began_costs_nothing(void **state)
{
	struct world w = serving();

	(void)state;
	for (int i = 0; i < 10; i++) {
		pass(&w, w.now + 600 * SECOND, PROBE_BAD, QMP_RUNNING);
		assert_int_equal(w.wanted, WATCH_OP_SHUTDOWN);
		answer(&w, BRAKE_NONE);
		step(&w, (struct watch_event){ .kind = WATCH_EV_DONE,
					       .running = true,
					       .ours = true,
					       .started = w.started });
		assert_int_equal(watch_fsm_budget_left(&w.f, &w.s, w.now), 3);
	}
}

static void resumes(void **state)
{
	struct world w = world();

	(void)state;
	w.ours = true;
	w.f.ours = true;
	watch_fsm_resume(&w.f, WATCH_OP_START, WATCH_FOR_FAILURE, w.now, w.now);
	w.owed = true;
	time_event(&w);
	assert_int_equal(w.wanted, WATCH_OP_START);
	answer(&w, BRAKE_NONE);
	assert_int_equal(w.last.act, WATCH_OP_START);
	done(&w, true, true);
	assert_string_equal(state_of(&w), "booting");
}

/* --- every state and every event ------------------------------------------------------------- */

static struct watch_event some_event(unsigned int n)
{
	return (struct watch_event){ .kind = (enum watch_event_kind)(n % WATCH_EV_MAX),
				     .running = n / WATCH_EV_MAX & 1,
				     .ours = n / WATCH_EV_MAX & 2,
				     .started = n / WATCH_EV_MAX & 4 ? 1000 : 999 * SECOND,
				     .verdict = (enum probe_result)(n / 64 % PROBE_RESULT_MAX),
				     .qmp = (enum probe_qmp)(n / 256 % QMP_STATE_MAX),
				     .brake = (enum watch_brake)(n / 32 % BRAKE_MAX),
				     .ran = n & 1024,
				     .ok = n & 2048 };
}

static void every_state_and_event(void **state)
{
	(void)state;
	for (unsigned int st = 0; st < WATCH_STATE_MAX; st++) {
		for (unsigned int n = 0; n < 65536; n++) {
			struct world w = world();
			struct watch_event ev = some_event(n);

			w.f.state = (enum watch_state)st;
			w.f.running = n & 4096;
			w.f.ours = true;
			w.f.bad_since = n & 8192 ? 1 : 0;
			w.f.bad_for = n & 16384 ? 100 * SECOND : 0;
			w.f.last_bad = w.f.bad_since;
			w.f.asked = w.asked = ev.kind == WATCH_EV_ROUND;
			w.f.asked_qmp = true;
			if (watch_fsm_restarting(&w.f)) {
				w.f.stopped_by_us = w.owed = true;
				if (n & 32768) {
					w.f.acting = w.pending = WATCH_OP_STOP;
				} else if (ev.kind == WATCH_EV_PERMIT) {
					w.f.wanted = w.wanted = WATCH_OP_START;
				}
			}
			if (ev.kind == WATCH_EV_DONE && !w.pending)
				continue;
			step(&w, ev);
			(void)watch_fsm_next(&w.f, &w.s);
		}
	}
}

/* --- a million events ------------------------------------------------------------------------ */

static uint64_t seed = 88172645463325252ULL;

static uint32_t chance(uint32_t of)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % of;
}

static void random_settings(struct world *w)
{
	w->s = settings();
	w->s.budget = chance(6);
	w->s.budget_window = (1 + chance(100)) * 300 * SECOND;
	w->s.check_interval = (1 + chance(60)) * SECOND;
	w->s.fail_interval = (1 + chance(30)) * SECOND;
	w->s.fail_threshold = (1 + chance(120)) * SECOND;
	w->s.boot_time = (1 + chance(100)) * SECOND;
	w->s.restart_after = chance(4) ? 0 : (1 + chance(40)) * 300 * SECOND;
	w->s.enabled = chance(50) ? TRI_YES : TRI_NO;
	w->n_restarts = 0;
}

static void end_command(struct world *w)
{
	bool stops = w->pending != WATCH_OP_START, works = chance(10) < 7;
	bool running = works ? !stops : w->running;

	if (running && !w->running)
		w->started = w->now;
	w->running = running;
	step(w, (struct watch_event){ .kind = WATCH_EV_DONE,
				      .running = running,
				      .ours = w->ours,
				      .started = w->started,
				      .ran = chance(20) != 0,
				      .ok = works });
}

/* Somebody else starts, stops or moves it, or it ends by itself. */
static void meddle(struct world *w)
{
	switch (chance(5)) {
	case 0:
		if (!w->running)
			w->started = w->now;
		w->running = true;
		break;
	case 1:
		w->running = false;
		break;
	case 2:
		w->ours = !w->ours;
		break;
	default:
		w->started = w->running ? w->now : w->started;
	}
	seen(w, w->running, w->ours, w->started);
}

static void come_what_may(struct world *w)
{
	uint32_t n = chance(100);

	if (n < 2)
		meddle(w);
	else if (n < 3)
		step(w, (struct watch_event){ .kind = WATCH_EV_DUE });
	else if (n < 4)
		step(w, (struct watch_event){ .kind = WATCH_EV_CONF });
	else if (n < 5)
		w->now += chance(3) ? chance(600) * SECOND : 12 * 3600 * SECOND;
	else if (w->wanted && n < 60)
		answer(w, chance(2) ? BRAKE_NONE : (enum watch_brake)chance(BRAKE_MAX));
	else if (w->pending && n < 60)
		end_command(w);
	else if (w->asked && n < 80)
		round_of(w, (enum probe_result)(chance(5) < 4 ? PROBE_BAD : chance(3)),
			 chance(2) ? QMP_RUNNING : (enum probe_qmp)chance(QMP_STATE_MAX));
	else
		time_event(w);
}

/* Somebody who wakes at next() never turns in circles without anything having been asked. */
static void check_time(struct world *w)
{
	for (int i = 0; i < 8; i++) {
		int64_t next = watch_fsm_next(&w->f, &w->s);

		if (next > w->now)
			return;
		time_event(w);
		if (w->asked || w->wanted || w->pending)
			return;
	}
	fail_msg("time stands still in state %s", state_of(w));
}

/* The world becomes friendly: whatever is owed is paid. */
static void settle_down(struct world *w)
{
	for (int i = 0; i < 400 && w->owed; i++) {
		int64_t next = watch_fsm_next(&w->f, &w->s);

		if (w->wanted) {
			answer(w, BRAKE_NONE);
		} else if (w->pending) {
			bool start = w->pending == WATCH_OP_START;

			w->running = start;
			w->started = start ? w->now : w->started;
			step(w, (struct watch_event){ .kind = WATCH_EV_DONE,
						      .running = start,
						      .ours = true,
						      .started = w->started,
						      .ran = true,
						      .ok = true });
		} else if (w->f.state == WATCH_STUCK) {
			seen(w, false, true, 0);
		} else {
			w->now = next > w->now && next != INT64_MAX ? next : w->now + SECOND;
			time_event(w);
		}
	}
	assert_false(w->owed);
}

static void a_million_events(void **state)
{
	unsigned int starts = 0, alerts = 0, events = 0;

	(void)state;
	for (int life = 0; life < 2000; life++) {
		struct world w = world();

		w.f.vm = chance(4) != 0;
		random_settings(&w);
		w.ours = true;
		seen(&w, true, true, w.now - chance(100) * SECOND);
		for (int i = 0; i < 600; i++, events++) {
			w.now += chance(4) * SECOND;
			come_what_may(&w);
			check_time(&w);
		}
		settle_down(&w);
		starts += w.starts;
		alerts += w.alerts;
	}
	assert_true(events >= 1000000);
	assert_true(starts > 1000 && alerts > 1000);
	printf("# %u events, %u starts, %u alerts\n", events, starts, alerts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_what_fails),
		cmocka_unit_test(shutdown_stop_start),
		cmocka_unit_test(does_nothing_without_reason),
		cmocka_unit_test(unknown_is_never_a_reason),
		cmocka_unit_test(asks_qmp_only_after_a_failure),
		cmocka_unit_test(containers_have_no_qmp),
		cmocka_unit_test(a_sleeping_machine_proves_nothing),
		cmocka_unit_test(budget_then_alert),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(brakes_hold),
		cmocka_unit_test(a_person_cancels),
		cmocka_unit_test(a_start_that_is_held_is_an_alert),
		cmocka_unit_test(a_survivor_is_left_alone),
		cmocka_unit_test(schedules),
		cmocka_unit_test(restarts_by_age),
		cmocka_unit_test(migrates_away),
		cmocka_unit_test(started_by_somebody_meanwhile),
		cmocka_unit_test(what_never_began_costs_nothing),
		cmocka_unit_test(resumes),
		cmocka_unit_test(every_state_and_event),
		cmocka_unit_test(a_million_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
