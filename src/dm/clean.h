/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The part of dm that acts. One mapping at a time, always in this order (decisions 24 to 29):
 *
 *	look at everything anew, plan this mapping anew: it must be what it was when it was shown
 *	write what will be taken away to the undo journal, and have it on disk
 *	take Proxmox' own locks of the guests concerned
 *	look again at all that answers at once: still the same, still not open, or hands off
 *	remove what stands on it, then the mapping itself, by UUID; or have LVM deactivate it by
 *UUID ask the kernel whether it is gone; release the locks; say it to the journal
 *
 * The locks are held for 800 ms at most, because creating a guest waits only one second for them.
 * Nothing is forced, deferred or repeated. Whoever is killed at any point leaves each mapping there
 * or gone, and the journal says what it was.
 */

#include "dm/undo.h"

enum { DM_LOCK_MS = 800 };

enum dm_result { DM_CLEANED, DM_SKIPPED, DM_FAILED };

struct dm_outcome {
	enum dm_result result;
	const char *text;    /* why it was skipped or failed; NULL when cleaned */
	size_t children;     /* how many that stood on it were removed with it */
	const char *journal; /* id of the run in the undo journal, NULL if nothing was written */
};

/* What was shown to the person: an act needs it to be the same still. */
struct dm_target_shown {
	const struct dm_dev *dev;
	enum dm_class class;
	enum dm_cause cause;
	enum dm_step step;
};

struct dm_cleaner {
	const struct root *root;
	struct dm_options judge;
	struct dm_plan_options plan;
	bool ghosts_allowed;	/* restore: --yes-restore-ghost */
	int lock_ms;		/* how long guests' locks may be held */
	int (*late)(void *arg); /* for the guard (util/guard.h): a look did not end */
	void *late_arg;
	/* The cleaner's own. */
	struct dm_look *look;
	struct dm_undo_writer journal;
	struct {
		const char **items; /* VEC(): UUIDs of groups where something hung */
		size_t n, cap;
	} hung;
	struct arena arena;
};

/* After the fields above are set. */
void dm_cleaner_done(struct dm_cleaner *c);

/* Cleans one mapping. Texts live as long as the cleaner. */
void dm_clean_one(struct dm_cleaner *c, const struct dm_target_shown *what, struct dm_outcome *ret);

/* Brings back one entry of an undo journal, exactly, or refuses (dm/restore.h); with the same two
 * looks and under the same locks. The cleaner's journal must be that run's. */
void dm_restore_one(struct dm_cleaner *c, const struct dm_undo_run *run,
		    const struct dm_undo_entry *entry, struct dm_outcome *ret);
