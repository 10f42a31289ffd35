/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One look at a node: everything that a verdict needs, read in the order of decisions 8
 * (device-mapper first, metadata after it, then who works on the guests). Nothing is judged here.
 */

#include "blk/lvm.h"
#include "pve/arraystate.h"
#include "pve/cluster.h"
#include "pve/running.h"
#include "pve/task.h"

struct dm_scan {
	struct cluster cluster;
	struct dm_set dm;
	struct sysblk sys;
	struct candidates candidates;
	struct lvm_report lvm;
	struct running running;
	struct tasks tasks;
	struct guest_locks locks;
	struct array_state array;
	/* Why a source could not be read; NULL: it was. Each makes the whole answer "unknown". */
	const char *dm_failed, *lvm_failed, *work_failed;
	bool borrowed;	   /* sys and lvm are another scan's */
	int64_t lvm_at;	   /* clock_boot_ms() when LVM had answered */
	int64_t guests_ms; /* how long /etc/pve and what works on guests took */
	struct arena arena;
};

/* Fails only where there is no node to speak of (cluster_read). @raw_lvm may be NULL. */
int dm_scan_read(struct dm_scan *s, const struct root *root, struct buf *raw_lvm, struct err *e);
/* All but what LVM and /sys say, which is @before's; it must outlive @s. */
int dm_scan_read_again(struct dm_scan *s, const struct dm_scan *before, const struct root *root,
		       struct err *e);
void dm_scan_done(struct dm_scan *s);
