/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The judge: live tables that are not what the metadata says. */

#include "judge_stage.h"

/* stale-table */

static void grown_in_place(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].size += 2;
	s->lv->extents += 2;
}

static void grown_open(struct stage *s)
{
	grown(s);
	s->map->open = 1;
}

static void grown_running(struct stage *s)
{
	grown(s);
	fixture_runs(&s->f, 100);
}

static void moved_device(struct stage *s)
{
	struct fx_pv *pv;

	stopped(s);
	pv = fixture_pv(&s->f, s->vg);
	s->lv->segs.items[0].areas[0].pv = pv;
}

static void moved_longer(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].size = s->lv->extents = 3;
}

static void moved_and_grown(struct stage *s)
{
	grown(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

/* The first half was made larger in the metadata, the second half does not begin where it did. */
static void moved_within(struct stage *s)
{
	stopped(s);
	fixture_segment(s->lv, s->vg->pvs.items[0], 60, 4);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 16384 linear " DEVNO_FMT " 2048",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev));
	fixture_target(&s->f, s->map, "16384 8192 linear " DEVNO_FMT " %llu",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev), (unsigned long long)fixture_sector(60));
}

static void retype(struct stage *s, const char *target)
{
	stopped(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "%s", target);
}

static void table_is_error(struct stage *s)
{
	retype(s, "0 32768 error");
}

static void table_is_short_error(struct stage *s)
{
	retype(s, "0 8192 error");
}

static void table_is_crypt(struct stage *s)
{
	retype(s, "0 32768 crypt");
}

static void table_has_gap(struct stage *s)
{
	stopped(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev));
	fixture_target(&s->f, s->map, "16384 16384 linear " DEVNO_FMT " 18432",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev));
}

/* LVM has two segments where the kernel has one. */
static void merged_live(struct stage *s)
{
	healthy(s);
	s->lv->segs.items[0].size = 1;
	s->lv->extents = 1;
	fixture_segment(s->lv, s->vg->pvs.items[0], 1, 3);
}

static void split_live(struct stage *s)
{
	healthy(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev));
	fixture_target(&s->f, s->map, "8192 24576 linear " DEVNO_FMT " 10240",
		       DEVNO_ARG(s->vg->pvs.items[0]->dev));
}

/* The live table has the map, LVM's report one of its paths. */
static void multipath_live(struct stage *s)
{
	struct devno path = s->vg->pvs.items[0]->dev;

	s->vg->pvs.items[0]->dev = multipath(s, path)->dev;
	healthy(s);
	s->vg->pvs.items[0]->dev = path;
}

static void multipath_reported(struct stage *s)
{
	struct devno path = s->vg->pvs.items[0]->dev;

	healthy(s);
	s->vg->pvs.items[0]->dev = multipath(s, path)->dev;
}

static void multipath_of_another_disk(struct stage *s)
{
	healthy(s);
	s->vg->pvs.items[0]->dev = multipath(s, (struct devno){ 8, 4000 })->dev;
}

static void striped(struct stage *s)
{
	struct fx_pv *second = fixture_pv(&s->f, s->vg);

	s->lv = fixture_bare_lv(&s->f, s->vg, DISK);
	fixture_striped(s->lv, s->vg->pvs.items[0], 10, second, 20, 8, 65536);
	s->map = fixture_map(&s->f, s->lv);
	vm(s, 100, "scsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void striped_otherwise(struct stage *s)
{
	striped(s);
	s->lv->segs.items[0].stripe = 131072;
}

static void striped_swapped(struct stage *s)
{
	struct fx_seg *seg;
	struct fx_pv *pv;

	striped(s);
	seg = &s->lv->segs.items[0];
	pv = seg->areas[0].pv;
	seg->areas[0].pv = seg->areas[1].pv;
	seg->areas[1].pv = pv;
}

static void striped_second_moved(struct stage *s)
{
	striped(s);
	s->lv->segs.items[0].areas[1].first = 21;
}

static void striped_grown(struct stage *s)
{
	striped(s);
	s->lv->segs.items[0].size += 2;
	s->lv->extents += 2;
}

static void with_real(struct stage *s)
{
	struct fx_map *top, *real;

	stopped(s);
	s->lv->attr = "owi-XX----";
	real = s->map;
	real->name = "vg-vm--100--disk--0-real";
	real->uuid = fixture_uuid(&s->f, s->lv, "-real");
	top = fixture_raw(&s->f, "vg-vm--100--disk--0", fixture_uuid(&s->f, s->lv, ""));
	fixture_target(&s->f, top, "0 32768 snapshot-origin " DEVNO_FMT, DEVNO_ARG(real->dev));
	fixture_dep(top, real->dev);
	s->map = top;
	fixture_runs(&s->f, 100);
}

static void real_moved(struct stage *s)
{
	with_real(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

static void raid(struct stage *s)
{
	retype(s, "0 32768 raid raid1 3 0 region_size 1024 2 253:7 253:8 253:9 253:10");
	s->lv->attr = "rwi-XX----";
	s->lv->segs.items[0].type = "raid1";
	s->lv->segs.items[0].ranges = "[x_rimage_0]:0-3 [x_rimage_1]:0-3";
	fixture_runs(&s->f, 100);
}

static void raid_shorter(struct stage *s)
{
	raid(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 16384 raid raid1");
}

static void raid_longer(struct stage *s)
{
	raid(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 65536 raid raid1");
}

static void thin_running(struct stage *s)
{
	thin(s, DISK);
	vm(s, 100, "scsi0: thin:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void thin_grown(struct stage *s)
{
	thin(s, DISK);
	vm(s, 100, "scsi0: thin:" DISK "\n");
	s->lv->extents = 5;
}

static void thin_other_id(struct stage *s)
{
	thin_running(s);
	s->lv->thin_id = 77;
}

static void thin_other_pool(struct stage *s)
{
	thin_running(s);
	s->lv->pool = fixture_pool(&s->f, s->vg, "fast");
}

static void thin_longer(struct stage *s)
{
	thin_running(s);
	s->lv->extents = 3;
}

static void thin_is_linear(struct stage *s)
{
	thin_running(s);
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "0 32768 linear 8:16 2048");
}

static const struct trial trials[] = {
	{ "grown", grown, DM_STALE_TABLE, WARNING, DM_CAUSE_GROWN },
	{ "grown in place", grown_in_place, DM_STALE_TABLE, WARNING, DM_CAUSE_GROWN },
	{ "grown, open", grown_open, DM_STALE_TABLE, CRITICAL, DM_CAUSE_GROWN },
	{ "grown, running", grown_running, DM_STALE_TABLE, CRITICAL, DM_CAUSE_GROWN, RUNS },
	{ "moved", moved, MOVED },
	{ "moved to another device", moved_device, MOVED },
	{ "a live table longer than its volume", moved_longer, MOVED },
	{ "moved and grown", moved_and_grown, MOVED },
	{ "moved within", moved_within, MOVED },
	{ "another type: error", table_is_error, MOVED },
	{ "another type, shorter", table_is_short_error, MOVED },
	{ "another type: crypt", table_is_crypt, MOVED },
	{ "a gap in the live table", table_has_gap, MOVED },
	{ "two segments, one target", merged_live, OK, RUNS },
	{ "one segment, two targets", split_live, OK, RUNS },
	{ "a map live, its path reported", multipath_live, OK, RUNS },
	{ "a path live, its map reported", multipath_reported, OK, RUNS },
	{ "a map of another disk reported", multipath_of_another_disk, MOVED, RUNS },
	{ "striped", striped, OK, RUNS },
	{ "striped with other chunks", striped_otherwise, MOVED, RUNS },
	{ "striped the other way round", striped_swapped, MOVED, RUNS },
	{ "striped, second leg moved", striped_second_moved, MOVED, RUNS },
	{ "striped, grown", striped_grown, DM_STALE_TABLE, CRITICAL, DM_CAUSE_GROWN, RUNS },
	{ "an origin and its -real", with_real, OK, RUNS },
	{ "an origin whose -real lies elsewhere", real_moved, MOVED, RUNS },
	{ "raid: by length only", raid, OK, RUNS },
	{ "raid, shorter", raid_shorter, DM_STALE_TABLE, CRITICAL, DM_CAUSE_GROWN, RUNS },
	{ "raid, longer", raid_longer, MOVED, RUNS },
	{ "thin", thin_running, OK, RUNS },
	{ "thin, grown", thin_grown, DM_STALE_TABLE, WARNING, DM_CAUSE_GROWN },
	{ "thin, another id", thin_other_id, MOVED, RUNS },
	{ "thin, another pool", thin_other_pool, MOVED, RUNS },
	{ "thin, longer", thin_longer, MOVED, RUNS },
	{ "thin that is linear", thin_is_linear, MOVED, RUNS },
};

static void every_rule(void **state)
{
	(void)state;
	judge_try_all(trials, ARRAY_SIZE(trials));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
