/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Bringing back a mapping that was removed: exactly what it was, in today's device numbers, or not
 * at all. */

#include "restore_stage.h"

/* --- what was removed ---------------------------------------------------------------------- */

/* Removed as a ghost: its volume does not exist any more. */
static void remember_ghost(struct stage *s)
{
	s->lv->deleted = true;
	remember(s, last_map(s), DM_STEP_REMOVE, "ghost");
}

static void ghost(struct stage *s)
{
	volume(s);
	remember_ghost(s);
	take_away(s);
}

static void striped(struct stage *s)
{
	striped_volume(s);
	remember_ghost(s);
	take_away(s);
}

/* Made by hand over a disk of the group, behind all volumes. */
static void by_hand_as(struct stage *s, const char *target)
{
	struct fx_map *map = fixture_raw(&s->f, "test-vm--100--disk--9", "");

	fixture_target(&s->f, map, "%s", target);
	fixture_dep(map, s->pv->dev);
	remember(s, map, DM_STEP_REMOVE, "manual");
}

static void by_hand(struct stage *s)
{
	by_hand_as(s, "0 8192 linear 8:16 819200");
	take_away(s);
}

/* --- what it stands on --------------------------------------------------------------------- */

static void disk_has_another_number(struct stage *s)
{
	ghost(s);
	s->pv->dev = (struct devno){ 65, 160 };
}

/* Pulled and plugged in again, the other one first. */
static void disks_changed_places(struct stage *s)
{
	striped(s);
	s->pv->dev = (struct devno){ 8, 32 };
	s->second->dev = (struct devno){ 8, 16 };
}

static void number_is_another_disks(struct stage *s)
{
	struct fx_vg *other = fixture_vg(&s->f, "other");

	ghost(s);
	other->pvs.items[0]->dev = s->pv->dev;
	s->pv->dev = (struct devno){ 8, 48 };
}

static void disk_gone(struct stage *s)
{
	ghost(s);
	s->pv->missing = true;
}

static void disk_gone_number_reused(struct stage *s)
{
	number_is_another_disks(s);
	s->pv->missing = true;
}

static void second_disk_gone(struct stage *s)
{
	striped(s);
	s->second->missing = true;
}

static void disk_twice(struct stage *s)
{
	struct fx_pv *again;

	ghost(s);
	again = fixture_pv(&s->f, s->vg);
	memcpy(again->uuid, s->pv->uuid, sizeof(again->uuid));
}

static void disk_without_marks(struct stage *s)
{
	by_hand(s);
	s->entry.parents[0].pv_uuid = NULL;
}

static void no_parent_known(struct stage *s)
{
	by_hand(s);
	s->entry.n_parents = 0;
}

static struct fx_map *multipath(struct stage *s)
{
	struct fx_map *map = fixture_raw(&s->f, "mpatha", "mpath-3600140500007");

	fixture_target(&s->f, map, "0 209715200 multipath 0 0 1 1 round-robin 0 1 1 8:4000 1");
	fixture_dep(map, (struct devno){ 8, 4000 });
	map->paths = 1;
	return map;
}

/* Its number was 253:0, and is 253:9 since it was made anew. */
static void on_multipath(struct stage *s)
{
	struct fx_map *below = multipath(s);

	s->pv->dev = below->dev;
	ghost(s);
	below->dev = (struct devno){ 253, 9 };
	s->pv->dev = below->dev;
}

static void on_multipath_that_is_gone(struct stage *s)
{
	struct fx_map *below = multipath(s);

	s->pv->dev = below->dev;
	ghost(s);
	below->uuid = "mpath-3600140500008";
}

static void on_disk_by_wwid(struct stage *s)
{
	by_hand(s);
	s->entry.parents[0] = (struct blk_identity){ { 8, 16 }, NULL, "naa.6001405", NULL };
	fixture_disk(&s->f, "sdz", (struct devno){ 65, 32 });
	tree_write(&s->f.tree, "sys/devices/block/sdz/device/wwid", "naa.6001405\n");
}

/* --- which boot it was, how it ended ------------------------------------------------------- */

static void blind(struct stage *s)
{
	ghost(s);
	s->f.quorate = "false";
}

static void boot_unknown(struct stage *s)
{
	ghost(s);
	s->run.boot_id = "";
	tree_write(&s->f.tree, "proc/sys/kernel/random/boot_id", "\n");
}

static void in_state(struct stage *s, enum dm_undo_state state)
{
	ghost(s);
	s->entry.state = state;
}

static void was_skipped(struct stage *s)
{
	in_state(s, DM_UNDO_SKIPPED);
}

static void has_failed(struct stage *s)
{
	in_state(s, DM_UNDO_FAILED);
}

static void no_end(struct stage *s)
{
	in_state(s, DM_UNDO_INTENDED);
}

/* --- it is there already, or its name is taken --------------------------------------------- */

static void name_taken(struct stage *s)
{
	ghost(s);
	fixture_target(&s->f, fixture_raw(&s->f, NAME, ""), "0 32768 linear 8:16 2048");
}

static void name_taken_by_new_volume(struct stage *s)
{
	struct fx_lv *lv;

	ghost(s);
	lv = fixture_bare_lv(&s->f, s->vg, DISK);
	fixture_segment(lv, s->pv, 50, 4);
	(void)fixture_map(&s->f, lv);
}

static void uuid_taken(struct stage *s)
{
	ghost(s);
	fixture_target(&s->f, fixture_raw(&s->f, "vg-vm--100--disk--7", s->entry.dev.uuid),
		       "0 32768 linear 8:16 2048");
}

static void without_uuid_name_taken(struct stage *s)
{
	by_hand(s);
	fixture_target(&s->f, fixture_raw(&s->f, "test-vm--100--disk--9", ""), "0 8192 zero");
}

/* Nothing is taken by somebody who has no UUID either. */
static void without_uuid_beside_another(struct stage *s)
{
	by_hand(s);
	fixture_target(&s->f, fixture_raw(&s->f, "test-vm--100--disk--8", ""), "0 8192 zero");
}

static void there(struct stage *s)
{
	volume(s);
	remember_ghost(s);
}

static void there_without_uuid(struct stage *s)
{
	by_hand_as(s, "0 8192 linear 8:16 819200");
}

/* The disk has another number, and the mapping that is there stands on that one. */
static void there_in_todays_numbers(struct stage *s)
{
	ghost(s);
	s->pv->dev = (struct devno){ 65, 160 };
	fixture_target(&s->f, fixture_raw(&s->f, NAME, s->entry.dev.uuid),
		       "0 32768 linear 65:160 2048");
}

static void there_otherwise(struct stage *s)
{
	there(s);
	last_map(s)->targets.n = 0;
	fixture_target(&s->f, last_map(s), "0 32768 linear 8:16 4096");
}

static void there_read_only(struct stage *s)
{
	there(s);
	last_map(s)->flags = "readonly";
}

static void empty_device(struct stage *s, enum dm_undo_state state)
{
	ghost(s);
	s->entry.state = state;
	(void)fixture_raw(&s->f, NAME, s->entry.dev.uuid);
}

static void half(struct stage *s)
{
	empty_device(s, DM_UNDO_RESTORING);
}

static void half_of_another(struct stage *s)
{
	half(s);
	last_map(s)->uuid = "LVM-other";
}

static void half_open(struct stage *s)
{
	half(s);
	last_map(s)->open = 1;
}

static void half_with_table(struct stage *s)
{
	half(s);
	fixture_target(&s->f, last_map(s), "0 32768 linear 8:16 4096");
}

static void empty_not_ours(struct stage *s)
{
	empty_device(s, DM_UNDO_DONE);
}

/* --- its group and its sectors ------------------------------------------------------------- */

static void vg_hidden(struct stage *s)
{
	ghost(s);
	s->entry.parents[0] = (struct blk_identity){ { 8, 16 }, NULL, "naa.6001405", NULL };
	fixture_disk(&s->f, "sda", (struct devno){ 8, 16 });
	tree_write(&s->f.tree, "sys/devices/block/sda/device/wwid", "naa.6001405\n");
	s->vg->hidden = true;
}

static void vg_not_whole(struct stage *s)
{
	ghost(s);
	s->second->missing = true;
}

/* It says nothing of a group, its disk is in one. */
static void by_hand_vg_not_whole(struct stage *s)
{
	by_hand(s);
	s->second->missing = true;
}

static void other_vg_not_whole(struct stage *s)
{
	by_hand(s);
	fixture_vg(&s->f, "other")->exported = "exported";
}

static void owned_from(struct stage *s, uint64_t extent)
{
	ghost(s);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0"), s->pv, extent, 2);
}

static void sectors_owned(struct stage *s)
{
	owned_from(s, 3);
}

static void sectors_beside_owned(struct stage *s)
{
	owned_from(s, 4);
}

static void second_leg_owned(struct stage *s)
{
	striped(s);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0"), s->second, 23, 1);
}

/* By the same extent of the other disk: nobody's. */
static void owned_on_the_other_disk(struct stage *s)
{
	ghost(s);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0"), s->second, 0, 4);
}

/* It was laid over the whole disk, the group is on a partition of it. */
static void owned_through_partition(struct stage *s)
{
	by_hand(s);
	s->entry.parents[0] = (struct blk_identity){ { 8, 16 }, NULL, "naa.6001405", NULL };
	fixture_disk(&s->f, "sda", (struct devno){ 8, 16 });
	tree_write(&s->f.tree, "sys/devices/block/sda/device/wwid", "naa.6001405\n");
	s->pv->dev = (struct devno){ 8, 17 };
	fixture_partition(&s->f, "sda", "sda1", s->pv->dev, 1000);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0"), s->pv, 99, 2);
}

/* --- its table ----------------------------------------------------------------------------- */

static void thin_ghost(struct stage *s)
{
	thin_volume(s);
	remember_ghost(s);
	take_away(s);
}

static void by_hand_zero(struct stage *s)
{
	by_hand_as(s, "0 8192 zero");
	take_away(s);
}

static void zero_then_sectors(struct stage *s, uint64_t extent)
{
	struct fx_map *map;

	by_hand_as(s, "0 8192 zero");
	map = last_map(s);
	fixture_target(&s->f, map, "8192 8192 linear 8:16 2048");
	remember(s, map, DM_STEP_REMOVE, "manual");
	take_away(s);
	fixture_segment(fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0"), s->pv, extent, 1);
}

static void no_table(struct stage *s)
{
	by_hand(s);
	s->entry.dev.n_targets = 0;
}

static void table_of_no_length(struct stage *s)
{
	zero_then_sectors(s, 1);
	s->entry.dev.targets[0].length = s->entry.dev.targets[1].start = 0;
}

static void table_begins_late(struct stage *s)
{
	by_hand(s);
	s->entry.dev.targets[0].start = 1;
}

static void table_too_long(struct stage *s)
{
	zero_then_sectors(s, 1);
	s->entry.dev.targets[1].length = UINT64_MAX - 1;
}

static void crypt_table(struct stage *s)
{
	by_hand(s);
	s->entry.dev.targets[0].type = "crypt";
}

static void zero_then_owned(struct stage *s)
{
	zero_then_sectors(s, 0);
}

static void zero_then_free(struct stage *s)
{
	zero_then_sectors(s, 1);
}

/* --- all of them --------------------------------------------------------------------------- */

#define TAKEN "the name is taken"

static const struct trial trials[] = {
	{ "ghost", ghost, "only with --yes-restore-ghost", NULL },
	{ "ghost, allowed", ghost, NULL, PLAIN, GHOST_TOO },
	{ "ghost, striped", striped, NULL, STRIPES, GHOST_TOO },
	{ "made by hand", by_hand, NULL, "0 8192 linear 8:16 819200" },

	{ "its disk has another number", disk_has_another_number, NULL,
	  "0 32768 linear 65:160 2048", GHOST_TOO },
	{ "two disks changed places", disks_changed_places, NULL,
	  "0 65536 striped 2 128 8:32 83968 8:16 165888", GHOST_TOO },
	{ "its number is another disk's", number_is_another_disks, NULL, "0 32768 linear 8:48 2048",
	  GHOST_TOO },
	{ "its disk is gone", disk_gone, LOST, NULL, GHOST_TOO },
	{ "its disk is gone, the number is another's", disk_gone_number_reused, LOST, NULL,
	  GHOST_TOO },
	{ "one of its disks is gone", second_disk_gone, LOST, NULL, GHOST_TOO },
	{ "its disk is seen twice", disk_twice, LOST, NULL, GHOST_TOO },
	{ "its disk had no mark", disk_without_marks, LOST, NULL },
	{ "its disk was not written down", no_parent_known, LOST, NULL },
	{ "its multipath map has another number", on_multipath, NULL, "0 32768 linear 253:9 2048",
	  GHOST_TOO },
	{ "its multipath map is gone", on_multipath_that_is_gone, LOST, NULL, GHOST_TOO },
	{ "its disk is known by its WWID", on_disk_by_wwid, NULL, "0 8192 linear 65:32 819200" },

	{ "another boot", ghost, REBOOTED, NULL, GHOST_TOO | OTHER_BOOT },
	{ "the boot is not known, then and now", boot_unknown, REBOOTED, NULL, GHOST_TOO },
	{ "blind", blind, "could not be read: nothing is touched", NULL, GHOST_TOO },
	{ "was skipped", was_skipped, "it was not touched", NULL, GHOST_TOO },
	{ "had failed", has_failed, NULL, PLAIN, GHOST_TOO },
	{ "without an end", no_end, NULL, PLAIN, GHOST_TOO },

	{ "name taken", name_taken, TAKEN, NULL, GHOST_TOO },
	{ "name taken by a new volume", name_taken_by_new_volume, TAKEN, NULL, GHOST_TOO },
	{ "UUID taken", uuid_taken, "its UUID is taken by vg-vm--100--disk--7", NULL, GHOST_TOO },
	{ "without UUID, name taken", without_uuid_name_taken, TAKEN, NULL },
	{ "without UUID, beside another", without_uuid_beside_another, NULL,
	  "0 8192 linear 8:16 819200" },
	{ "there already", there, NULL, PLAIN, GHOST_TOO | THERE },
	{ "there already, not allowed", there, NULL, PLAIN, THERE },
	{ "there already, without UUID", there_without_uuid, NULL, NULL, THERE },
	{ "there in today's numbers", there_in_todays_numbers, NULL, NULL, GHOST_TOO | THERE },
	{ "there, otherwise", there_otherwise, TAKEN, NULL, GHOST_TOO },
	{ "there, read-only", there_read_only, TAKEN, NULL, GHOST_TOO },
	{ "half of an earlier restore", half, NULL, PLAIN, GHOST_TOO | HALF },
	{ "half, not allowed", half, "--yes-restore-ghost", NULL, HALF },
	{ "half, of another UUID", half_of_another, TAKEN, NULL, GHOST_TOO },
	{ "half, open", half_open, TAKEN, NULL, GHOST_TOO },
	{ "half, with a table", half_with_table, TAKEN, NULL, GHOST_TOO },
	{ "empty, and no restore had begun", empty_not_ours, TAKEN, NULL, GHOST_TOO },

	{ "group not seen", vg_hidden, "volume group vg cannot be seen", NULL, GHOST_TOO },
	{ "group not whole", vg_not_whole, "physical volumes of it are missing", NULL, GHOST_TOO },
	{ "group of its disk not whole", by_hand_vg_not_whole, "are missing", NULL },
	{ "another group not whole", other_vg_not_whole, NULL, "0 8192 linear 8:16 819200" },
	{ "sectors are another's", sectors_owned, "its sectors belong to vg/vm-200-disk-0", NULL,
	  GHOST_TOO },
	{ "sectors beside another's", sectors_beside_owned, NULL, PLAIN, GHOST_TOO },
	{ "sectors of the second stripe", second_leg_owned, "belong to vg/vm-200-disk-0", NULL,
	  GHOST_TOO },
	{ "the same sectors of another disk", owned_on_the_other_disk, NULL, PLAIN, GHOST_TOO },
	{ "sectors through a partition", owned_through_partition, "belong to vg/vm-200-disk-0",
	  NULL },
	{ "thin ghost", thin_ghost, "a table of type thin cannot", NULL, GHOST_TOO },
	{ "zero", by_hand_zero, NULL, "0 8192 zero " },
	{ "zero, then another's sectors", zero_then_owned, "belong to vg/vm-200-disk-0", NULL },
	{ "zero, then free sectors", zero_then_free, NULL, "0 8192 zero " },
	{ "crypt", crypt_table, "a table of type crypt cannot", NULL },
	{ "no table", no_table, "no whole table", NULL },
	{ "a table of no length", table_of_no_length, "no whole table", NULL },
	{ "a table that begins late", table_begins_late, "no whole table", NULL },
	{ "a table without end", table_too_long, "no whole table", NULL },
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
