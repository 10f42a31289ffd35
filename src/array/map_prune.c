/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Paths that are none any more: of a LUN at which the array does not show the volume now, and may
 * show another tomorrow. */

#include <errno.h>

#include "array/fan.h"
#include "array/map_inside.h"
#include "blk/mpathd_act.h"
#include "blk/vpd.h"
#include "util/clock.h"

enum {
	ASK_MS = 6000,
	TELL_MS = 4500,	  /* multipathd gives up after 4 s itself */
	LET_GO_MS = 3000, /* device-mapper, after multipathd has said yes */
	KEEP_MS = 1000,	  /* of a deadline, to delete what is loose */
};

static bool is_held(const struct map_job *j, const struct scsi_disk *d)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};

	sysdisk_holders(&j->root, d->name, &holders);
	return holders.n > 0;
}

/* 0 when nobody has it: only then it may go. */
static int let_loose(struct map_job *j, const struct map_view *v, const struct scsi_disk *d,
		     struct err *e)
{
	int64_t until = clock_boot_ms() + LET_GO_MS;
	char why[128];
	int r = 0;

	if (map_view_in_map(v, d))
		r = mpathd_do("del path", d->name, map_job_left(j, TELL_MS), e);
	if (r < 0)
		return r;
	while (is_held(j, d) && clock_boot_ms() < until && map_job_left(j, KEEP_MS))
		map_job_pause(j);
	if (map_disk_use(&j->root, d->name, why, sizeof(why)) != MAP_FREE)
		return err_set(e, -EBUSY, "%s stays: %s", d->name, why);
	return 0;
}

int map_drop_paths(struct map_job *j, const struct map_view *v, const struct scsi_disk *disks,
		   size_t n, struct err *e)
{
	struct scsi_disk loose[MAP_PLACES_MAX];
	size_t n_loose = 0;
	int r = 0, first = 0;

	for (size_t i = 0; i < n && n_loose < MAP_PLACES_MAX; i++) {
		r = let_loose(j, v, &disks[i], e);
		if (r == 0)
			loose[n_loose++] = disks[i];
		else if (first == 0)
			first = r;
	}
	if (n_loose)
		r = map_delete_disks(j, loose, n_loose, e);
	return first ? first : r;
}

struct outdated {
	struct scsi_disk disks[MAP_PLACES_MAX];
	size_t n;
};

static int ask_one(void *ctx, const struct root *root, size_t i, char *answer, struct err *e)
{
	const struct scsi_disk *d = &((struct outdated *)ctx)->disks[i];

	(void)root;
	return vpd_ask(d->name, d->dev, answer, e);
}

/* What is behind a port that does not work says nothing, and is not waited for: its turn comes when
 * the port is back. */
static void find_outdated(const struct map_job *j, const struct map_view *v,
			  const struct map_want *want, struct outdated *ret)
{
	CLEANUP(scsi_ports_done) struct scsi_ports ports = {};

	if (want->protocol == ARRAY_FC)
		scsi_fc_ports(&ports, &j->root);
	else
		scsi_iscsi_ports(&ports, &j->root);
	vec_each (d, &v->disks)
		if (ret->n < MAP_PLACES_MAX && (map_view_in_map(v, d) || !d->held) &&
		    (strcmp(d->state, "running") == 0 || strcmp(d->state, "offline") == 0) &&
		    map_plan_is_outdated(want, &ports, &d->at))
			ret->disks[ret->n++] = *d;
}

/* Those that answer for the volume are left out. */
static int ask_outdated(struct map_job *j, const struct map_view *v, struct outdated *all,
			struct err *e)
{
	struct fan_slot slots[MAP_PLACES_MAX];
	size_t n = 0;
	int r = fan_run(ask_one, all, &j->root, all->n, map_job_left(j, ASK_MS), slots, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all->n; i++)
		if (slots[i].code < 0 || strcmp(slots[i].answer, v->naa) != 0)
			all->disks[n++] = all->disks[i];
	all->n = n;
	return 0;
}

/* A map without a path would have its guest wait, or fail. */
static bool keeps_a_path(const struct map_view *v, const struct outdated *going)
{
	size_t paths = 0, gone = 0;

	vec_each (d, &v->disks)
		paths += map_view_in_map(v, d);
	for (size_t i = 0; i < going->n; i++)
		gone += map_view_in_map(v, &going->disks[i]);
	return paths > gone;
}

int map_prune_view(struct map_job *j, const struct map_view *v, const struct map_want *want,
		   struct err *e)
{
	struct outdated *going = xcalloc(1, sizeof(*going));
	int r = 0;

	if (v->mapped)
		find_outdated(j, v, want, going);
	if (going->n)
		r = ask_outdated(j, v, going, e);
	if (r == 0 && going->n && keeps_a_path(v, going))
		r = map_drop_paths(j, v, going->disks, going->n, e);
	free(going);
	return r;
}

int map_prune_scsi(struct map_job *j, const struct map_want *want, struct err *e)
{
	struct map_view v;
	int r = map_view_read(&v, &j->root, want->serial, e);

	if (r == 0)
		r = map_prune_view(j, &v, want, e);
	map_view_done(&v);
	return r;
}
