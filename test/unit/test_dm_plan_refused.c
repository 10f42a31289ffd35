/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What cleaning leaves alone, and why; each reason beside what only looks like it. */

#include "plan_stage.h"

/* Blind, running, moved, open */

static void blind_ghost(struct stage *s)
{
	ghost(s);
	s->f.quorate = "false";
}

static void blind_by_hand(struct stage *s)
{
	by_hand(s);
	s->f.no_storages = true;
}

static void wanted_ghost(struct stage *s)
{
	stopped(s);
	fixture_runs(&s->f, 100);
	delete_lv(s);
}

static void ghost_of_running_other_disk(struct stage *s)
{
	ghost(s);
	vm(s, 100, "scsi0: thick:vm-100-disk-1\n");
	fixture_runs(&s->f, 100);
}

static void grown_running(struct stage *s)
{
	grown(s);
	fixture_runs(&s->f, 100);
}

static void renamed_running(struct stage *s)
{
	renamed(s);
	vm(s, 100, "scsi0: thick:vm-100-disk-5\n");
	fixture_runs(&s->f, 100);
}

static void handmade_running_uses_it(struct stage *s)
{
	handmade_stopped_uses_it(s);
	fixture_runs(&s->f, 101);
}

static void open_it(struct stage *s, void (*make)(struct stage *s))
{
	make(s);
	s->map->open = 1;
}

static void ghost_open(struct stage *s)
{
	open_it(s, ghost);
}

static void renamed_open(struct stage *s)
{
	open_it(s, renamed);
}

static void grown_open(struct stage *s)
{
	open_it(s, grown);
}

static void by_hand_open(struct stage *s)
{
	open_it(s, by_hand);
}

/* What only LVM can take apart */

static void table(struct stage *s, const char *target)
{
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "%s", target);
}

static void ghost_raid(struct stage *s)
{
	ghost(s);
	table(s, "0 32768 raid raid1 3 0 region_size 1024 2 253:7 253:8 253:9 253:10");
}

static void ghost_cache(struct stage *s)
{
	ghost(s);
	table(s, "0 32768 cache 253:7 253:8 253:9 128 1 writethrough smq 0");
}

static void ghost_thin(struct stage *s)
{
	thin(s, DISK);
	delete_lv(s);
}

static void by_hand_thin(struct stage *s)
{
	by_hand(s);
	table(s, "0 8192 thin 253:4 7");
}

static void by_hand_zero(struct stage *s)
{
	by_hand(s);
	table(s, "0 8192 zero");
}

static void by_hand_error(struct stage *s)
{
	by_hand(s);
	table(s, "0 8192 error");
}

/* The undo journal could not bring it back under that name. */
static void by_hand_not_utf8(struct stage *s)
{
	by_hand(s);
	s->map->name = "test-vm--100--disk--9\xff";
}

static void by_hand_no_table(struct stage *s)
{
	s->map = fixture_raw(&s->f, "test-vm--100--disk--9", "");
}

/* Its second half is of another kind than its first. */
static void by_hand_mixed(struct stage *s)
{
	by_hand(s);
	fixture_target(&s->f, s->map, "8192 8192 delay 8:4000 2048 500");
}

static void ghost_striped(struct stage *s)
{
	s->lv = fixture_bare_lv(&s->f, s->vg, DISK);
	fixture_striped(s->lv, s->vg->pvs.items[0], 10, fixture_pv(&s->f, s->vg), 20, 8, 65536);
	s->map = fixture_map(&s->f, s->lv);
	delete_lv(s);
}

static void of_type(struct stage *s, const char *attr)
{
	stopped(s);
	s->lv->attr = attr;
}

static void origin(struct stage *s)
{
	of_type(s, "owi-XX----");
}

static void snapshot(struct stage *s)
{
	of_type(s, "swi-XXs---");
}

static void raid(struct stage *s)
{
	of_type(s, "rwi-XX----");
}

static void cached(struct stage *s)
{
	of_type(s, "Cwi-XX----");
}

static void thin_renamed(struct stage *s)
{
	thin(s, DISK);
	s->lv->name = "vm-100-disk-5";
}

/* A guest that has a volume where something is broken */

static void ghost_and_disk_in_san(struct stage *s)
{
	ghost(s);
	vm(s, 100, "scsi3: san:vm-100-disk-3\n");
}

static void san_broken(struct stage *s)
{
	ghost_and_disk_in_san(s);
	fixture_pv(&s->f, s->san)->missing = true;
}

static void san_broken_only_in_snapshot(struct stage *s)
{
	ghost(s);
	vm(s, 100, "memory: 512\n[old]\nscsi3: san:vm-100-disk-3\n");
	fixture_pv(&s->f, s->san)->missing = true;
}

static void san_broken_of_another_guest(struct stage *s)
{
	ghost(s);
	vm(s, 100, "scsi1: thick:vm-100-disk-1\n");
	vm(s, 101, "scsi3: san:vm-101-disk-3\n");
	fixture_pv(&s->f, s->san)->missing = true;
}

static void disabled_storage_broken(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "off");

	ghost(s);
	fixture_storage(&s->f, "lvm: off\n\tvgname off\n\tdisable\n");
	vm(s, 100, "scsi3: off:vm-100-disk-3\n");
	fixture_pv(&s->f, vg)->missing = true;
}

/* The one that the name was made for uses it; 101 refers to the mapping now. */
static void san_broken_of_the_names_guest(struct stage *s)
{
	thick(s, DISK);
	s->lv->name = "vm-101-disk-5";
	vm(s, 101, "scsi0: thick:vm-101-disk-5\n");
	vm(s, 100, "scsi3: san:vm-100-disk-3\n");
	fixture_pv(&s->f, s->san)->missing = true;
}

static void san_broken_of_the_referring_guest(struct stage *s)
{
	thick(s, DISK);
	s->lv->name = "vm-101-disk-5";
	vm(s, 101, "scsi0: thick:vm-101-disk-5\nscsi3: san:vm-101-disk-3\n");
	fixture_pv(&s->f, s->san)->missing = true;
}

static void san_hidden(struct stage *s)
{
	ghost_and_disk_in_san(s);
	s->san->hidden = true;
}

/* One disk was not shown to LVM: the group may be on it. */
static void san_hidden_and_disk_dead(struct stage *s)
{
	struct fx_map *map, *own;

	san_hidden(s);
	own = s->map;
	map = fixture_raw(&s->f, "mpatha", "mpath-3600140500007");
	fixture_target(&s->f, map,
		       "0 209715200 multipath 1 queue_if_no_path 0 1 1 round-robin 0 "
		       "1 1 8:4000 1");
	fixture_dep(map, (struct devno){ 8, 4000 });
	s->map = own;
}

#define NOT_WHOLE "volume group san, which guest 100 uses, is not whole"

static const struct trial trials[] = {
	{ "blind", blind_ghost, NOT("could not be read: nothing is touched") },
	{ "blind, made by hand", blind_by_hand, NOT("could not be read: nothing is touched") },
	{ "ghost that a running guest wants", wanted_ghost,
	  NOT("pve1 runs here and refers to it") },
	{ "ghost of a running guest's old disk", ghost_of_running_other_disk, REMOVE },
	{ "grown, its guest runs", grown_running, NOT("pve1 runs here and refers to it") },
	{ "renamed, its guest runs", renamed_running, NOT("pve1 runs here and refers to it") },
	{ "duplicate that a running guest uses", handmade_running_uses_it,
	  NOT("VM 101 'VM 101' on node pve1 runs here") },
	{ "duplicate that a stopped guest uses", handmade_stopped_uses_it, REMOVE },
	{ "ghost, open", ghost_open, NOT(OPEN) },
	{ "renamed, open", renamed_open, NOT(OPEN) },
	{ "grown, open", grown_open, NOT(OPEN) },
	{ "manual, open", by_hand_open, NOT(OPEN) },

	{ "ghost, raid", ghost_raid, NOT("top of a stack (raid)") },
	{ "ghost, cache", ghost_cache, NOT("top of a stack (cache)") },
	{ "ghost, thin", ghost_thin, REMOVE },
	{ "ghost, striped", ghost_striped, REMOVE },
	{ "manual, thin", by_hand_thin, NOT("top of a stack (thin)") },
	{ "manual, zero", by_hand_zero, REMOVE },
	{ "manual, error", by_hand_error, REMOVE },
	{ "manual, no table", by_hand_no_table, REMOVE },
	{ "manual, name not UTF-8", by_hand_not_utf8, NOT("cannot be written down exactly") },
	{ "manual, partly something else", by_hand_mixed, NOT("top of a stack") },
	{ "origin of a snapshot", origin, NOT("other volumes hang on it"), RUNNING },
	{ "snapshot", snapshot, NOT("other volumes hang on it"), RUNNING },
	{ "raid", raid, DEACTIVATE, RUNNING },
	{ "cached", cached, DEACTIVATE, RUNNING },
	{ "thin, renamed", thin_renamed, DEACTIVATE },

	{ "guest with a disk in a whole group", ghost_and_disk_in_san, REMOVE },
	{ "guest with a disk in a broken group", san_broken, NOT(NOT_WHOLE) },
	{ "the same, in a snapshot alone", san_broken_only_in_snapshot, NOT(NOT_WHOLE) },
	{ "another guest's group is broken", san_broken_of_another_guest, REMOVE },
	{ "a disabled storage's group is broken", disabled_storage_broken, REMOVE },
	{ "the group of the name's guest is broken", san_broken_of_the_names_guest,
	  NOT(NOT_WHOLE) },
	{ "the group of the referring guest is broken", san_broken_of_the_referring_guest,
	  NOT("which guest 101 uses") },
	{ "group not there, all disks read", san_hidden, REMOVE },
	{ "group not there, a disk not read", san_hidden_and_disk_dead, NOT(NOT_WHOLE) },
};

static void every_rule(void **state)
{
	(void)state;
	plan_try_all(trials, ARRAY_SIZE(trials));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
