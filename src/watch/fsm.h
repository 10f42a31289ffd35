/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One guest's watch as a state machine. Pure: it takes what happened and the time, and says what is
 * to be done; it reads no clock and touches nothing. A restart is asked for (want), permitted or
 * held by a brake, and only then done (act), one command after the other: shutdown, stop if that
 * did not help, start. Times are milliseconds of CLOCK_BOOTTIME unless they say otherwise.
 *
 * What always holds (test/unit/fsm_world.h lists it and checks each step):
 * never two commands on one guest at once; none that was not permitted just before; every command
 * that may have stopped the guest is followed by a start or by an alert; never more restarts in the
 * window than the budget.
 */

#include "watch/brake.h"
#include "watch/phase.h"

enum watch_reason {
	WATCH_FOR_NOTHING,
	WATCH_FOR_FAILURE,  /* it stopped serving */
	WATCH_FOR_CRASH,    /* QEMU says internal-error or guest-panicked */
	WATCH_FOR_HANG,	    /* and QEMU does not answer either */
	WATCH_FOR_SCHEDULE, /* restart_at */
	WATCH_FOR_AGE,	    /* restart_after */
	WATCH_REASON_MAX,
};

enum watch_event_kind {
	WATCH_EV_SEEN,	 /* what the node shows of the guest */
	WATCH_EV_ROUND,	 /* a round of probes came back */
	WATCH_EV_PERMIT, /* the answer to a want */
	WATCH_EV_DONE,	 /* the command that act asked for has ended */
	WATCH_EV_TIME,	 /* the moment that next named */
	WATCH_EV_CONF,	 /* other settings */
	WATCH_EV_DUE,	 /* restart_at's minute */
	WATCH_EV_MAX,
};

struct watch_event {
	enum watch_event_kind kind;
	int64_t now;
	/* SEEN, and with DONE how the guest is after it */
	bool running;	 /* its QEMU or container runs on this node */
	bool ours;	 /* its config is here, and it is not migrating in */
	int64_t started; /* of the process; 0: not known */
	/* ROUND */
	enum probe_result verdict;
	enum probe_qmp qmp;
	/* PERMIT */
	enum watch_brake brake;
	/* DONE */
	bool ran; /* false: it could not even be tried, nothing has happened */
	bool ok;
};

/* What is worth telling; the texts are watch/note.h's. */
enum watch_note {
	WATCH_NOTE_NONE,
	WATCH_NOTE_APPEARED, /* runs here now */
	WATCH_NOTE_GONE,     /* does not any more */
	WATCH_NOTE_DISABLED, /* and once per disabled_log_interval */
	WATCH_NOTE_ONLINE,   /* serves, after ... */
	WATCH_NOTE_STILL,    /* once per log_interval */
	WATCH_NOTE_FAILED,   /* first failure, and once per log_interval */
	WATCH_NOTE_HELD,     /* by a brake; once per brake and log_interval */
	WATCH_NOTE_RESTART,  /* being restarted: reason */
	WATCH_NOTE_COMMAND,  /* shutdown did not do: stop */
	WATCH_NOTE_STARTED,
	WATCH_NOTE_CANCELLED, /* the restart was given up, the guest runs or is somebody else's */
	WATCH_NOTE_SKIPPED,   /* a scheduled restart could not be done in time */
	/* from here on these are alerts */
	WATCH_NOTE_ALERT_BUDGET,
	WATCH_NOTE_ALERT_IO_ERROR,
	WATCH_NOTE_ALERT_STUCK,
	WATCH_NOTE_ALERT_START, /* the start failed or is held: the guest is off */
	WATCH_NOTE_ALERT_LEFT,	/* stopped by us and given up: somebody else has it now */
	WATCH_NOTE_MAX,
};

enum { WATCH_NOTES_MAX = 4 };

struct watch_effects {
	bool probe;	    /* ask the prober for a round */
	bool probe_qmp;	    /* with QMP in it */
	enum watch_op want; /* gather the facts and answer with PERMIT */
	enum watch_op act;  /* run this command and answer with DONE */
	bool intent;	    /* what must survive us has changed: on disk before anything is done */
	enum watch_note notes[WATCH_NOTES_MAX];
	size_t n_notes;
};

enum { WATCH_STAMPS_MAX = 32 }; /* a larger budget is cut to this */

struct watch_fsm {
	enum watch_state state;
	int64_t since; /* of the state */
	/* the guest */
	bool vm; /* has a QMP to ask */
	bool running, ours;
	int64_t started;
	int64_t boot_from; /* what boot_time is counted from */
	/* probing */
	bool asked_qmp;
	bool asked;	    /* a round is under way */
	int64_t next_probe; /* 0: none planned */
	enum probe_result verdict;
	enum probe_qmp qmp;
	unsigned int silent;	   /* times in a row that QMP did not answer */
	int64_t bad_since;	   /* 0: not failing */
	int64_t failed_at;	   /* the last bad_since, until it serves again */
	int64_t bad_for, last_bad; /* time for which every round said so */
	int64_t online_since;
	/* restarting */
	enum watch_reason reason;
	enum watch_op wanted, acting; /* at most one of the two */
	int64_t asked_at, acted_at;
	int64_t acted_on;   /* started of the process that is being stopped */
	bool stopped_by_us; /* a command of ours may have stopped it: it is owed a start */
	unsigned int start_tries;
	int64_t next_try;
	enum watch_brake held;
	/* schedule */
	bool due;
	int64_t due_until;
	/* budget */
	int64_t stamps[WATCH_STAMPS_MAX]; /* of restarts for failures, oldest first */
	size_t n_stamps;
	bool alerted_budget, alerted_io;
	/* log */
	int64_t next_log;
};

void watch_fsm_init(struct watch_fsm *f, bool vm, int64_t now);

/* One step. @s are the guest's settings as they are now, NULL when it has none any more. */
void watch_fsm_step(struct watch_fsm *f, const struct watch_settings *s,
		    const struct watch_event *ev, struct watch_effects *ret);

/* When TIME is wanted, INT64_MAX: never. */
int64_t watch_fsm_next(const struct watch_fsm *f, const struct watch_settings *s);

/* Restarts left in the window at @now. */
uint32_t watch_fsm_budget_left(const struct watch_fsm *f, const struct watch_settings *s,
			       int64_t now);

/* Goes on with a restart that an earlier supervisor began: @op was permitted and may have been
 * run; nothing is done before @from unless the guest ends. */
void watch_fsm_resume(struct watch_fsm *f, enum watch_op op, enum watch_reason reason, int64_t now,
		      int64_t from);

/* A restart of ours is under way. */
static inline bool watch_fsm_restarting(const struct watch_fsm *f)
{
	return f->state == WATCH_STOPPING || f->state == WATCH_STARTING;
}
