/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What is said beside the findings: why something could not be told, and what would prevent
 * orphans. Advice changes neither grade nor exit status (decisions 21). */

#include "dm/check.h"

void dm_collect_blind(struct dm_check *c);
/* What no entry speaks of, but a new guest's disk may meet: for `dm blockers`. */
void dm_collect_unseen(struct dm_check *c);
void dm_collect_advice(struct dm_check *c);
