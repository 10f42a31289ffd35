/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/scan.h"

#include "pve/volname.h"
#include "util/clock.h"

static const char *failure(struct dm_scan *s, int code, const struct err *e)
{
	return code < 0 ? arena_str(&s->arena, slice_of(e->text)) : NULL;
}

static void read_block_layer(struct dm_scan *s, const struct root *root, struct buf *raw_lvm)
{
	struct err e = {};

	s->dm_failed = failure(s, dmdev_read(&s->dm, root, &s->arena, &e), &e);
	if (s->dm_failed)
		return;
	s->lvm_failed = failure(s, sysblk_read(&s->sys, root, &s->arena, &e), &e);
	if (s->lvm_failed)
		return;
	candidates_choose(&s->candidates, &s->dm, &s->sys, volname_is_guests, &s->arena);
	s->lvm_failed =
		failure(s, lvm_read(&s->lvm, root, &s->candidates, &s->arena, raw_lvm, &e), &e);
}

/* Who works on guests is read last, so that what began while we looked is seen. */
static void read_work(struct dm_scan *s, const struct root *root)
{
	struct err e = {};
	int r = running_read(&s->running, root, &e);

	if (r == 0)
		r = tasks_read(&s->tasks, root, &s->arena, &e);
	if (r == 0)
		r = guest_locks_read(&s->locks, root, &e);
	s->work_failed = failure(s, r, &e);
}

static int read_guests(struct dm_scan *s, const struct root *root, struct err *e)
{
	int64_t began = clock_boot_ms();
	int r = cluster_read(&s->cluster, root, e);

	if (r < 0)
		return r;
	read_work(s, root);
	array_state_read(&s->array, root, s->cluster.node.now, &s->arena);
	s->guests_ms = clock_boot_ms() - began;
	return 0;
}

int dm_scan_read(struct dm_scan *s, const struct root *root, struct buf *raw_lvm, struct err *e)
{
	*s = (struct dm_scan){};
	read_block_layer(s, root, raw_lvm);
	s->lvm_at = clock_boot_ms();
	return read_guests(s, root, e);
}

int dm_scan_read_again(struct dm_scan *s, const struct dm_scan *before, const struct root *root,
		       struct err *e)
{
	struct err own = {};

	*s = (struct dm_scan){ .borrowed = true,
			       .sys = before->sys,
			       .lvm = before->lvm,
			       .lvm_at = before->lvm_at,
			       .lvm_failed = before->lvm_failed };
	s->dm_failed = failure(s, dmdev_read(&s->dm, root, &s->arena, &own), &own);
	candidates_choose(&s->candidates, &s->dm, &s->sys, volname_is_guests, &s->arena);
	return read_guests(s, root, e);
}

void dm_scan_done(struct dm_scan *s)
{
	guest_locks_done(&s->locks);
	tasks_done(&s->tasks);
	running_done(&s->running);
	candidates_done(&s->candidates);
	if (!s->borrowed)
		sysblk_done(&s->sys);
	cluster_done(&s->cluster);
	arena_done(&s->arena);
}
