/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The one LVM process: `lvm fullreport --readonly --devices LIST`, with a deadline, never waited
 * for past it, and never a second one while an earlier one still hangs (decisions 7).
 */

#include "blk/candidates.h"
#include "blk/lvmreport.h"

#define LVM_RECORD_PATH "capture/lvm.json"

enum { LVM_DEADLINE_MS = 10000, LVM_REPORT_MAX = 256 * 1024 * 1024 };

/*
 * Reads all VGs that lie on @from. A recorded node answers from its report. No usable candidate: an
 * empty report without a process. @raw, if not NULL, gets the report's own text. Errors:
 * -ETIMEDOUT, -EBUSY (an earlier process still hangs), -EIO (lvm failed), -EBADMSG.
 */
int lvm_read(struct lvm_report *ret, const struct root *root, const struct candidates *from,
	     struct arena *a, struct buf *raw, struct err *e);
