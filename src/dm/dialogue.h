/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Cleaning as a person sees it: what stands there, which one is kept and why, one question. */

#include "dm/check.h"
#include "dm/clean.h"

enum dm_reply { DM_REPLY_YES, DM_REPLY_NO, DM_REPLY_ALL, DM_REPLY_QUIT };

struct dm_dialogue {
	const struct dm_check *check;
	const struct dm_plan *plan;
	struct buf out;
	bool color;
	size_t width;
};

/* Entry @at with what leads to it: the severity's title and the guest's heading where they are new.
 */
void dm_dialogue_entry(struct dm_dialogue *d, size_t at);

/* The steps of an entry as commands, topmost child first. */
void dm_dialogue_steps(struct dm_dialogue *d, const struct dm_plan_item *item);

/* What came of it. */
void dm_dialogue_outcome(struct dm_dialogue *d, const struct dm_outcome *o);

/* Writes what has gathered. */
int dm_dialogue_flush(struct dm_dialogue *d);

/* Asks on stdout and reads a line of stdin. An empty or strange answer is no, the end is quit. */
enum dm_reply dm_dialogue_ask(struct dm_dialogue *d, const char *question);
