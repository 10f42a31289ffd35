/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What cleaning did, as records in the system's journal: who, what, its table, the result. */

#include "dm/clean.h"

enum dm_log_verb { DM_LOG_CLEAN, DM_LOG_RESTORE };

/* One mapping. @d is as it was before a removal, or as it is to be. */
void dm_log_outcome(enum dm_log_verb verb, const struct dm_dev *d, const char *class,
		    enum dm_step step, uint32_t vmid, const struct dm_outcome *o);

struct dm_clean_counts {
	size_t cleaned, skipped, failed, left;
};

/* The whole run in one line. */
void dm_log_run(enum dm_log_verb verb, const struct dm_clean_counts *counts, const char *journal);

const char *dm_result_name(enum dm_result r);
const char *dm_step_name(enum dm_step s);
