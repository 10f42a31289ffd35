/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The judge: ghosts, renamed volumes, what other nodes own, and what nobody refers to. */

#include "judge_stage.h"

/* ghost */

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

/* foreign, copy */

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

static const struct trial trials[] = {
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
