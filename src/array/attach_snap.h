/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A snapshot has no serial of its own that a host could use, so a volume that is made from it
 * stands for it while somebody reads it (full clone, backup of a container): docs/array.md, 3. Its
 * name holds volume, snapshot and node, its tag says them. With the lock of the snapshot's volume
 * held.
 */

#include "array/attach.h"

/* Made of the snapshot, with its content as it is now, and attached. One that this node has mapped
 * already is used as it is if it is known to be of this very snapshot; else it is made anew, which
 * is -EBUSY while somebody has it open. *ret_serial is the call's. -ENOENT: no such snapshot. */
int attach_snapshot(struct call *c, const char *volname, const char *snap, const char **ret_serial,
		    struct err *e);

/* Detached, disconnected, destroyed and, where the array allows it, eradicated. None is success. */
int attach_remove_snapshot(struct call *c, const char *volname, const char *snap, struct err *e);

/* The same for a snapshot that is about to be removed: the array is asked nothing if the registry
 * has none, and who is just closing it gets a moment. -EBUSY: it is being read. */
int attach_end_snapshot(struct call *c, const char *volname, const char *snap, struct err *e);

/* The same for what is left of a snapshot that was removed by somebody else. -ECANCELED: it is
 * there, or there again; -EBUSY: read here, or connected to somebody else. Every array is asked:
 * one that does not answer keeps it. */
int attach_remove_orphan(struct call *c, const char *volname, const char *snap, struct err *e);

/* All that this node has of @volname's: its name is about to be another volume's. -EBUSY: one is
 * being read. */
int attach_remove_snapshots(struct call *c, const char *volname, struct err *e);
