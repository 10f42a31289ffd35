/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the three files of the state machine share: fsm.c has the guest's coming and going, and
 * time; fsm_failure.c the rounds of probes; fsm_restart.c the budget and the restart itself.
 */

#include "watch/fsm.h"

static inline int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* --- fsm.c --- */
void fsm_note(struct watch_effects *ret, enum watch_note n);
void fsm_enter(struct watch_fsm *f, enum watch_state state, int64_t now);
bool fsm_is_probed(const struct watch_fsm *f);
void fsm_forget_failure(struct watch_fsm *f);

/* The guest runs here: from now on it is watched, if it is to be. @from: what its boot counts from.
 */
void fsm_take_up(struct watch_fsm *f, const struct watch_settings *s, int64_t from, int64_t now,
		 struct watch_effects *ret);
void fsm_let_go(struct watch_fsm *f, int64_t now, struct watch_effects *ret);

/* A start is owed to it, whether we are at it or have to wait for its end. */
static inline bool fsm_owes(const struct watch_fsm *f)
{
	return watch_fsm_restarting(f) || (f->state == WATCH_STUCK && f->stopped_by_us);
}

/* --- fsm_failure.c --- */
void fsm_on_round(struct watch_fsm *f, const struct watch_settings *s, const struct watch_event *ev,
		  struct watch_effects *ret);

/* --- fsm_restart.c --- */
bool fsm_is_for_failure(enum watch_reason r);
bool fsm_backs_off(const struct watch_fsm *f, const struct watch_settings *s, int64_t now);
void fsm_want(struct watch_fsm *f, enum watch_op op, int64_t now, struct watch_effects *ret);

/* What is owed to a guest that we may have stopped: a stop if it still runs, else its start. */
void fsm_go_on(struct watch_fsm *f, int64_t now, struct watch_effects *ret);

/* The restart is not ours any more, or is over. */
void fsm_give_up(struct watch_fsm *f, const struct watch_settings *s, enum watch_note why,
		 int64_t now, struct watch_effects *ret);
void fsm_is_back(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		 struct watch_effects *ret);

/* A brake holds a restart that has not begun. */
void fsm_hold(struct watch_fsm *f, const struct watch_settings *s, enum watch_brake b, int64_t now,
	      struct watch_effects *ret);
void fsm_on_permit(struct watch_fsm *f, const struct watch_settings *s,
		   const struct watch_event *ev, struct watch_effects *ret);
void fsm_on_done(struct watch_fsm *f, const struct watch_settings *s, const struct watch_event *ev,
		 struct watch_effects *ret);

/* It stands still although it was stopped: no more commands. Should it end after all, its start is
 * still owed. */
void fsm_get_stuck(struct watch_fsm *f, const struct watch_settings *s, int64_t now,
		   struct watch_effects *ret);
/* It serves: nothing is owed any more. */
void fsm_forgive(struct watch_fsm *f, struct watch_effects *ret);
