/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The whole check of a node: look, judge, and where there is something to report look again,
 * because a finding must be the same twice (decisions 8). Everything that shows or acts starts from
 * this.
 */

#include "blk/users.h"
#include "dm/look.h"
#include "dm/summary.h"

struct dm_texts {
	const char **items; /* VEC() */
	size_t n, cap;
};

/* What all findings that concern one guest, or one unused id, come to. */
struct dm_tally {
	uint32_t vmid;
	enum dm_severity worst;
	size_t findings;
	size_t critical, orphans; /* each finding is in one of them at most */
	size_t in_the_way;	  /* entries that keep the id from being used again */
};

struct dm_check {
	struct dm_options options;
	struct dm_look *look; /* the last one */
	struct dm_summary summary;
	struct dm_users users; /* of the findings that are open */
	struct {
		struct dm_tally *items; /* VEC(), sorted by vmid */
		size_t n, cap;
	} tallies;
	struct dm_texts blind;	/* why something could not be told, a sentence each */
	struct dm_texts unseen; /* volume groups of this node's storages that could not be read */
	struct dm_texts advice;
	struct arena arena;
};

/* Fails only where there is no node to speak of: -ENODEV and what reading said. */
int dm_check_run(struct dm_check *c, const struct root *root, const struct dm_options *o,
		 struct err *e);
void dm_check_done(struct dm_check *c);

/* Status of a guest as people know it: "running", "stopped", "paused", "unknown". */
const char *dm_guest_status(const struct dm_scan *s, const struct guest *g);

/* NULL when no finding concerns that guest. */
const struct dm_tally *dm_tally_of(const struct dm_check *c, uint32_t vmid);
