/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Writes to /sys that change what SCSI disks there are. Each can hang in the kernel for as long as
 * a path takes to fail: call it in a child that can be given up. The include check knows who may.
 */

#include "blk/scsi.h"

/* Looks for that one unit, nothing else. 0 also when there is none. */
int scsi_scan(const struct root *root, const struct scsi_address *at, struct err *e);

/* Takes the disk out of the kernel if it still is at @at. 0 when it is gone already. */
int scsi_delete(const struct root *root, const struct scsi_disk *disk, struct err *e);

/* Reads size and identity again. */
int scsi_rescan(const struct root *root, const struct scsi_disk *disk, struct err *e);

/*
 * No more I/O reaches it: "offline". Read back, because the kernel may refuse. 0 also when it is
 * gone, and when its port is (then it is "transport-offline", or "blocked" until its port is back
 * or given up).
 */
int scsi_offline(const struct root *root, const struct scsi_disk *disk, struct err *e);
