/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the verbs that act have in common on the command line. */

#include "util/cli.h"

/* --lock-time in milliseconds. 0, or CLI_USAGE with a sentence printed. */
int dm_parse_lock_time(const struct cli *cli, int *ret);

/* When a look did not end. */
enum dm_phase {
	DM_PHASE_FIRST, /* nothing is known yet */
	DM_PHASE_ACT,	/* between two acts; nothing was being changed */
	DM_PHASE_LAST,	/* all is done */
};

/* For guard_start() with an enum dm_phase: says so, and with which exit status the run ends. */
int dm_clean_late(void *phase);

/* SIGINT, SIGTERM and SIGHUP end a run between two acts, never in the middle of one. */
void dm_catch_signals(void);
bool dm_told_to_stop(void);
