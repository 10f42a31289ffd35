/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Since when a volume that nobody refers to has been seen so. A single look may fall between
 * `qm disk import` making a volume and writing its config, so that cleaning wants two, ten minutes
 * apart (decisions 19). Kept in /run: times are of this boot.
 */

#include "dm/look.h"

#define DM_SEEN_PATH "run/pvewarden/dm/seen.json"

enum { DM_SEEN_LONG_ENOUGH = 600 }; /* seconds */

struct dm_seen {
	struct dm_seen_entry {
		const char *uuid;
		int64_t since; /* seconds of CLOCK_BOOTTIME */
	} * items;	       /* sorted by uuid */
	size_t n, cap;
	int64_t now;
	struct arena arena;
};

/* What earlier looks of this boot left. A missing or broken file has seen nothing. */
void dm_seen_read(struct dm_seen *ret, const struct root *root);
/* The same of a text; @now is the boot's age in seconds. */
void dm_seen_parse(struct dm_seen *ret, struct slice text, int64_t now);
void dm_seen_done(struct dm_seen *s);

/* Seconds since the mapping was first seen unreferenced, -1 if it was not. */
int64_t dm_seen_age(const struct dm_seen *s, const char *uuid);

/* Adds what @l sees, forgets what it does not see any more, and writes. Live machine only; says
 * nothing when it cannot. */
void dm_seen_update(struct dm_seen *s, const struct dm_look *l, const struct root *root);
