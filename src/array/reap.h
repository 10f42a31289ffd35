/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Taking away what an outage or a crash left on this node: maps whose volume is gone or not
 * connected, removals that were not finished, what stood for snapshots that were removed, or before
 * the node was restarted. Each is a `deactivate`,
 * which refuses what is open or may be. Only what the registry has; the rest is reported.
 */

#include "array/heal.h"

/* -ECANCELED: it is in use again by now, or the registry says something else. -EAGAIN: it is gone
 * here, and an array has yet to be told. */
int reap_one(struct array_ctx *ctx, const struct mend *m, struct err *e);
