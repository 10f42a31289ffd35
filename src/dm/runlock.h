/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* One run of cleaning or restoring on a node at a time. */

#include "pve/root.h"

/*
 * The lock's descriptor, held until it is closed or the process ends. Waits @wait_s for another run
 * to end. -EBUSY: it did not; @e says who it is.
 */
int dm_run_lock(const struct root *root, int64_t wait_s, struct err *e);
