/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Recording a node into a folder that `--root` takes: Proxmox' files with secrets masked, what
 * device-mapper and LVM said, and of /proc and /sys only what a verdict reads. capture.json says
 * what a folder cannot hold.
 */

#include "pve/root.h"

struct capture_counts {
	size_t guests, mappings;
	const char *lvm_error; /* NULL: LVM answered; otherwise points into @why of the call */
};

/*
 * Records @from into the new or empty folder @dir (mode 0700). -ENOTEMPTY when something is in it.
 * Nothing outside @dir is changed. @why holds the sentence of a failure, or LVM's.
 */
int capture_node(const struct root *from, const char *dir, struct capture_counts *ret,
		 struct err *why);
