/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What cleaning would do about each finding, and every reason not to; each reason beside what only
 * looks like it. */

#include "dm/plan.h"

#include "node_fixture.h"

#define DISK "vm-100-disk-0"

/* One node while it is made, and the mapping in question. */
struct stage {
	struct fixture f;
	struct fx_vg *vg, *san;
	struct fx_lv *pool, *lv;
	struct fx_map *map;
	struct dm_seen seen; /* its entry, if any, is seen_entry */
	struct dm_seen_entry seen_entry;
	bool downwards; /* what stands on something gets the lower number */
};

/* Which options a trial has; the low bits are classes of --only. */
#define ONLY(class) (1U << (class))
enum {
	RUNNING = 1 << 20,  /* --policy running */
	ANY_AGE = 1 << 21,  /* --min-age 0 */
	VMID_100 = 1 << 22, /* --vmid 100 */
	VMID_101 = 1 << 23,
	LEFT_OUT = 1 << 24, /* expected: not in the plan at all */
};

struct trial {
	const char *what;
	void (*make)(struct stage *s);
	enum dm_step step;
	const char *why; /* part of the sentence; NULL: it may be done */
	unsigned int flags;
};

static void stage_make(struct stage *s)
{
	*s = (struct stage){};
	fixture_make(&s->f);
	fixture_storage(&s->f, "lvm: thick\n\tvgname vg\n");
	fixture_storage(&s->f, "lvmthin: thin\n\tvgname vg\n\tthinpool data\n");
	fixture_storage(&s->f, "lvm: san\n\tvgname san\n\tshared 1\n");
	s->vg = fixture_vg(&s->f, "vg");
	s->san = fixture_vg(&s->f, "san");
	s->pool = fixture_pool(&s->f, s->vg, "data");
}

static void volume(struct stage *s, struct fx_vg *vg, const char *name)
{
	s->lv = fixture_lv(&s->f, vg, name, 4);
	s->map = fixture_map(&s->f, s->lv);
}

static void thick(struct stage *s)
{
	volume(s, s->vg, DISK);
}

static void vm(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, FX_NODE, vmid, conf);
}

static void stopped(struct stage *s)
{
	thick(s);
	vm(s, 100, "scsi0: thick:" DISK "\n");
}

static void runs(struct stage *s)
{
	fixture_runs(&s->f, 100);
}

static void ghost(struct stage *s)
{
	thick(s);
	s->lv->deleted = true;
}

static void table(struct stage *s, const char *target)
{
	s->map->targets.n = 0;
	fixture_target(&s->f, s->map, "%s", target);
}

static void by_hand(struct stage *s)
{
	s->map = fixture_raw(&s->f, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 linear 8:4000 2048");
	fixture_dep(s->map, (struct devno){ 8, 4000 });
}

/* The step of each class */

static void healthy(struct stage *s)
{
	stopped(s);
	runs(s);
}

static void root_volume(struct stage *s)
{
	volume(s, s->vg, "root");
}

static void ghost_with_namesake(struct stage *s)
{
	struct fx_map *old;

	ghost(s);
	old = s->map;
	(void)fixture_lv(&s->f, s->vg, DISK, 4);
	s->map = old;
}

static void renamed(struct stage *s)
{
	stopped(s);
	s->lv->name = "vm-100-disk-5";
}

static void grown(struct stage *s)
{
	stopped(s);
	fixture_segment(s->lv, s->vg->pvs.items[0], 60, 4);
}

static void moved(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

static void handmade_over(struct stage *s)
{
	struct fx_pv *pv = s->vg->pvs.items[0];

	stopped(s);
	s->map = fixture_raw(&s->f, "vg-vm--100--disk--0-copy", "");
	fixture_target(&s->f, s->map, "0 8192 linear " DEVNO_FMT " 2048", DEVNO_ARG(pv->dev));
	fixture_dep(s->map, pv->dev);
}

static void foreign(struct stage *s)
{
	volume(s, s->san, DISK);
	fixture_vm(&s->f, "pve2", 100, "scsi0: san:" DISK "\n");
}

static void copy(struct stage *s)
{
	thick(s);
	fixture_vm(&s->f, "pve2", 100, "scsi0: thick:" DISK "\n");
}

static void busy(struct stage *s)
{
	thick(s);
	vm(s, 100, "lock: backup\nscsi0: thick:" DISK "\n");
}

static void vg_not_seen(struct stage *s)
{
	stopped(s);
	s->vg->hidden = true;
}

static void vg_of_nobody_not_seen(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "backup");

	volume(s, vg, DISK);
	vg->hidden = true;
}

static void array_gone(struct stage *s)
{
	s->map = fixture_raw(&s->f, "3624a93700001", "mpath-3624a93700001");
	fixture_target(&s->f, s->map, "0 8192 multipath 0 0 1 1 round-robin 0 1 1 8:16 1");
	tree_write(&s->f.tree, "run/pvewarden/array/array.json",
		   "{\"schema\": \"pvewarden.array/1\", \"time\": \"2026-11-21T04:04:00Z\", "
		   "\"maps\": [{\"wwid\": \"3624a93700001\", \"state\": \"gone\", \"volume\": "
		   "\"v\"}]}");
}

static void array_gone_not_ours(struct stage *s)
{
	array_gone(s);
	tree_write(&s->f.tree, "run/pvewarden/array/array.json",
		   "{\"schema\": \"pvewarden.array/1\", \"time\": \"2026-11-21T04:04:00Z\", "
		   "\"maps\": [{\"wwid\": \"3624a93700001\", \"state\": \"gone\", "
		   "\"registered\": false}]}");
}

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
	runs(s);
	s->lv->deleted = true;
}

static void ghost_of_running_other_disk(struct stage *s)
{
	ghost(s);
	vm(s, 100, "scsi0: thick:vm-100-disk-1\n");
	runs(s);
}

static void grown_running(struct stage *s)
{
	grown(s);
	runs(s);
}

static void renamed_running(struct stage *s)
{
	renamed(s);
	vm(s, 100, "scsi0: thick:vm-100-disk-5\n");
	runs(s);
}

static void handmade_running_uses_it(struct stage *s)
{
	handmade_over(s);
	vm(s, 101, "scsi1: /dev/mapper/vg-vm--100--disk--0-copy\n");
	fixture_runs(&s->f, 101);
}

static void handmade_stopped_uses_it(struct stage *s)
{
	handmade_over(s);
	vm(s, 101, "scsi1: /dev/mapper/vg-vm--100--disk--0-copy\n");
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
	s->lv = fixture_thin(&s->f, s->pool, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
	s->lv->deleted = true;
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
	s->lv->deleted = true;
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
	s->lv = fixture_thin(&s->f, s->pool, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
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
	thick(s);
	s->lv->name = "vm-101-disk-5";
	vm(s, 101, "scsi0: thick:vm-101-disk-5\n");
	vm(s, 100, "scsi3: san:vm-100-disk-3\n");
	fixture_pv(&s->f, s->san)->missing = true;
}

static void san_broken_of_the_referring_guest(struct stage *s)
{
	thick(s);
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

/* What stands on it */

static struct fx_map *upon(struct stage *s, struct fx_map *below, const char *name,
			   const char *uuid)
{
	struct fx_map *map = fixture_raw(&s->f, name, uuid);

	if (s->downwards)
		map->dev.minor = 200 - map->dev.minor;
	fixture_target(&s->f, map, "0 8192 linear " DEVNO_FMT " 0", DEVNO_ARG(below->dev));
	fixture_dep(map, below->dev);
	below->open++;
	return map;
}

static struct fx_map *part(struct stage *s, unsigned int n)
{
	return upon(s, s->map, arena_fmt(&s->f.arena, "%sp%u", s->map->name, n),
		    arena_fmt(&s->f.arena, "part%u-%s", n, s->map->uuid));
}

/* A volume of a group inside the guest, of which LVM sees nothing here. */
static struct fx_map *inner(struct stage *s, struct fx_map *below, const char *name, int vg, int lv)
{
	return upon(s, below, name, arena_fmt(&s->f.arena, "LVM-%032d%032d", vg, lv));
}

static void with_partition(struct stage *s)
{
	ghost(s);
	(void)part(s, 1);
}

static void renamed_with_partition(struct stage *s)
{
	renamed(s);
	(void)part(s, 1);
}

static void with_inner_volume(struct stage *s)
{
	ghost(s);
	(void)inner(s, s->map, "inner-root", 1, 1);
}

static void partition_and_more(struct stage *s)
{
	with_partition(s);
	s->map->open++;
}

static void partition_open(struct stage *s)
{
	ghost(s);
	part(s, 1)->open = 1;
}

static void child_without_uuid(struct stage *s)
{
	ghost(s);
	(void)upon(s, s->map, "rescue", "");
}

static void child_not_utf8(struct stage *s)
{
	ghost(s);
	part(s, 1)->name = "part-\xff";
}

static void child_crypt(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = upon(s, s->map, "inside", "CRYPT-LUKS2-0123-inside");
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 crypt");
}

static void child_of_unknown_kind(struct stage *s)
{
	ghost(s);
	(void)upon(s, s->map, "rescue", "somebodys-own");
}

static void child_thin(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = inner(s, s->map, "inner-root", 1, 1);
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 thin " DEVNO_FMT " 1", DEVNO_ARG(s->map->dev));
}

static void child_partition_not_linear(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = part(s, 1);
	map->targets.n = 0;
	fixture_target(&s->f, map, "0 8192 delay " DEVNO_FMT " 0 500", DEVNO_ARG(s->map->dev));
}

static void child_suspended(struct stage *s)
{
	ghost(s);
	part(s, 1)->flags = "suspended";
}

static void child_inactive(struct stage *s)
{
	ghost(s);
	part(s, 1)->flags = "inactive";
}

static void child_on_two_disks(struct stage *s)
{
	struct fx_map *map;

	ghost(s);
	map = inner(s, s->map, "inner-root", 1, 1);
	fixture_target(&s->f, map, "8192 8192 linear 8:4000 2048");
	fixture_dep(map, (struct devno){ 8, 4000 });
}

static void child_on_two_partitions(struct stage *s)
{
	struct fx_map *one, *two, *map;

	ghost(s);
	one = part(s, 1);
	two = part(s, 2);
	map = inner(s, one, "inner-root", 1, 1);
	fixture_target(&s->f, map, "8192 8192 linear " DEVNO_FMT " 0", DEVNO_ARG(two->dev));
	fixture_dep(map, two->dev);
	two->open++;
}

static void child_of_child_open(struct stage *s)
{
	ghost(s);
	inner(s, part(s, 1), "inner-root", 1, 1)->open = 1;
}

static void children_many(struct stage *s, unsigned int n)
{
	ghost(s);
	for (unsigned int i = 1; i <= n; i++)
		(void)part(s, i);
}

static void children_as_many_as_may_be(struct stage *s)
{
	children_many(s, DM_PLAN_CHILDREN_MAX);
}

static void children_too_many(struct stage *s)
{
	children_many(s, DM_PLAN_CHILDREN_MAX + 1);
}

/* The kernel has no such thing; a spoilt record may. */
static void children_in_a_circle(struct stage *s)
{
	struct fx_map *one, *two;

	ghost(s);
	one = part(s, 1);
	two = part(s, 2);
	fixture_dep(one, two->dev);
	fixture_dep(two, one->dev);
	one->open = two->open = 1;
}

/* Unreferenced */

static void seen_since(struct stage *s, int64_t age)
{
	thick(s);
	s->seen_entry =
		(struct dm_seen_entry){ .uuid = fixture_uuid(&s->f, s->lv, ""), .since = 1000 };
	s->seen = (struct dm_seen){ .items = &s->seen_entry, .n = 1, .now = 1000 + age };
}

static void seen_just_now(struct stage *s)
{
	seen_since(s, 0);
}

static void seen_599(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH - 1);
}

static void seen_600(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
}

static void seen_600_open(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
	s->map->open = 1;
}

static void another_one_seen(struct stage *s)
{
	seen_since(s, DM_SEEN_LONG_ENOUGH);
	s->seen_entry.uuid = "LVM-somebody-else";
}

static void ghost_seen_for_the_first_time(struct stage *s)
{
	seen_since(s, 0);
	s->lv->deleted = true;
}

#define REMOVE	   DM_STEP_REMOVE, NULL
#define DEACTIVATE DM_STEP_DEACTIVATE, NULL
#define NOT(why)   DM_STEP_NONE, why
#define NOTHING	   DM_STEP_NONE, NULL

#define OPEN	  "[DEVICE IS CURRENTLY OPEN/IN USE]"
#define NOT_WHOLE "volume group san, which guest 100 uses, is not whole"

static const struct trial trials[] = {
	{ "ok", healthy, NOTHING, LEFT_OUT },
	{ "infrastructure", root_volume, NOTHING, LEFT_OUT },
	{ "ghost", ghost, REMOVE },
	{ "ghost, a volume has its name", ghost_with_namesake, REMOVE },
	{ "renamed", renamed, DEACTIVATE },
	{ "stale table, grown", grown, DEACTIVATE },
	{ "stale table, moved", moved, NOT("its sectors lie elsewhere now") },
	{ "duplicate", handmade_over, REMOVE },
	{ "manual", by_hand, REMOVE },
	{ "foreign", foreign, DEACTIVATE },
	{ "leftover", stopped, NOTHING, LEFT_OUT },
	{ "leftover, asked for without the policy", stopped, NOTHING,
	  ONLY(DM_LEFTOVER) | LEFT_OUT },
	{ "leftover, policy running", stopped, DEACTIVATE, RUNNING },
	{ "leftover, policy running, asked for", stopped, DEACTIVATE, RUNNING | ONLY(DM_LEFTOVER) },
	{ "copy", copy, NOTHING, LEFT_OUT },
	{ "copy, asked for", copy, NOTHING, ONLY(DM_COPY) | LEFT_OUT },
	{ "busy", busy, NOTHING, LEFT_OUT },
	{ "busy, asked for", busy, NOT("backup"), ONLY(DM_BUSY) },
	{ "unknown", vg_not_seen, NOT("volume group") },
	{ "unknown, nobody's", vg_of_nobody_not_seen, NOTHING, LEFT_OUT },
	{ "array-gone", array_gone, NOT("pvewarden array reap") },
	{ "array-gone, not ours", array_gone_not_ours, NOT("multipath -f") },
	{ "array-gone, asked for", array_gone, NOT("array reap"), ONLY(DM_ARRAY_GONE) },

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

	{ "partition on it", with_partition, REMOVE },
	{ "renamed, partition on it", renamed_with_partition, DEACTIVATE },
	{ "volume of an inner group on it", with_inner_volume, REMOVE },
	{ "partition, and somebody else", partition_and_more, NOT(OPEN) },
	{ "partition, open", partition_open,
	  NOT("[IN USE] vg-vm--100--disk--0p1, which stands on it, is open") },
	{ "child without UUID", child_without_uuid, NOT("rescue stands on it and has no UUID") },
	{ "child, name not UTF-8", child_not_utf8, NOT("cannot be written down exactly") },
	{ "child, crypt", child_crypt, NOT("inside stands on it: close that first (crypt)") },
	{ "child of unknown kind", child_of_unknown_kind, NOT("close that first (linear)") },
	{ "child, thin", child_thin, NOT("close that first (thin)") },
	{ "partition that is not linear", child_partition_not_linear,
	  NOT("close that first (delay)") },
	{ "child, suspended", child_suspended, NOT("is being changed") },
	{ "child with an inactive table", child_inactive, NOT("is being changed") },
	{ "child on another disk too", child_on_two_disks, NOT("and on other disks as well") },
	{ "child on two partitions", child_on_two_partitions, REMOVE },
	{ "child of a child, open", child_of_child_open, NOT("[IN USE] inner-root, which") },
	{ "64 children", children_as_many_as_may_be, REMOVE },
	{ "65 children", children_too_many, NOT("too much stands on it") },
	{ "children in a circle", children_in_a_circle, NOT("stands on itself") },

	{ "unreferenced", thick, NOT("only on demand") },
	{ "unreferenced, seen long ago", seen_600, NOT("only on demand") },
	{ "asked for, never seen", thick, NOT("for the first time"), ONLY(DM_UNREFERENCED) },
	{ "asked for, seen just now", seen_just_now, NOT("0 s only: ask again in 600 s"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 599 s", seen_599, NOT("599 s only: ask again in 1 s"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 600 s", seen_600, DEACTIVATE, ONLY(DM_UNREFERENCED) },
	{ "asked for, seen 600 s, open", seen_600_open, NOT(OPEN), ONLY(DM_UNREFERENCED) },
	{ "asked for, another was seen", another_one_seen, NOT("for the first time"),
	  ONLY(DM_UNREFERENCED) },
	{ "asked for, any age", thick, DEACTIVATE, ONLY(DM_UNREFERENCED) | ANY_AGE },
	{ "any age, not asked for", thick, NOT("only on demand"), ANY_AGE },
	{ "a ghost need not have been seen", ghost_seen_for_the_first_time, REMOVE },

	{ "class asked for", ghost, REMOVE, ONLY(DM_GHOST) },
	{ "another class asked for", ghost, NOTHING, ONLY(DM_RENAMED) | LEFT_OUT },
	{ "one of two classes", renamed, DEACTIVATE, ONLY(DM_GHOST) | ONLY(DM_RENAMED) },
	{ "guest asked for", ghost, REMOVE, VMID_100 },
	{ "another guest asked for", ghost, NOTHING, VMID_101 | LEFT_OUT },
	{ "the name's guest asked for", handmade_stopped_uses_it, REMOVE, VMID_100 },
	{ "the referring guest asked for", handmade_stopped_uses_it, REMOVE, VMID_101 },
};

static void options_of(const struct trial *t, const struct stage *s, struct dm_options *judge,
		       struct dm_plan_options *ret)
{
	*judge = fixture_options;
	judge->policy_running = t->flags & RUNNING;
	if (t->flags & ANY_AGE)
		judge->min_age = 0;
	*ret = (struct dm_plan_options){ .policy_running = judge->policy_running,
					 .min_age = judge->min_age,
					 .seen = &s->seen };
	for (unsigned int i = 0; i < DM_CLASS_MAX; i++)
		ret->only[i] = t->flags & ONLY(i);
	if (t->flags & (VMID_100 | VMID_101))
		ret->vmid = t->flags & VMID_100 ? 100 : 101;
}

static const struct dm_plan_item *item_of(const struct dm_plan *p, const struct stage *s)
{
	const struct dm_mapping *map = fixture_mapping(&s->f, s->map);

	for (size_t i = 0; i < p->n; i++)
		if (&s->f.check.look->model.mappings[p->items[i].mapping] == map)
			return &p->items[i];
	return NULL;
}

static bool planned_as(const struct trial *t, const struct dm_plan_item *item)
{
	if (t->flags & LEFT_OUT || !item)
		return !item && t->flags & LEFT_OUT;
	if (t->why)
		return item->why_not && strstr(item->why_not, t->why) && item->step == DM_STEP_NONE;
	return !item->why_not && item->step == t->step;
}

static bool run_trial(const struct trial *t)
{
	const struct dm_plan_item *item;
	struct dm_plan_options o;
	struct dm_options judge;
	struct dm_plan plan;
	struct stage s;
	bool good;

	stage_make(&s);
	t->make(&s);
	options_of(t, &s, &judge, &o);
	(void)fixture_check(&s.f, &judge);
	dm_plan_make(&plan, s.f.check.look, &o);
	item = item_of(&plan, &s);
	good = planned_as(t, item);
	if (!good)
		print_error("%s (%s): %s, step %d, why not: %s\n", t->what,
			    dm_class_name(fixture_verdict(&s.f, s.map)->class),
			    item ? "planned" : "left out", item ? (int)item->step : -1,
			    item && item->why_not ? item->why_not : "-");
	dm_plan_done(&plan);
	fixture_done(&s.f);
	return good;
}

static void every_rule(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++)
		bad += !run_trial(&trials[i]);
	if (bad)
		fail_msg("%zu of %zu trials", bad, ARRAY_SIZE(trials));
}

/* Makes the plan of a stage that is complete, with all defaults. */
static void plan_of(struct stage *s, struct dm_plan *plan, struct dm_plan_options o)
{
	(void)fixture_check(&s->f, NULL);
	dm_plan_make(plan, s->f.check.look, &o);
}

static const char *name_at(const struct stage *s, size_t mapping)
{
	return s->f.check.look->model.mappings[mapping].dev->name;
}

static size_t place_of(const struct stage *s, const struct dm_plan_item *item, const char *name)
{
	for (size_t i = 0; i < item->n_children; i++)
		if (strcmp(name_at(s, item->children[i]), name) == 0)
			return i;
	fail_msg("%s is no child", name);
	return 0;
}

/* disk <- p1 <- a, disk <- p2 <- b <- top: nothing goes before what stands on it. */
static void check_order(bool downwards)
{
	static const char *const pairs[][2] = {
		{ "inner-a", "vg-vm--100--disk--0p1" },
		{ "inner-b", "vg-vm--100--disk--0p2" },
		{ "outer-top", "inner-b" },
	};
	struct fx_map *one, *two;
	struct dm_plan plan;
	struct stage s;

	stage_make(&s);
	ghost(&s);
	s.downwards = downwards;
	one = part(&s, 1);
	two = part(&s, 2);
	(void)inner(&s, one, "inner-a", 1, 1);
	(void)inner(&s, inner(&s, two, "inner-b", 1, 2), "outer-top", 2, 1);
	plan_of(&s, &plan, (struct dm_plan_options){ .min_age = 86400 });
	assert_int_equal(plan.n, 1);
	assert_int_equal(plan.items[0].step, DM_STEP_REMOVE);
	assert_int_equal(plan.items[0].n_children, 5);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_true(place_of(&s, &plan.items[0], pairs[i][0]) <
			    place_of(&s, &plan.items[0], pairs[i][1]));
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

static void topmost_first(void **state)
{
	(void)state;
	check_order(false);
	check_order(true);
}

static void gone(struct stage *s, struct fx_vg *vg, const char *name)
{
	volume(s, vg, name);
	s->lv->deleted = true;
}

/* Critical first, then by guest, group, disk, device. */
static void order_of_the_plan(void **state)
{
	static const char *const expected[] = {
		"vg-vm--300--disk--0",	 /* critical: a volume has its name */
		"san-vm--101--disk--9",	 /* guest 101, group san */
		"vg-vm--101--disk--0",	 /* group vg */
		"vg-vm--101--disk--1",	 /* two of one name: by number */
		"vg-vm--101--disk--1-x", /* by hand */
		"san-vm--102--disk--0",	 /* a guest before a group */
	};
	struct dm_plan plan;
	struct stage s;

	(void)state;
	stage_make(&s);
	gone(&s, s.san, "vm-102-disk-0");
	gone(&s, s.vg, "vm-101-disk-1");
	s.map = fixture_raw(&s.f, "vg-vm--101--disk--1-x", "");
	fixture_target(&s.f, s.map, "0 8192 linear 8:4000 2048");
	gone(&s, s.vg, "vm-101-disk-0");
	gone(&s, s.san, "vm-101-disk-9");
	gone(&s, s.vg, "vm-300-disk-0");
	(void)fixture_lv(&s.f, s.vg, "vm-300-disk-0", 4);
	plan_of(&s, &plan, (struct dm_plan_options){ .min_age = 86400 });
	assert_int_equal(plan.n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < plan.n; i++)
		assert_string_equal(name_at(&s, plan.items[i].mapping), expected[i]);
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

/* What is planned one by one, under the locks, is what the whole plan had. */
static void one_alone(void **state)
{
	const struct dm_plan_options o = { .min_age = 86400 };
	struct arena a = {};
	struct dm_plan plan;
	struct stage s;

	(void)state;
	stage_make(&s);
	with_partition(&s);
	plan_of(&s, &plan, o);
	assert_int_equal(plan.n, 1);
	for (size_t i = 0; i < s.f.check.look->model.n; i++) {
		struct dm_plan_item item;
		bool in = dm_plan_one(&item, s.f.check.look, i, &o, &a);

		assert_int_equal(in, i == plan.items[0].mapping);
		if (in)
			assert_memory_equal(&item, &plan.items[0], sizeof(item));
	}
	arena_done(&a);
	dm_plan_done(&plan);
	fixture_done(&s.f);
}

/* A removal names the UUID where there is one, a deactivation both of LVM's. */
static void commands(void **state)
{
	struct arena a = {};
	struct stage s;
	const struct dm_mapping *map;
	const char *text;

	(void)state;
	stage_make(&s);
	stopped(&s);
	(void)fixture_check(&s.f, NULL);
	map = fixture_mapping(&s.f, s.map);
	text = dm_step_command(DM_STEP_REMOVE, map, &a);
	assert_non_null(strstr(text, map->dev->uuid));
	text = dm_step_command(DM_STEP_DEACTIVATE, map, &a);
	assert_non_null(strstr(text, "lvchange -aln"));
	assert_non_null(strstr(text, "vg_uuid="));
	assert_non_null(strstr(text, "lv_uuid="));
	assert_null(dm_step_command(DM_STEP_NONE, map, &a));
	arena_done(&a);
	fixture_done(&s.f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),	     cmocka_unit_test(topmost_first),
		cmocka_unit_test(order_of_the_plan), cmocka_unit_test(one_alone),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
