/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * snapshot and snapshot_delete: all disks of a guest at one moment, claimed disk by disk
 * (array/snapset.h, docs/array.md, 4).
 */

#include "array/call.h"

struct snap_args {
	const char *volname, *snap;
	struct array_volname parsed;
	char full[256], suffix[80];
};

/* "volname" and "snap", and what they are on the array. */
int snap_args(struct call *c, struct snap_args *ret, struct err *e);

/* After each snapshot that was taken or removed: nothing that was remembered of them is told again.
 */
void snapshots_changed(struct call *c);

int call_snapshot(struct call *c, struct err *e);
int call_snapshot_delete(struct call *c, struct err *e);
