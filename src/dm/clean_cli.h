/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the verbs that act have in common on the command line. */

#include "util/cli.h"

/* --lock-time in milliseconds. 0, or CLI_USAGE with a sentence printed. */
int dm_parse_lock_time(const struct cli *cli, int *ret);

/* For guard_start(): says that a look did not end. Nothing was being changed then. */
int dm_clean_late(void *unused);
