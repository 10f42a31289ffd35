/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "fsm_world.h"

struct watch_settings settings(void)
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

const char *state_of(const struct world *w)
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

bool has_note(const struct watch_effects *e, enum watch_note n)
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

void step(struct world *w, struct watch_event ev)
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

void seen(struct world *w, bool running, bool ours, int64_t started)
{
	w->running = running;
	w->ours = ours;
	w->started = started;
	step(w,
	     (struct watch_event){
		     .kind = WATCH_EV_SEEN, .running = running, .ours = ours, .started = started });
}

void round_of(struct world *w, enum probe_result verdict, enum probe_qmp qmp)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_ROUND, .verdict = verdict, .qmp = qmp });
}

void answer(struct world *w, enum watch_brake b)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_PERMIT, .brake = b });
}

void done(struct world *w, bool running, bool ok)
{
	w->running = running;
	step(w, (struct watch_event){ .kind = WATCH_EV_DONE,
				      .running = running,
				      .ours = true,
				      .started = w->started,
				      .ran = true,
				      .ok = ok });
}

void time_event(struct world *w)
{
	step(w, (struct watch_event){ .kind = WATCH_EV_TIME });
}

struct world world(void)
{
	struct world w = { .s = settings(), .now = 1000 * SECOND };

	watch_fsm_init(&w.f, true, w.now);
	return w;
}

void pass(struct world *w, int64_t until, enum probe_result verdict, enum probe_qmp qmp)
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

struct world serving(void)
{
	struct world w = world();

	seen(&w, true, true, w.now - 3600 * SECOND);
	assert_string_equal(state_of(&w), "booting");
	pass(&w, w.now + 1, PROBE_GOOD, QMP_NOT_ASKED);
	assert_string_equal(state_of(&w), "serving");
	return w;
}
