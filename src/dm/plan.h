/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What cleaning would do about each finding, and why it would not: from a judged look to a list of
 * steps in the order in which they are taken. Pure. Whatever is not plainly safe is refused with a
 * sentence; the person is told what to do instead (decisions 17 to 28).
 */

#include "dm/look.h"
#include "dm/seen.h"

enum dm_step {
	DM_STEP_NONE,
	DM_STEP_REMOVE,	    /* the mapping, by UUID */
	DM_STEP_DEACTIVATE, /* the volume, by LVM, by its UUID */
};

enum { DM_PLAN_CHILDREN_MAX = 64 };

struct dm_plan_item {
	size_t mapping;
	enum dm_step step;
	const char *why_not; /* NULL: it may be done */
	/* What stands on it and is removed before it, topmost first. */
	size_t children[DM_PLAN_CHILDREN_MAX];
	size_t n_children;
};

struct dm_plan_options {
	bool only[DM_CLASS_MAX]; /* all false: every class but unreferenced */
	uint32_t vmid;		 /* 0: all */
	bool policy_running;
	int64_t min_age; /* seconds; 0: an unreferenced volume need not have been seen before */
	const struct dm_seen *seen; /* what earlier looks saw; may be NULL */
};

struct dm_plan {
	struct dm_plan_item *items; /* VEC(): critical first, then by guest, group and disk */
	size_t n, cap;
	struct arena arena;
};

/* Every finding that the options select, and that somebody might expect to be cleaned. */
void dm_plan_make(struct dm_plan *ret, const struct dm_look *l, const struct dm_plan_options *o);
void dm_plan_done(struct dm_plan *p);

/* The same for one mapping alone. False when the options do not select it or nothing is wrong with
 * it. @a holds the sentence. */
bool dm_plan_one(struct dm_plan_item *ret, const struct dm_look *l, size_t mapping,
		 const struct dm_plan_options *o, struct arena *a);

/* The command that an administrator would type for a step. */
const char *dm_step_command(enum dm_step step, const struct dm_mapping *map, struct arena *a);
