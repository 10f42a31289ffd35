/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The whole check with device-mapper asked live and everything else (LVM's report, Proxmox' files)
 * read from the recorded node that is its argument: what bare.c is compared with.
 */

#include <stdio.h>

#include "pve/volname.h"
#include "dm/show.h"

static int scan_both(struct dm_scan *s, const struct root *live, const struct root *recorded,
		     struct err *e)
{
	int r = dmdev_read(&s->dm, live, &s->arena, e);

	if (r == 0)
		r = sysblk_read(&s->sys, live, &s->arena, e);
	if (r == 0) {
		candidates_choose(&s->candidates, &s->dm, &s->sys, volname_is_guests, &s->arena);
		r = lvm_read(&s->lvm, recorded, &s->candidates, &s->arena, NULL, e);
	}
	if (r == 0)
		r = cluster_read(&s->cluster, recorded, e);
	if (r == 0)
		r = running_read(&s->running, recorded, e);
	if (r == 0)
		r = tasks_read(&s->tasks, recorded, &s->arena, e);
	return r;
}

int main(int argc, char *argv[])
{
	struct dm_options options = { .min_age = 24 * 3600 };
	struct dm_look look = {};
	struct root live, recorded;
	struct dm_summary summary;
	struct err e = {};

	if (argc != 2 || root_open(&live, NULL, &e) < 0 || root_open(&recorded, argv[1], &e) < 0 ||
	    scan_both(&look.scan, &live, &recorded, &e) < 0) {
		(void)fprintf(stderr, "live: %s\n", e.text);
		return 1;
	}
	dm_model_build(&look.model, &look.scan);
	look.verdicts = xcalloc(look.model.n, sizeof(*look.verdicts));
	dm_judge(&look.model, &options, look.verdicts);
	dm_summarize(&summary, &look.model, look.verdicts, &options);
	printf("%zu devices, %zu ok\n", summary.mappings, summary.by_class[DM_OK]);
	return 0;
}
