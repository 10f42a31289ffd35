/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Each rule of the plan of cleaning is tried on one stage: the step that the mapping in question
 * gets, or why it gets none. */

#include "dm/plan.h"

#include "dm_stage.h"

/* Which options a trial has; the low bits are classes of --only. */
#define ONLY(class) (1U << (class))
enum {
	RUNNING = 1 << 20,  /* --policy running */
	ANY_AGE = 1 << 21,  /* --min-age 0 */
	VMID_100 = 1 << 22, /* --vmid 100 */
	VMID_101 = 1 << 23,
	LEFT_OUT = 1 << 24, /* expected: not in the plan at all */
};

struct trial {
	const char *what;
	void (*make)(struct stage *s);
	enum dm_step step;
	const char *why; /* part of the sentence; NULL: it may be done */
	unsigned int flags;
};

#define REMOVE	   DM_STEP_REMOVE, NULL
#define DEACTIVATE DM_STEP_DEACTIVATE, NULL
#define NOT(why)   DM_STEP_NONE, why
#define NOTHING	   DM_STEP_NONE, NULL
#define OPEN	   "[DEVICE IS CURRENTLY OPEN/IN USE]"

void by_hand(struct stage *s);
void handmade_over(struct stage *s);
void handmade_stopped_uses_it(struct stage *s);

/* Tries each and fails the test with all that went wrong. */
void plan_try_all(const struct trial *trials, size_t n);

/* Makes the plan of a stage that is complete, with all defaults. */
void plan_of(struct stage *s, struct dm_plan *plan, struct dm_plan_options o);
const char *name_at(const struct stage *s, size_t mapping);
