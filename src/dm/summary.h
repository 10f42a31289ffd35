/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The verdicts of a node counted, and the grade that the old scripts' users know. Pure. */

#include "dm/judge.h"

struct dm_summary {
	size_t mappings, guest_mappings;
	size_t by_class[DM_CLASS_MAX];
	size_t critical, warnings, notices, unknowns; /* findings by severity */
	size_t orphans;	   /* what the score counts: decisions 12, never one that is critical */
	size_t duplicates; /* class duplicate and whatever carries duplicate_of */
	size_t in_use;	   /* findings whose device is open */
	size_t issues;	   /* findings that are critical or a warning */
	size_t vms, vms_running, cts, cts_running;
	bool graded;
	int score;
	const char *grade;	 /* "A+", "B", "C", "D", "F"; NULL when not graded */
	enum dm_severity answer; /* the worst; DM_SEVERITY_NONE: all is well */
};

void dm_summarize(struct dm_summary *ret, const struct dm_model *m, const struct dm_verdict *v,
		  const struct dm_options *o);

/* The finding is an orphan ("tombstone") in the users' sense, and counted as one. */
bool dm_is_orphan(const struct dm_verdict *v, const struct dm_options *o);

/* "ok", "warning", "critical", "unknown". */
const char *dm_answer_name(enum dm_severity answer);

/* Exit status of decisions 1. */
int dm_answer_exit(enum dm_severity answer);
