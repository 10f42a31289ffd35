/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Bringing back a volume that LVM deactivated: as it was, or not at all. */

#include "restore_stage.h"

static void remember_deactivated(struct stage *s)
{
	remember(s, last_map(s), DM_STEP_DEACTIVATE, "leftover");
}

static void deactivated(struct stage *s)
{
	volume(s);
	remember_deactivated(s);
	take_away(s);
}

static void deactivated_striped(struct stage *s)
{
	striped_volume(s);
	remember_deactivated(s);
	take_away(s);
}

static void vg_exported(struct stage *s)
{
	deactivated(s);
	s->vg->exported = "exported";
}

static void lv_renamed(struct stage *s)
{
	deactivated(s);
	s->lv->name = "vm-100-disk-5";
}

static void vg_renamed(struct stage *s)
{
	deactivated(s);
	s->vg->name = "vgnew";
}

static void lv_grown(struct stage *s)
{
	deactivated(s);
	fixture_segment(s->lv, s->pv, 60, 4);
}

static void lv_grown_in_place(struct stage *s)
{
	deactivated(s);
	s->lv->segs.items[0].size += 2;
	s->lv->extents += 2;
}

static void lv_moved(struct stage *s)
{
	deactivated(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

static void lv_moved_to_another_disk(struct stage *s)
{
	deactivated(s);
	s->lv->segs.items[0].areas[0].pv = s->second;
}

static void lv_gone(struct stage *s)
{
	deactivated(s);
	s->lv->deleted = true;
}

static void lv_made_anew(struct stage *s)
{
	lv_gone(s);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, DISK), s->pv, 0, 4);
}

/* LVM has two segments where the kernel had one. */
static void lv_split(struct stage *s)
{
	deactivated(s);
	s->lv->segs.items[0].size = 1;
	s->lv->extents = 1;
	fixture_segment(s->lv, s->pv, 1, 3);
}

static void lv_on_renumbered_disk(struct stage *s)
{
	deactivated(s);
	s->pv->dev = (struct devno){ 65, 160 };
}

static void stripes_otherwise(struct stage *s)
{
	deactivated_striped(s);
	s->lv->segs.items[0].stripe = 131072;
}

static void stripes_swapped(struct stage *s)
{
	struct fx_seg *seg;

	deactivated_striped(s);
	seg = &s->lv->segs.items[0];
	seg->areas[0].pv = s->second;
	seg->areas[1].pv = s->pv;
}

static void second_stripe_moved(struct stage *s)
{
	deactivated_striped(s);
	s->lv->segs.items[0].areas[1].first = 21;
}

static void is_origin_now(struct stage *s)
{
	deactivated(s);
	s->lv->attr = "owi-XX----";
}

static void started_meanwhile(struct stage *s)
{
	volume(s);
	remember_deactivated(s);
}

static void thin(struct stage *s)
{
	thin_volume(s);
	remember_deactivated(s);
	take_away(s);
}

static void thin_other_id(struct stage *s)
{
	thin(s);
	s->lv->thin_id = 77;
}

static void thin_other_pool(struct stage *s)
{
	thin(s);
	s->lv->pool = fixture_pool(&s->f, s->vg, "fast");
}

static void thin_grown(struct stage *s)
{
	thin(s);
	s->lv->extents = 5;
}

static void thin_pool_not_active(struct stage *s)
{
	thin(s);
	take_away(s);
}

#define CHANGED "LVM would map vg/" DISK " otherwise"

static const struct trial trials[] = {
	{ "deactivated", deactivated, NULL, PLAIN, LV },
	{ "deactivated, striped", deactivated_striped, NULL, STRIPES, LV },
	{ "deactivated, thin", thin, NULL, "0 32768 thin 253:0 1", LV },
	{ "another boot, deactivated", deactivated, REBOOTED, NULL, OTHER_BOOT },
	{ "group exported, deactivated", vg_exported, "it is exported", NULL },
	{ "renamed", lv_renamed, "is named vg/vm-100-disk-5", NULL, LV },
	{ "group renamed", vg_renamed, "is named vgnew/" DISK, NULL, LV },
	{ "grown", lv_grown, CHANGED, NULL, LV },
	{ "grown in place", lv_grown_in_place, CHANGED, NULL, LV },
	{ "moved", lv_moved, CHANGED, NULL, LV },
	{ "moved to another disk", lv_moved_to_another_disk, CHANGED, NULL, LV },
	{ "gone", lv_gone, "does not exist any more", NULL },
	{ "gone, another of that name", lv_made_anew, "does not exist any more", NULL },
	{ "in two segments", lv_split, NULL, PLAIN, LV },
	{ "on a disk of another number", lv_on_renumbered_disk, NULL, "0 32768 linear 65:160 2048",
	  LV },
	{ "stripes of another size", stripes_otherwise, CHANGED, NULL, LV },
	{ "stripes in another order", stripes_swapped, CHANGED, NULL, LV },
	{ "second stripe moved", second_stripe_moved, CHANGED, NULL, LV },
	{ "has a snapshot now", is_origin_now, "of this kind", NULL, LV },
	{ "started meanwhile", started_meanwhile, NULL, PLAIN, THERE },
	{ "thin, another id", thin_other_id, CHANGED, NULL, LV },
	{ "thin, another pool", thin_other_pool, CHANGED, NULL, LV },
	{ "thin, grown", thin_grown, CHANGED, NULL, LV },
	{ "thin, its pool is not active", thin_pool_not_active, LOST, NULL },
};

static void every_rule(void **state)
{
	(void)state;
	restore_try_all(trials, ARRAY_SIZE(trials));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
