/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The judge: two mappings over the same sectors, and mappings made by hand. */

#include "judge_stage.h"

/* duplicate and manual */

static struct fx_map *by_hand(struct stage *s, const char *name, const char *uuid)
{
	s->map = fixture_raw(&s->f, name, uuid);
	return s->map;
}

static void handmade_over(struct stage *s)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	healthy(s);
	by_hand(s, "vg-vm--100--disk--0-copy", "");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048", DEVNO_ARG(pv->dev));
	fixture_dep(s->map, pv->dev);
}

static void handmade_partner(struct stage *s)
{
	handmade_over(s);
	s->map = fixture_find(&s->f, "vg-vm--100--disk--0");
}

static void handmade_over_inactive(struct stage *s)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	(void)fixture_lv(&s->f, s->vg, DISK, 4);
	by_hand(s, "mine-vm--100--disk--0", "my-own-uuid");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048", DEVNO_ARG(pv->dev));
}

static void handmade_claims(struct stage *s)
{
	healthy(s);
	by_hand(s, "vg-vm--100--disk--0-copy", "");
	fixture_target(&s->f, s->map, "0 8192 zero");
}

static void handmade_behind(struct stage *s)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	healthy(s);
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " %llu", DEVNO_ARG(pv->dev),
		       (unsigned long long)fixture_sector(4));
}

static void handmade_on_other_disk(struct stage *s)
{
	healthy(s);
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
}

/* The group is on a partition, the hand-made map counts from the disk's first sector. */
static void on_partition(struct stage *s, uint64_t offset)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	pv->dev = (struct devno){ 8, 3201 };
	fixture_disk(&s->f, "sdx", (struct devno){ 8, 3200 });
	fixture_partition(&s->f, "sdx", "sdx1", pv->dev, 1000);
	healthy(s);
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 1 linear 8:3200 %llu", (unsigned long long)offset);
}

static void handmade_through_partition(struct stage *s)
{
	on_partition(s, 1000 + 2048);
}

static void handmade_before_partition(struct stage *s)
{
	on_partition(s, 1000 + 2047);
}

/* A path of the map that the group is on. */
static void handmade_through_path(struct stage *s)
{
	struct devno path = { 8, 3300 };

	s->vg->pvs.items[0]->dev = multipath(s, path)->dev;
	healthy(s);
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 1 linear " DEVNO_FMT " 2048", DEVNO_ARG(path));
}

static void handmade_on_top(struct stage *s)
{
	struct fx_map *below;

	healthy(s);
	below = s->map;
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 0", DEVNO_ARG(below->dev));
	fixture_dep(s->map, below->dev);
}

static void below_handmade(struct stage *s)
{
	handmade_on_top(s);
	s->map = fixture_find(&s->f, "vg-vm--100--disk--0");
}

static void two_handmade(struct stage *s)
{
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
	by_hand(s, "test-vm--101--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 10239");
}

static void two_handmade_apart(struct stage *s)
{
	by_hand(s, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
	by_hand(s, "test-vm--101--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 10240");
}

static void handmade_wanted_by_path(struct stage *s)
{
	handmade_on_other_disk(s);
	vm(s, 101, "scsi1: /dev/mapper/test-vm--100--disk--9\n");
}

static void handmade_over_and_wanted(struct stage *s)
{
	handmade_over(s);
	vm(s, 101, "scsi1: /dev/mapper/vg-vm--100--disk--0-copy\n");
}

static void handmade_other_name(struct stage *s)
{
	by_hand(s, "backup-data", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
}

static void handmade_inside_word(struct stage *s)
{
	by_hand(s, "xvm--100--disk--0", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
}

static void moved_onto_another(struct stage *s)
{
	struct fx_lv *mine;
	struct fx_map *map;

	moved(s);
	mine = s->lv;
	map = s->map;
	s->lv = fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0");
	fixture_segment(s->lv, s->vg->pvs.items[0], 2, 4);
	(void)fixture_map(&s->f, s->lv);
	vm(s, 200, "scsi0: thick:vm-200-disk-0\n");
	s->lv = mine;
	s->map = map;
}

static void moved_away_from_it(struct stage *s)
{
	moved_onto_another(s);
	s->map = fixture_find(&s->f, "vg-vm--200--disk--0");
}

/* One number, raw and qcow2: two healthy volumes. */
static void raw_and_qcow2(struct stage *s)
{
	thick(s, DISK);
	thick(s, DISK ".qcow2");
	vm(s, 100, "scsi0: thick:" DISK "\nscsi1: thick:" DISK ".qcow2\n");
	fixture_runs(&s->f, 100);
}

static const struct trial trials[] = {
	{ "hand-made over a guest's sectors, used by path", handmade_over_and_wanted, DM_DUPLICATE,
	  CRITICAL, DM_CAUSE_SAME_SECTORS, DUPLICATE, 101 },
	{ "hand-made over a guest's sectors", handmade_over, DM_DUPLICATE, CRITICAL,
	  DM_CAUSE_SAME_SECTORS, DUPLICATE },
	{ "the guest's own beside it", handmade_partner, OK, RUNS },
	{ "hand-made over an inactive volume", handmade_over_inactive, DM_DUPLICATE, CRITICAL,
	  DM_CAUSE_SAME_SECTORS },
	{ "hand-made, claims a name", handmade_claims, DM_DUPLICATE, CRITICAL,
	  DM_CAUSE_CLAIMS_NAME },
	{ "hand-made right behind", handmade_behind, PLAIN(MANUAL, WARNING) },
	{ "hand-made on another disk", handmade_on_other_disk, PLAIN(MANUAL, WARNING), 0, 100 },
	{ "hand-made on the disk, group on its partition", handmade_through_partition, DM_DUPLICATE,
	  CRITICAL, DM_CAUSE_SAME_SECTORS, DUPLICATE },
	{ "hand-made just before the partition's", handmade_before_partition,
	  PLAIN(MANUAL, WARNING) },
	{ "hand-made on a path, group on the map", handmade_through_path, DM_DUPLICATE, CRITICAL,
	  DM_CAUSE_SAME_SECTORS, DUPLICATE },
	{ "hand-made on top of a guest's disk", handmade_on_top, PLAIN(MANUAL, WARNING) },
	{ "the disk below a hand-made one", below_handmade, OK, RUNS },
	{ "two hand-made over each other", two_handmade, DM_DUPLICATE, CRITICAL,
	  DM_CAUSE_SAME_SECTORS, DUPLICATE },
	{ "two hand-made side by side", two_handmade_apart, PLAIN(MANUAL, WARNING) },
	{ "hand-made, a guest uses its path", handmade_wanted_by_path, OK },
	{ "hand-made, another name", handmade_other_name, INFRA },
	{ "hand-made, vm inside a word", handmade_inside_word, INFRA },
	{ "moved, its old place is another's", moved_onto_another, DM_STALE_TABLE, CRITICAL,
	  DM_CAUSE_MOVED, DUPLICATE },
	{ "the rightful one stays", moved_away_from_it, PLAIN(LEFTOVER, NOTICE) },
	{ "raw and qcow2 of one number", raw_and_qcow2, OK, RUNS },
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
