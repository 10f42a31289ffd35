/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The watch's state machine in a world that checks every step. What must always hold, whatever
 * happens:
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
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "watch/fsm.h"

enum { SECOND = 1000 };

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

/* A guest that the watch has just heard of, and one that serves. */
struct world world(void);
struct world serving(void);
struct watch_settings settings(void);

const char *state_of(const struct world *w);
bool has_note(const struct watch_effects *e, enum watch_note n);

/* One event, and all that must hold behind it. */
void step(struct world *w, struct watch_event ev);
void time_event(struct world *w);
void seen(struct world *w, bool running, bool ours, int64_t started);
void round_of(struct world *w, enum probe_result verdict, enum probe_qmp qmp);
void answer(struct world *w, enum watch_brake b);
void done(struct world *w, bool running, bool ok);

/* Runs until @until, answering each round with that verdict, and no permit. */
void pass(struct world *w, int64_t until, enum probe_result verdict, enum probe_qmp qmp);
