/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The options that every verb has which starts from a check. */

#include "dm/judge.h"
#include "util/cli.h"

#define DM_OPTION_POLICY                                                                           \
	{                                                                                          \
		"policy", "configured|running",                                                    \
			"running: volumes of stopped guests are orphans too (default: configured)" \
	}
#define DM_OPTION_MIN_AGE                                                            \
	{                                                                            \
		"min-age", "DURATION",                                               \
			"younger unreferenced volumes are left alone (default: 24h)" \
	}

/* --policy and --min-age; 0 or CLI_USAGE with a sentence printed. */
int dm_parse_options(const struct cli *cli, struct dm_options *ret);
