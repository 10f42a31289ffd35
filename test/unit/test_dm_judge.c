/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Every rule of the judge, each with what only looks like it. The node is made for each case. */

#include "dm/judge.h"

#include "node_fixture.h"

/* One case while it is made: the node that all have in common, and the mapping in question. */
struct stage {
	struct fixture f;
	struct fx_vg *vg, *san;
	struct fx_lv *pool, *lv;
	struct fx_map *map;
};

enum { COUNTS = 1, RUNS = 2, DUPLICATE = 4, POLICY_RUNNING = 8, ANY_AGE = 16 };

struct trial {
	const char *what;
	void (*make)(struct stage *s);
	enum dm_class class;
	enum dm_severity severity;
	enum dm_cause cause;
	unsigned int flags;
	uint32_t vmid; /* 0: not asked */
};

#define NONE	 DM_SEVERITY_NONE
#define NOTICE	 DM_SEVERITY_NOTICE
#define WARNING	 DM_SEVERITY_WARNING
#define UNKNOWN	 DM_SEVERITY_UNKNOWN
#define CRITICAL DM_SEVERITY_CRITICAL

#define DISK "vm-100-disk-0"

static void stage_make(struct stage *s)
{
	*s = (struct stage){};
	fixture_make(&s->f);
	fixture_storage(&s->f, "dir: local\n\tpath /var/lib/vz\n\tcontent iso\n");
	fixture_storage(&s->f, "lvm: thick\n\tvgname vg\n");
	fixture_storage(&s->f, "lvmthin: thin\n\tvgname vg\n\tthinpool data\n");
	fixture_storage(&s->f, "lvm: san\n\tvgname san\n\tshared 1\n");
	s->vg = fixture_vg(&s->f, "vg");
	s->san = fixture_vg(&s->f, "san");
	s->pool = fixture_pool(&s->f, s->vg, "data");
}

static struct fx_lv *thick(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->vg, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

static struct fx_lv *thin(struct stage *s, const char *name)
{
	s->lv = fixture_thin(&s->f, s->pool, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

static struct fx_lv *shared(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->san, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

static void vm(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, FX_NODE, vmid, conf);
}

static void vm_there(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, "pve2", vmid, conf);
}

/* VM 100 runs with one thick disk: what most cases begin with. */
static void healthy(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
	fixture_runs(&s->f, 100);
	s->map->open = 1;
}

/* The same, not running. */
static void stopped(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
}

static void delete_lv(struct stage *s)
{
	s->lv->deleted = true;
}

/* infrastructure */

static void root_volume(struct stage *s)
{
	thick(s, "root");
}

static void pool_of_thin(struct stage *s)
{
	thin(s, DISK);
	vm(s, 100, "scsi0: thin:" DISK "\n");
	s->map = fixture_find(&s->f, "vg-data-tpool");
}

static void crypt_map(struct stage *s)
{
	s->map = fixture_raw(&s->f, "vg-vm--100--disk--0_crypt", "CRYPT-LUKS2-0123-x");
	fixture_target(&s->f, s->map, "0 8192 crypt");
}

static void name_alone(struct stage *s)
{
	thick(s, "vm-template");
}

static void storage_of_another_node(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "far");

	fixture_storage(&s->f, "lvm: far\n\tvgname far\n\tnodes pve2\n");
	s->lv = fixture_lv(&s->f, vg, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

static void storage_of_this_node_too(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "far");

	fixture_storage(&s->f, "lvm: far\n\tvgname far\n\tnodes pve2,pve1\n");
	s->lv = fixture_lv(&s->f, vg, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

static void storage_disabled(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "off");

	fixture_storage(&s->f, "lvm: off\n\tvgname off\n\tdisable\n");
	vm(s, 100, "scsi0: off:" DISK "\n");
	s->lv = fixture_lv(&s->f, vg, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

/* Disabled storages still say whose a volume is, if another storage serves the group. */
static void disabled_storage_refers(struct stage *s)
{
	fixture_storage(&s->f, "lvm: off\n\tvgname vg\n\tdisable\n");
	thick(s, DISK);
	vm(s, 100, "scsi0: off:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void vg_of_nobody(struct stage *s)
{
	s->lv = fixture_lv(&s->f, fixture_vg(&s->f, "backup"), DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

static void tagged(struct stage *s, const char *tags)
{
	struct fx_vg *vg = fixture_vg(&s->f, "mixed");

	fixture_storage(&s->f, "lvm: mixed\n\tvgname mixed\n\ttagged_only 1\n");
	s->lv = fixture_lv(&s->f, vg, DISK, 4);
	s->lv->tags = tags;
	s->map = fixture_map(&s->f, s->lv);
}

static void tagged_only_without(struct stage *s)
{
	tagged(s, "pve-vm-1000,pve-vm-10");
}

static void tagged_only_with(struct stage *s)
{
	tagged(s, "x,pve-vm-100");
}

static void tagged_only_referred(struct stage *s)
{
	tagged(s, "");
	vm(s, 100, "scsi0: mixed:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static struct fx_map *part_of(struct stage *s, struct fx_map *below)
{
	struct fx_map *map = fixture_raw(&s->f, arena_fmt(&s->f.arena, "%sp1", below->name),
					 arena_fmt(&s->f.arena, "part1-%s", below->uuid));

	fixture_target(&s->f, map, "0 8192 linear " DEVNO_FMT " 2048", DEVNO_ARG(below->dev));
	fixture_dep(map, below->dev);
	return map;
}

static void partition(struct stage *s)
{
	stopped(s);
	s->map = part_of(s, s->map);
}

/* A Proxmox inside a guest, whose volume group is named as one out here. */
static void inner_vg(struct stage *s)
{
	struct fx_map *part;
	struct fx_vg *inner;

	stopped(s);
	part = part_of(s, s->map);
	inner = fixture_vg(&s->f, "vg");
	inner->hidden = true;
	inner->pvs.items[0]->dev = part->dev;
	s->map = fixture_map(&s->f, fixture_lv(&s->f, inner, "vm-700-disk-0", 1));
}

/* An LV of the same group on another LV of it is not inside it. */
static void same_vg_above(struct stage *s)
{
	struct fx_map *below;

	healthy(s);
	below = s->map;
	thick(s, "vm-100-disk-1");
	vm(s, 100, "scsi0: thick:" DISK "\nscsi1: thick:vm-100-disk-1\n");
	fixture_dep(s->map, below->dev);
}

static void flash_map(struct stage *s, const char *wwid, const char *state, const char *time)
{
	s->map = fixture_raw(&s->f, wwid, arena_fmt(&s->f.arena, "mpath-%s", wwid));
	fixture_target(&s->f, s->map, "0 8192 multipath 0 0 1 1 round-robin 0 1 1 8:16 1");
	if (!state)
		return;
	tree_write(&s->f.tree, "run/pvewarden/array/array.json",
		   arena_fmt(&s->f.arena,
			     "{\"schema\": \"pvewarden.array/1\", \"time\": \"%s\", \"maps\": "
			     "[{\"wwid\": \"%s\", \"state\": \"%s\", \"volume\": \"v\"}]}",
			     time, wwid, state));
}

static void array_gone(struct stage *s)
{
	flash_map(s, "3624a93700001", "gone", "2026-11-21T04:04:00Z");
}

static void array_not_connected(struct stage *s)
{
	flash_map(s, "3624a93700001", "not-connected", "2026-11-21T04:04:00Z");
}

static void array_connected(struct stage *s)
{
	flash_map(s, "3624a93700001", "connected", "2026-11-21T04:04:00Z");
}

static void array_state_old(struct stage *s)
{
	flash_map(s, "3624a93700001", "gone", "2026-11-21T04:03:00Z");
}

static void array_state_absent(struct stage *s)
{
	flash_map(s, "3624a93700001", NULL, NULL);
}

static void array_of_other_maker(struct stage *s)
{
	flash_map(s, "3600140500001", "gone", "2026-11-21T04:04:00Z");
}

/* unknown */

static void no_quorum(struct stage *s)
{
	healthy(s);
	s->f.quorate = "false";
}

static void no_storage_cfg(struct stage *s)
{
	healthy(s);
	s->f.no_storages = true;
}

static void lvm_missing(struct stage *s)
{
	healthy(s);
	s->f.no_lvm = true;
}

static void lvm_torn(struct stage *s)
{
	healthy(s);
	s->f.lvm_text = "{\"report\": [ {\"vg\": [";
}

static void lvm_ends_early(struct stage *s)
{
	healthy(s);
	s->f.lvm_text = "{\"report\": [{\"vg\": [{\"vg_name\": \"vg\", \"vg_uuid\": "
			"\"AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA\"}]}]}";
}

static void empty_etc_pve(struct stage *s)
{
	thick(s, DISK);
	s->f.no_guests = true;
	tree_write(&s->f.tree, "etc/pve/nodes/.keep", "");
}

static void config_too_large(struct stage *s)
{
	struct buf text = {};

	healthy(s);
	while (text.len <= GUEST_CONFIG_MAX)
		buf_adds(&text, "# a line of a description that never seems to come to an end\n");
	vm(s, 101, text.data);
	buf_done(&text);
}

static void blind_to_others(struct stage *s)
{
	no_quorum(s);
	s->map = fixture_map(&s->f, fixture_lv(&s->f, s->vg, "root", 1));
}

static void vg_not_seen(struct stage *s)
{
	healthy(s);
	s->vg->hidden = true;
}

static void vg_not_seen_of_nobody(struct stage *s)
{
	vg_of_nobody(s);
	s->lv->vg->hidden = true;
}

static void pv_missing(struct stage *s)
{
	healthy(s);
	fixture_pv(&s->f, s->vg)->missing = true;
}

static void pv_missing_elsewhere(struct stage *s)
{
	healthy(s);
	fixture_pv(&s->f, s->san)->missing = true;
}

static void pv_duplicate(struct stage *s)
{
	healthy(s);
	s->vg->pvs.items[0]->duplicate = true;
}

static void vg_exported(struct stage *s)
{
	healthy(s);
	s->vg->exported = "exported";
}

static void vg_locked(struct stage *s)
{
	healthy(s);
	s->vg->lock_type = "sanlock";
}

static void vg_lock_none(struct stage *s)
{
	healthy(s);
	s->vg->lock_type = "none";
}

static void ghost_in_doubtful_vg(struct stage *s)
{
	thick(s, DISK);
	delete_lv(s);
	fixture_pv(&s->f, s->vg)->missing = true;
}

static void ghost_in_doubtful_vg_of_nobody(struct stage *s)
{
	vg_of_nobody(s);
	delete_lv(s);
	s->lv->vg->exported = "exported";
}

static void two_vgs_of_one_name(struct stage *s)
{
	healthy(s);
	(void)fixture_lv(&s->f, fixture_vg(&s->f, "vg"), DISK, 4);
}

static void two_vgs_both_active(struct stage *s)
{
	healthy(s);
	(void)fixture_map(&s->f, fixture_lv(&s->f, fixture_vg(&s->f, "vg"), "other", 4));
}

/* What a guest has inside its disk: not active, and without the volume in question. */
static void two_vgs_one_idle(struct stage *s)
{
	healthy(s);
	(void)fixture_lv(&s->f, fixture_vg(&s->f, "vg"), "root", 4);
}

/* A ghost is told by UUIDs alone. */
static void ghost_beside_two_vgs(struct stage *s)
{
	thick(s, DISK);
	delete_lv(s);
	(void)fixture_vg(&s->f, "vg");
}

static void undefined_storage(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: gone:" DISK "\n");
}

/* Somebody else refers to it properly, so it is clear whose it is. */
static void undefined_storage_and_known(struct stage *s)
{
	healthy(s);
	vm(s, 101, "unused0: gone:" DISK "\n");
}

static void undefined_other_volume(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: gone:vm-100-disk-1\n");
}

/* busy */

static void suspended(struct stage *s)
{
	healthy(s);
	s->map->flags = "suspended";
}

static void read_only(struct stage *s)
{
	healthy(s);
	s->map->flags = "readonly";
}

static void inactive_table(struct stage *s)
{
	healthy(s);
	s->map->flags = "inactive";
}

static void suspended_and_unknown(struct stage *s)
{
	suspended(s);
	s->vg->hidden = true;
}

static void suspended_ghost(struct stage *s)
{
	suspended(s);
	delete_lv(s);
}

static void guest_locked(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "lock: backup\nscsi0: thick:" DISK "\n");
}

/* A lock in a snapshot's section locks nothing. */
static void snapshot_locked(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK "\n[s1]\nlock: backup\nscsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void referrer_locked(struct stage *s)
{
	thick(s, DISK);
	vm(s, 101, "lock: clone\nscsi0: thick:" DISK "\n");
}

/* Caution is by digits as well: it belongs to 101, and somebody works on 100. */
static void namesake_guest_locked(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "lock: migrate\n");
	vm(s, 101, "scsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 101);
}

static void stranger_locked(struct stage *s)
{
	healthy(s);
	vm(s, 102, "lock: backup\n");
	fixture_task(&s->f, "qmstart", 103);
	fixture_flock(&s->f, 104);
}

static void guest_locked_elsewhere(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "lock: migrate\nscsi0: san:" DISK "\n");
}

static void flock_held(struct stage *s)
{
	stopped(s);
	fixture_flock(&s->f, 100);
}

static void task_runs(struct stage *s)
{
	stopped(s);
	fixture_task(&s->f, "qmdestroy", 100);
}

static void console_runs(struct stage *s)
{
	stopped(s);
	fixture_task(&s->f, "vncproxy", 100);
}

static void incoming(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "scsi0: san:" DISK "\n");
	fixture_incoming(&s->f, 100);
	s->map->open = 1;
}

/* QEMU keeps the option for life: the guest came here by migration long ago. */
static void arrived(struct stage *s)
{
	healthy(s);
	fixture_incoming(&s->f, 100);
}

static void arrived_ghost(struct stage *s)
{
	arrived(s);
	delete_lv(s);
}

static void wiping(struct stage *s)
{
	thick(s, "del-" DISK);
}

static void wiping_under_old_name(struct stage *s)
{
	thick(s, DISK);
	s->lv->name = "del-" DISK;
}

static void del_without_guest(struct stage *s)
{
	thick(s, "del-root");
}

static void pvmove(struct stage *s)
{
	healthy(s);
	s->lv->attr = "-wI-XX----";
}

static void conversion(struct stage *s)
{
	healthy(s);
	s->lv->attr = "cwi-XX----";
}

static void merging(struct stage *s)
{
	healthy(s);
	s->lv->attr = "Owi-XX----";
}

static void busy_ghost(struct stage *s)
{
	thick(s, DISK);
	delete_lv(s);
	fixture_task(&s->f, "qmdestroy", 100);
}

static void busy_handmade(struct stage *s)
{
	s->map = fixture_raw(&s->f, "test-vm--100--disk--9", "");
	fixture_target(&s->f, s->map, "0 8192 zero");
	fixture_task(&s->f, "qmcreate", 100);
}

static void young(struct stage *s)
{
	thick(s, DISK);
	s->lv->time = "2026-11-20 04:04:05 +0000";
}

static void just_old_enough(struct stage *s)
{
	thick(s, DISK);
	s->lv->time = "2026-11-20 04:04:04 +0000";
}

static void age_unknown(struct stage *s)
{
	thick(s, DISK);
	s->lv->time = "";
}

static void young_but_wanted(struct stage *s)
{
	healthy(s);
	s->lv->time = "2026-11-21 04:04:00 +0000";
}

/* ghost */

static void ghost(struct stage *s)
{
	thick(s, DISK);
	delete_lv(s);
}

static void ghost_of_another_group(struct stage *s)
{
	vg_of_nobody(s);
	delete_lv(s);
}

static void gone_but_no_guest(struct stage *s)
{
	root_volume(s);
	delete_lv(s);
}

static void ghost_namesake(struct stage *s)
{
	struct fx_map *old;

	thick(s, DISK);
	delete_lv(s);
	old = s->map;
	s->lv = fixture_lv(&s->f, s->vg, DISK, 4);
	s->map = old;
	vm(s, 100, "scsi0: thick:" DISK "\n");
}

/* The same name in another group takes nobody's place. */
static void ghost_name_elsewhere(struct stage *s)
{
	ghost(s);
	(void)fixture_lv(&s->f, s->san, DISK, 4);
}

static void ghost_reused(struct stage *s)
{
	struct fx_lv *other;

	ghost(s);
	other = fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0");
	fixture_segment(other, s->vg->pvs.items[0], 3, 2);
}

static void ghost_next_to(struct stage *s)
{
	struct fx_lv *other;

	ghost(s);
	other = fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0");
	fixture_segment(other, s->vg->pvs.items[0], 4, 2);
}

/* Its sectors are in use by a volume that is active here as well. */
static void ghost_reused_and_live(struct stage *s)
{
	struct fx_lv *other;

	ghost(s);
	other = fixture_bare_lv(&s->f, s->vg, "vm-200-disk-0");
	fixture_segment(other, s->vg->pvs.items[0], 3, 2);
	(void)fixture_map(&s->f, other);
	vm(s, 200, "scsi0: thick:vm-200-disk-0\n");
}

static void thin_ghost(struct stage *s)
{
	thin(s, DISK);
	delete_lv(s);
}

static void thin_ghost_reused(struct stage *s)
{
	struct fx_lv *other;

	thin_ghost(s);
	other = fixture_thin(&s->f, s->pool, "vm-200-disk-0", 4);
	other->thin_id = s->lv->thin_id;
}

/* Ids are each pool's own. */
static void thin_ghost_other_pool(struct stage *s)
{
	struct fx_lv *pool, *other;

	thin_ghost(s);
	pool = fixture_pool(&s->f, s->vg, "fast");
	other = fixture_thin(&s->f, pool, "vm-200-disk-0", 4);
	other->thin_id = s->lv->thin_id;
}

static void ghost_snapshot(struct stage *s)
{
	thin(s, "snap_" DISK "_before");
	delete_lv(s);
}

static void ghost_base(struct stage *s)
{
	thin(s, "base-100-disk-0");
	delete_lv(s);
}

/* Its guest runs, with other disks. */
static void ghost_of_running(struct stage *s)
{
	thick(s, "vm-100-disk-7");
	delete_lv(s);
	vm(s, 100, "scsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 100);
}

/* renamed */

static void renamed(struct stage *s)
{
	stopped(s);
	s->lv->name = "vm-100-disk-5";
}

static void renamed_open(struct stage *s)
{
	renamed(s);
	s->map->open = 1;
}

static void renamed_away(struct stage *s)
{
	thick(s, DISK);
	s->lv->name = "rescued";
}

static void renamed_to_guest(struct stage *s)
{
	thick(s, "rescued");
	s->lv->name = DISK;
	vm(s, 100, "scsi0: thick:" DISK "\n");
}

static void never_a_guests_name(struct stage *s)
{
	thick(s, "data1");
	s->lv->name = "data2";
}

static void vg_renamed(struct stage *s)
{
	stopped(s);
	s->vg->name = "vgnew";
	fixture_storage(&s->f, "lvm: new\n\tvgname vgnew\n");
}

static void renamed_and_moved(struct stage *s)
{
	renamed(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

/* stale-table */

static void grown(struct stage *s)
{
	stopped(s);
	fixture_segment(s->lv, s->vg->pvs.items[0], 60, 4);
}

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

static void moved(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].areas[0].first = 50;
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

static struct fx_map *multipath(struct stage *s, struct devno path)
{
	struct fx_map *map = fixture_raw(&s->f, "mpatha", "mpath-3600140500007");

	fixture_target(&s->f, map,
		       "0 209715200 multipath 0 0 1 1 round-robin 0 1 1 " DEVNO_FMT " 1",
		       DEVNO_ARG(path));
	fixture_dep(map, path);
	map->paths = 1;
	return map;
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

/* foreign, copy */

static void foreign(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "scsi0: san:" DISK "\n");
}

static void foreign_unused(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "unused3: san:" DISK "\n");
}

static void foreign_snapshot_only(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "memory: 512\n[old]\nscsi0: san:" DISK "\n");
}

static void wanted_here_and_there(struct stage *s)
{
	foreign(s);
	vm(s, 101, "scsi0: san:" DISK "\n");
	fixture_runs(&s->f, 101);
}

static void copy(struct stage *s)
{
	thick(s, DISK);
	vm_there(s, 100, "scsi0: thick:" DISK "\n");
}

static void copy_of_shared_elsewhere(struct stage *s)
{
	fixture_storage(&s->f, "lvm: theirs\n\tvgname vg\n\tshared 1\n\tnodes pve2\n");
	thick(s, DISK);
	vm_there(s, 100, "scsi0: theirs:" DISK "\n");
}

static void copy_by_path(struct stage *s)
{
	thick(s, DISK);
	vm_there(s, 100, "scsi0: /dev/vg/" DISK "\n");
}

/* unreferenced */

static void unreferenced(struct stage *s)
{
	thick(s, DISK);
}

static void unreferenced_of_existing(struct stage *s)
{
	thick(s, "vm-100-disk-3");
	vm(s, 100, "scsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void other_vg_refers(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: san:" DISK "\n");
}

static void dir_storage_refers(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: local:100/" DISK "\n");
}

static void thin_unreferenced(struct stage *s)
{
	thin(s, DISK);
}

static void orphan_pvc(struct stage *s)
{
	shared(s, "vm-9999-pvc-0a1b2c");
}

static void foreign_pvc(struct stage *s)
{
	shared(s, "vm-9999-pvc-0a1b2c");
	vm_there(s, 201, "scsi4: san:vm-9999-pvc-0a1b2c\n");
}

static void own_pvc(struct stage *s)
{
	shared(s, "vm-9999-pvc-0a1b2c");
	vm(s, 201, "scsi4: san:vm-9999-pvc-0a1b2c\n");
	fixture_runs(&s->f, 201);
}

/* leftover and ok */

static void leftover_ct(struct stage *s)
{
	thick(s, "vm-200-disk-0");
	fixture_ct(&s->f, FX_NODE, 200, "rootfs: thick:vm-200-disk-0,size=4G\n");
}

static void running_ct(struct stage *s)
{
	leftover_ct(s);
	fixture_ct_runs(&s->f, 200);
}

static void ct_mount_point(struct stage *s)
{
	thick(s, "vm-200-disk-3");
	fixture_ct(&s->f, FX_NODE, 200,
		   "rootfs: thin:vm-200-disk-0\nmp12: volume=thick:vm-200-disk-3,mp=/srv\n");
	fixture_ct_runs(&s->f, 200);
}

/* A container of that number runs, the VM's disk is a VM's. */
static void other_kind_runs(struct stage *s)
{
	stopped(s);
	fixture_ct_runs(&s->f, 100);
}

static void thin_stopped(struct stage *s)
{
	thin(s, DISK);
	vm(s, 100, "scsi0: thin:" DISK "\n");
}

static void leftover_template(struct stage *s)
{
	thick(s, "base-100-disk-0");
	vm(s, 100, "template: 1\nscsi0: thick:base-100-disk-0\n");
}

static void thin_template(struct stage *s)
{
	thin(s, "base-100-disk-0");
	vm(s, 100, "template: 1\nscsi0: thin:base-100-disk-0\n");
}

static void linked_clone(struct stage *s)
{
	thin(s, "vm-101-disk-0");
	vm(s, 101, "scsi0: thin:base-100-disk-0/vm-101-disk-0\n");
}

static void thick_linked_clone(struct stage *s)
{
	thick(s, "vm-101-disk-0");
	vm(s, 101, "scsi0: thick:base-100-disk-0/vm-101-disk-0\n");
}

static void leftover_open(struct stage *s)
{
	stopped(s);
	s->map->open = 1;
}

static void one_of_two_runs(struct stage *s)
{
	stopped(s);
	vm(s, 101, "scsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 101);
}

static void running_elsewhere_in_place(struct stage *s)
{
	stopped(s);
	vm(s, 99, "scsi0: thick:" DISK "\n"); /* no guest has an id below 100 */
	fixture_runs(&s->f, 99);
}

static void storages_share_vg(struct stage *s)
{
	fixture_storage(&s->f, "lvm: second\n\tvgname vg\n");
	thick(s, DISK);
	vm(s, 100, "scsi0: second:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void thick_by_thin_storage(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thin:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void by_lv_path(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: /dev/vg/" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void by_udev_name(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: /dev/disk/by-id/dm-name-vg-vm--100--disk--0\n");
	fixture_runs(&s->f, 100);
}

static void by_udev_uuid(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100,
	   arena_fmt(&s->f.arena, "scsi0: /dev/disk/by-id/dm-uuid-%s\n",
		     fixture_uuid(&s->f, s->lv, "")));
	fixture_runs(&s->f, 100);
}

/* Its size in the metadata is that of its store, the live table is as long as the origin. */
static void thick_snapshot(struct stage *s)
{
	healthy(s);
	s->lv->attr = "swi-XXs---";
	s->lv->extents = 2;
}

static void by_mapper_path(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: /dev/mapper/vg-vm--100--disk--0\n");
	fixture_runs(&s->f, 100);
}

static void by_path_of_other(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: /dev/vg/vm-100-disk-1\n");
	fixture_runs(&s->f, 100);
}

static void root_by_path(struct stage *s)
{
	thick(s, "root");
	vm(s, 100, "scsi0: /dev/mapper/vg-root\n");
	fixture_runs(&s->f, 100);
}

static void in_args(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "args: -drive file=/dev/vg/" DISK ",if=none\n");
	fixture_runs(&s->f, 100);
}

static void unknown_key(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "newdisk7: thick:" DISK ",x=1\n");
	fixture_runs(&s->f, 100);
}

static void cloudinit(struct stage *s)
{
	thick(s, "vm-100-cloudinit");
	vm(s, 100, "ide2: thick:vm-100-cloudinit,media=cdrom\n");
	fixture_runs(&s->f, 100);
}

static void efi_and_tpm(struct stage *s)
{
	thick(s, "vm-100-disk-2");
	vm(s, 100, "efidisk0: thick:vm-100-disk-1\ntpmstate0: thick:vm-100-disk-2,size=4M\n");
	fixture_runs(&s->f, 100);
}

static void vmstate(struct stage *s)
{
	thick(s, "vm-100-state-my_snap");
	vm(s, 100, "memory: 1\n[my_snap]\nvmstate: thick:vm-100-state-my_snap\n");
	fixture_runs(&s->f, 100);
}

static void fleecing(struct stage *s)
{
	thick(s, "vm-100-fleece-0");
	vm(s, 100, "memory: 1\n[special:fleecing]\nfleecing-images: thick:vm-100-fleece-0\n");
	fixture_runs(&s->f, 100);
}

static void pending(struct stage *s)
{
	thick(s, "vm-100-disk-4");
	vm(s, 100, "memory: 1\n[PENDING]\nscsi4: thick:vm-100-disk-4\n");
	fixture_runs(&s->f, 100);
}

static void upper_case_vg(struct stage *s)
{
	struct fx_vg *vg = fixture_vg(&s->f, "VG-Upper--x");

	fixture_storage(&s->f, "lvm: upper\n\tvgname VG-Upper--x\n");
	s->lv = fixture_lv(&s->f, vg, DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
	vm(s, 100, "scsi0: upper:" DISK "\n");
	fixture_runs(&s->f, 100);
}

/* snapshots */

static void thin_snapshot(struct stage *s)
{
	thin(s, "snap_" DISK "_before_upgrade_2");
	vm(s, 100, "scsi0: thin:" DISK "\n[before_upgrade_2]\nscsi0: thin:" DISK "\n");
}

static void thin_snapshot_unknown(struct stage *s)
{
	thin(s, "snap_" DISK "_other");
	vm(s, 100, "scsi0: thin:" DISK "\n[before]\nscsi0: thin:" DISK "\n");
}

/* The volume's own name holds what looks like the border to the snapshot's. */
static void snapshot_of_odd_volume(struct stage *s)
{
	thin(s, "snap_vm-100-my_disk_a_b");
	vm(s, 100, "scsi0: thin:vm-100-my_disk\n[a_b]\nscsi0: thin:vm-100-my_disk\n");
}

static void qcow2_chain(struct stage *s)
{
	thick(s, "snap_" DISK "_s_1.qcow2");
	vm(s, 100, "scsi0: thick:" DISK ".qcow2\n[s_1]\nscsi0: thick:" DISK ".qcow2\n");
	fixture_runs(&s->f, 100);
}

static void qcow2_chain_stopped(struct stage *s)
{
	thick(s, "snap_" DISK "_s_1.qcow2");
	vm(s, 100, "scsi0: thick:" DISK ".qcow2\n[s_1]\nscsi0: thick:" DISK ".qcow2\n");
}

/* The chain's snapshot is not the raw volume's. */
static void qcow2_chain_of_raw(struct stage *s)
{
	thick(s, "snap_" DISK "_s_1.qcow2");
	vm(s, 100, "scsi0: thick:" DISK "\n[s_1]\nscsi0: thick:" DISK "\n");
	fixture_runs(&s->f, 100);
}

static void vzdump_snapshot(struct stage *s)
{
	thin(s, "snap_vm-200-disk-0_vzdump");
	fixture_ct(&s->f, FX_NODE, 200, "rootfs: thin:vm-200-disk-0\n");
	fixture_ct_runs(&s->f, 200);
}

static void vzdump_snapshot_of_vm(struct stage *s)
{
	thin(s, "snap_" DISK "_vzdump");
	vm(s, 100, "scsi0: thin:" DISK "\n");
}

static void foreign_snapshot(struct stage *s)
{
	shared(s, "snap_" DISK "_s1.qcow2");
	vm_there(s, 100, "scsi0: san:" DISK ".qcow2\n[s1]\nscsi0: san:" DISK ".qcow2\n");
}

#define INFRA		       DM_INFRASTRUCTURE, NONE, DM_CAUSE_NONE
#define OK		       DM_OK, NONE, DM_CAUSE_NONE
#define BLIND		       DM_UNKNOWN, UNKNOWN, DM_CAUSE_BLIND, COUNTS
#define BUSY		       DM_BUSY, NOTICE
#define MOVED		       DM_STALE_TABLE, CRITICAL, DM_CAUSE_MOVED
#define PLAIN(class, severity) DM_##class, severity, DM_CAUSE_NONE

static const struct trial trials[] = {
	{ "a system volume", root_volume, INFRA },
	{ "a thin pool", pool_of_thin, INFRA },
	{ "a crypt map with a guest's name", crypt_map, INFRA },
	{ "vm- without a number", name_alone, INFRA },
	{ "a storage of another node", storage_of_another_node, INFRA },
	{ "nodes= with this node in it", storage_of_this_node_too, PLAIN(UNREFERENCED, WARNING) },
	{ "a disabled storage", storage_disabled, INFRA },
	{ "a disabled storage refers", disabled_storage_refers, OK, RUNS },
	{ "a group that no storage names", vg_of_nobody, INFRA },
	{ "tagged_only without the tag", tagged_only_without, INFRA },
	{ "tagged_only with the tag", tagged_only_with, PLAIN(UNREFERENCED, WARNING) },
	{ "tagged_only, referred to", tagged_only_referred, OK, RUNS },
	{ "a partition in a guest's disk", partition, INFRA },
	{ "a group inside a guest's disk", inner_vg, INFRA },
	{ "a volume on one of its own group", same_vg_above, OK, RUNS },
	{ "array volume gone", array_gone, DM_ARRAY_GONE, WARNING, DM_CAUSE_VOLUME_GONE },
	{ "array volume not connected", array_not_connected, DM_ARRAY_GONE, WARNING,
	  DM_CAUSE_VOLUME_NOT_CONNECTED },
	{ "array volume connected", array_connected, INFRA },
	{ "array state older than a minute", array_state_old, INFRA },
	{ "no array state", array_state_absent, INFRA },
	{ "another maker's array", array_of_other_maker, INFRA },

	{ "no quorum", no_quorum, BLIND | RUNS },
	{ "no storage.cfg", no_storage_cfg, BLIND },
	{ "no LVM report", lvm_missing, BLIND | RUNS },
	{ "a torn LVM report", lvm_torn, BLIND | RUNS },
	{ "an LVM report that ends early", lvm_ends_early, BLIND | RUNS },
	{ "an empty /etc/pve", empty_etc_pve, BLIND },
	{ "a config too large to be read", config_too_large, BLIND | RUNS },
	{ "blind: what is no guest's stays so", blind_to_others, INFRA },
	{ "VG not seen", vg_not_seen, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_NOT_SEEN, COUNTS | RUNS },
	{ "VG not seen that no storage names", vg_not_seen_of_nobody, DM_UNKNOWN, NOTICE,
	  DM_CAUSE_VG_NOT_SEEN },
	{ "PV missing", pv_missing, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_DOUBTFUL, COUNTS | RUNS },
	{ "PV of another VG missing", pv_missing_elsewhere, OK, RUNS },
	{ "PV seen twice", pv_duplicate, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_DOUBTFUL, COUNTS | RUNS },
	{ "VG exported", vg_exported, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_DOUBTFUL, COUNTS | RUNS },
	{ "VG of lvmlockd", vg_locked, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_DOUBTFUL, COUNTS | RUNS },
	{ "VG with lock_type none", vg_lock_none, OK, RUNS },
	{ "deleted from a VG with a missing PV", ghost_in_doubtful_vg, DM_UNKNOWN, UNKNOWN,
	  DM_CAUSE_VG_DOUBTFUL, COUNTS },
	{ "deleted from an exported VG of nobody", ghost_in_doubtful_vg_of_nobody, DM_UNKNOWN,
	  NOTICE, DM_CAUSE_VG_DOUBTFUL },
	{ "two VGs of one name", two_vgs_of_one_name, DM_UNKNOWN, UNKNOWN, DM_CAUSE_VG_NAME_TWICE,
	  COUNTS | RUNS },
	{ "two VGs of one name, both active", two_vgs_both_active, DM_UNKNOWN, UNKNOWN,
	  DM_CAUSE_VG_NAME_TWICE, COUNTS | RUNS },
	{ "two VGs of one name, the other idle", two_vgs_one_idle, OK, RUNS },
	{ "a ghost beside two VGs of one name", ghost_beside_two_vgs, DM_GHOST, WARNING,
	  DM_CAUSE_DELETED },
	{ "undefined storage", undefined_storage, DM_UNKNOWN, UNKNOWN, DM_CAUSE_STORAGE_UNDEFINED,
	  COUNTS, 100 },
	{ "undefined storage and a known one", undefined_storage_and_known, OK, RUNS, 100 },
	{ "undefined storage, other volume", undefined_other_volume, PLAIN(UNREFERENCED, WARNING) },

	{ "suspended", suspended, BUSY, DM_CAUSE_SUSPENDED, RUNS },
	{ "read only", read_only, OK, RUNS },
	{ "a second table", inactive_table, BUSY, DM_CAUSE_INACTIVE_TABLE, RUNS },
	{ "unknown goes before busy", suspended_and_unknown, DM_UNKNOWN, UNKNOWN,
	  DM_CAUSE_VG_NOT_SEEN, COUNTS | RUNS },
	{ "busy goes before ghost", suspended_ghost, BUSY, DM_CAUSE_SUSPENDED, RUNS },
	{ "guest locked", guest_locked, BUSY, DM_CAUSE_GUEST_LOCKED },
	{ "lock: in a snapshot", snapshot_locked, OK, RUNS },
	{ "referring guest locked", referrer_locked, BUSY, DM_CAUSE_GUEST_LOCKED, 0, 101 },
	{ "guest of the digits locked", namesake_guest_locked, BUSY, DM_CAUSE_GUEST_LOCKED, RUNS },
	{ "somebody else is busy", stranger_locked, OK, RUNS },
	{ "locked on another node", guest_locked_elsewhere, BUSY, DM_CAUSE_GUEST_LOCKED },
	{ "flock held", flock_held, BUSY, DM_CAUSE_FLOCK },
	{ "task", task_runs, BUSY, DM_CAUSE_TASK },
	{ "a console is no task", console_runs, PLAIN(LEFTOVER, NOTICE) },
	{ "arrived by migration", arrived, OK, RUNS },
	{ "arrived by migration, a ghost", arrived_ghost, DM_GHOST, WARNING, DM_CAUSE_DELETED,
	  RUNS },
	{ "incoming migration", incoming, BUSY, DM_CAUSE_INCOMING },
	{ "being wiped", wiping, BUSY, DM_CAUSE_WIPING },
	{ "being wiped, old name in dm", wiping_under_old_name, BUSY, DM_CAUSE_WIPING },
	{ "pvmove", pvmove, BUSY, DM_CAUSE_CHANGING, RUNS },
	{ "conversion", conversion, BUSY, DM_CAUSE_CHANGING, RUNS },
	{ "merging", merging, BUSY, DM_CAUSE_CHANGING, RUNS },
	{ "a ghost whose guest is being destroyed", busy_ghost, BUSY, DM_CAUSE_TASK },
	{ "hand-made, and a task", busy_handmade, BUSY, DM_CAUSE_TASK },
	{ "young", young, BUSY, DM_CAUSE_YOUNG },
	{ "just old enough", just_old_enough, PLAIN(UNREFERENCED, WARNING) },
	{ "young with --min-age 0", young, PLAIN(UNREFERENCED, WARNING), ANY_AGE },
	{ "age not known", age_unknown, BUSY, DM_CAUSE_YOUNG },
	{ "age not known with --min-age 0", age_unknown, PLAIN(UNREFERENCED, WARNING), ANY_AGE },
	{ "young but referred to", young_but_wanted, OK, RUNS },

	{ "ghost", ghost, DM_GHOST, WARNING, DM_CAUSE_DELETED, 0, 100 },
	{ "ghost of a group that no storage names", ghost_of_another_group, DM_GHOST, WARNING,
	  DM_CAUSE_DELETED },
	{ "a deleted volume of no guest", gone_but_no_guest, INFRA },
	{ "ghost with a namesake", ghost_namesake, DM_GHOST, CRITICAL, DM_CAUSE_NAMESAKE, 0, 100 },
	{ "ghost, its name in another group", ghost_name_elsewhere, DM_GHOST, WARNING,
	  DM_CAUSE_DELETED },
	{ "ghost over reused extents", ghost_reused, DM_GHOST, CRITICAL, DM_CAUSE_EXTENTS_REUSED },
	{ "ghost next to a new volume", ghost_next_to, DM_GHOST, WARNING, DM_CAUSE_DELETED },
	{ "ghost over a live volume", ghost_reused_and_live, DM_GHOST, CRITICAL,
	  DM_CAUSE_EXTENTS_REUSED, DUPLICATE },
	{ "thin ghost", thin_ghost, DM_GHOST, WARNING, DM_CAUSE_DELETED },
	{ "thin ghost whose id is another's", thin_ghost_reused, DM_GHOST, CRITICAL,
	  DM_CAUSE_EXTENTS_REUSED },
	{ "thin ghost, its id in another pool", thin_ghost_other_pool, DM_GHOST, WARNING,
	  DM_CAUSE_DELETED },
	{ "ghost of a snapshot", ghost_snapshot, DM_GHOST, WARNING, DM_CAUSE_DELETED },
	{ "ghost of a base", ghost_base, DM_GHOST, WARNING, DM_CAUSE_DELETED },
	{ "ghost of a running guest", ghost_of_running, DM_GHOST, WARNING, DM_CAUSE_DELETED },

	{ "renamed", renamed, PLAIN(RENAMED, CRITICAL) },
	{ "renamed, open", renamed_open, PLAIN(RENAMED, CRITICAL) },
	{ "renamed away from a guest's name", renamed_away, PLAIN(RENAMED, CRITICAL) },
	{ "renamed to a guest's name", renamed_to_guest, PLAIN(RENAMED, CRITICAL), 0, 100 },
	{ "renamed, never a guest's", never_a_guests_name, INFRA },
	{ "its group renamed", vg_renamed, PLAIN(RENAMED, CRITICAL) },
	{ "renamed goes before stale-table", renamed_and_moved, PLAIN(RENAMED, CRITICAL) },

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

	{ "foreign", foreign, PLAIN(FOREIGN, WARNING), 0, 100 },
	{ "foreign, unused there", foreign_unused, PLAIN(FOREIGN, WARNING) },
	{ "foreign, in a snapshot there", foreign_snapshot_only, PLAIN(FOREIGN, WARNING) },
	{ "wanted here and there", wanted_here_and_there, OK, RUNS, 101 },
	{ "copy", copy, PLAIN(COPY, NOTICE) },
	{ "copy of a storage shared among others", copy_of_shared_elsewhere, PLAIN(COPY, NOTICE) },
	{ "copy by path", copy_by_path, PLAIN(COPY, NOTICE) },

	{ "unreferenced", unreferenced, PLAIN(UNREFERENCED, WARNING), 0, 100 },
	{ "unreferenced of a running guest", unreferenced_of_existing,
	  PLAIN(UNREFERENCED, WARNING) },
	{ "referred to in another group", other_vg_refers, PLAIN(UNREFERENCED, WARNING) },
	{ "referred to in a folder", dir_storage_refers, PLAIN(UNREFERENCED, WARNING) },
	{ "unreferenced thin", thin_unreferenced, PLAIN(UNREFERENCED, WARNING) },
	{ "CSI, nobody's", orphan_pvc, PLAIN(UNREFERENCED, WARNING), 0, 9999 },
	{ "CSI of a guest elsewhere", foreign_pvc, PLAIN(FOREIGN, WARNING), 0, 201 },
	{ "CSI of a guest here", own_pvc, OK, RUNS, 201 },

	{ "healthy", healthy, OK, RUNS, 100 },
	{ "healthy under the other policy", healthy, OK, RUNS | POLICY_RUNNING },
	{ "leftover", stopped, PLAIN(LEFTOVER, NOTICE) },
	{ "leftover under the other policy", stopped, PLAIN(LEFTOVER, WARNING), POLICY_RUNNING },
	{ "leftover, open", leftover_open, PLAIN(LEFTOVER, NOTICE) },
	{ "leftover of a container", leftover_ct, PLAIN(LEFTOVER, NOTICE), 0, 200 },
	{ "a container runs", running_ct, OK, RUNS, 200 },
	{ "a mount point", ct_mount_point, OK, RUNS },
	{ "a container of that number runs", other_kind_runs, PLAIN(LEFTOVER, NOTICE) },
	{ "one of two referrers runs", one_of_two_runs, OK, RUNS, 101 },
	{ "an id that no guest can have", running_elsewhere_in_place, PLAIN(LEFTOVER, NOTICE) },
	{ "thin of a stopped guest", thin_stopped, OK },
	{ "thin of a stopped guest, other policy", thin_stopped, OK, POLICY_RUNNING },
	{ "template, thick", leftover_template, PLAIN(LEFTOVER, NOTICE) },
	{ "template, thin", thin_template, OK },
	{ "linked clone, thin", linked_clone, OK, 0, 101 },
	{ "linked clone, thick", thick_linked_clone, PLAIN(LEFTOVER, NOTICE), 0, 101 },
	{ "two storages on one group", storages_share_vg, OK, RUNS },
	{ "thick through the thin storage", thick_by_thin_storage, OK, RUNS },
	{ "by /dev/VG/LV", by_lv_path, OK, RUNS },
	{ "by /dev/mapper", by_mapper_path, OK, RUNS },
	{ "by udev's link of the name", by_udev_name, OK, RUNS },
	{ "by udev's link of the UUID", by_udev_uuid, OK, RUNS },
	{ "a thick snapshot", thick_snapshot, OK, RUNS },
	{ "by the path of another", by_path_of_other, PLAIN(UNREFERENCED, WARNING) },
	{ "not a guest's name, by path", root_by_path, OK, RUNS },
	{ "in args", in_args, OK, RUNS },
	{ "under an unknown key", unknown_key, OK, RUNS },
	{ "cloud-init", cloudinit, OK, RUNS },
	{ "EFI and TPM", efi_and_tpm, OK, RUNS },
	{ "a snapshot's memory", vmstate, OK, RUNS },
	{ "fleecing image", fleecing, OK, RUNS },
	{ "pending disk", pending, OK, RUNS },
	{ "VG in upper case with hyphens", upper_case_vg, OK, RUNS },

	{ "thin snapshot", thin_snapshot, OK },
	{ "thin snapshot that no config knows", thin_snapshot_unknown, INFRA },
	{ "snapshot, '_' in the volume's name too", snapshot_of_odd_volume, OK },
	{ "qcow2 chain", qcow2_chain, OK, RUNS },
	{ "qcow2 chain of a stopped guest", qcow2_chain_stopped, PLAIN(LEFTOVER, NOTICE) },
	{ "qcow2 snapshot of a raw volume", qcow2_chain_of_raw, INFRA },
	{ "backup snapshot of a container", vzdump_snapshot, OK, RUNS },
	{ "backup snapshot of a VM", vzdump_snapshot_of_vm, INFRA },
	{ "foreign snapshot", foreign_snapshot, PLAIN(FOREIGN, WARNING) },

	{ "del- of no guest", del_without_guest, INFRA },
};

static bool judged_as(const struct trial *t, const struct dm_verdict *v)
{
	return v->class == t->class && v->severity == t->severity && v->cause == t->cause &&
	       v->counts == !!(t->flags & COUNTS) && v->running == !!(t->flags & RUNS) &&
	       v->duplicate == !!(t->flags & DUPLICATE) && (!t->vmid || v->vmid == t->vmid);
}

static bool run_trial(const struct trial *t)
{
	struct dm_options o = fixture_options;
	const struct dm_verdict *v;
	struct stage s;
	bool good;

	if (t->flags & POLICY_RUNNING)
		o.policy_running = true;
	if (t->flags & ANY_AGE)
		o.min_age = 0;
	stage_make(&s);
	t->make(&s);
	(void)fixture_check(&s.f, &o);
	v = fixture_verdict(&s.f, s.map);
	good = judged_as(t, v);
	if (!good)
		print_error("%s: judged %s, %s, cause %d,%s%s%s vmid %u\n", t->what,
			    dm_class_name(v->class), dm_severity_name(v->severity), v->cause,
			    v->counts ? " counts," : "", v->running ? " running," : "",
			    v->duplicate ? " duplicate," : "", v->vmid);
	if (v->counts && s.f.check.summary.answer < UNKNOWN) {
		print_error("%s: an unknown that counts did not reach the answer\n", t->what);
		good = false;
	}
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

static void names_of_all(void **state)
{
	(void)state;
	for (int c = 0; c < DM_CLASS_MAX; c++)
		assert_non_null(dm_class_name((enum dm_class)c));
	for (int s = 0; s <= DM_SEVERITY_CRITICAL; s++)
		assert_non_null(dm_severity_name((enum dm_severity)s));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule),
		cmocka_unit_test(names_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
