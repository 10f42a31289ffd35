/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The two LVM commands that change what is active here; metadata is never written. Only dm/clean.c
 * may include this. Volumes are chosen by UUID: by name LVM says 0 and does nothing for a ghost
 * with a namesake, and cannot choose between two groups of one name (decisions 27). What its exit
 * status says is no proof: ask device-mapper.
 */

#include "blk/lvmreport.h"

enum lvm_act { LVM_DEACTIVATE, LVM_ACTIVATE };

/*
 * `lvchange -aln` or `-aly` of @lv, on its group's own disks alone, ended at the deadline.
 * -ETIMEDOUT: it did not end in time, *ret_hangs says whether it cannot be killed; -EBUSY: an
 * earlier lvm process still hangs, none was started; -EIO: LVM's own words are in @e.
 */
int lvm_change(const struct lvm_lv *lv, enum lvm_act act, int deadline_ms, bool *ret_hangs,
	       struct err *e);
