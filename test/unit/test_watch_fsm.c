/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The watch's state machine: the ordinary life of a guest, and of its restarts. */

#include "fsm_world.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
