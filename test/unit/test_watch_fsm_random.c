/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The watch's state machine: each event in each state, and guests to which anything happens. The
 * world checks what must always hold. */

#include "fsm_world.h"

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
		cmocka_unit_test(every_state_and_event),
		cmocka_unit_test(a_million_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
