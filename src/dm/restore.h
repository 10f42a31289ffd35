/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether what a run of cleaning took away may come back, and exactly as what. A restored mapping
 * is the one that was, sector by sector, or it is not restored (decisions 28). Pure; what devices
 * are today is asked before.
 */

#include "dm/undo.h"

/* What the decision needs of the outside, besides the look. */
struct dm_restore_facts {
	const char *boot_id;	 /* of today */
	const struct devno *now; /* today's number of each parent of the entry */
	const bool *found;	 /* that parent is exactly one device today */
	bool ghosts_allowed;	 /* --yes-restore-ghost */
};

struct dm_restore_plan {
	const char *why_not;	 /* NULL: it may come back */
	bool there;		 /* it is there already, just as it was: nothing to do */
	bool half;		 /* an earlier restore was killed: its empty device goes first */
	struct dm_dev dev;	 /* the mapping in today's device numbers */
	const struct lvm_lv *lv; /* of what LVM deactivated */
};

/* Looks up the parents of @entry. Both arrays are @a's. */
void dm_restore_find_parents(struct dm_restore_facts *ret, const struct dm_undo_entry *entry,
			     const struct dm_look *l, const struct root *root, struct arena *a);

void dm_restore_plan(struct dm_restore_plan *ret, const struct dm_look *l,
		     const struct dm_undo_run *run, const struct dm_undo_entry *entry,
		     const struct dm_restore_facts *facts, struct arena *a);
