/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The judge: what is wanted here, what a stopped guest left active, and snapshots. */

#include "judge_stage.h"

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

static const struct trial trials[] = {
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
};

static void every_rule(void **state)
{
	(void)state;
	judge_try_all(trials, ARRAY_SIZE(trials));
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
