/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* One run of cleaning or restoring on a node at a time. */

#include "pve/root.h"

/*
 * The lock's descriptor, for dm_run_unlock(). Waits @wait_s for another run
 * to end. -EBUSY: it did not; @e says who it is.
 */
int dm_run_lock(const struct root *root, int64_t wait_s, struct err *e);

/* Ends it, also for processes that inherited the descriptor. */
void dm_run_unlock(const int *fd);
