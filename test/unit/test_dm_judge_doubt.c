/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The judge: what is none of our business, what cannot be told, what somebody works on. */

#include "judge_stage.h"

/* infrastructure */

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
	{ "del- of no guest", del_without_guest, INFRA },
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
