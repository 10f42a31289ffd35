/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm_stage.h"

void stage_make(struct stage *s)
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

struct fx_lv *thick(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->vg, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

struct fx_lv *thin(struct stage *s, const char *name)
{
	s->lv = fixture_thin(&s->f, s->pool, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

struct fx_lv *shared(struct stage *s, const char *name)
{
	s->lv = fixture_lv(&s->f, s->san, name, 4);
	s->map = fixture_map(&s->f, s->lv);
	return s->lv;
}

void vm(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, FX_NODE, vmid, conf);
}

void vm_there(struct stage *s, unsigned int vmid, const char *conf)
{
	fixture_vm(&s->f, "pve2", vmid, conf);
}

/* VM 100 runs with one thick disk: what most cases begin with. */
void healthy(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
	fixture_runs(&s->f, 100);
	s->map->open = 1;
}

/* The same, not running. */
void stopped(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "scsi0: thick:" DISK ",size=16M\n");
}

void delete_lv(struct stage *s)
{
	s->lv->deleted = true;
}

void root_volume(struct stage *s)
{
	thick(s, "root");
}

void vg_of_nobody(struct stage *s)
{
	s->lv = fixture_lv(&s->f, fixture_vg(&s->f, "backup"), DISK, 4);
	s->map = fixture_map(&s->f, s->lv);
}

void ghost(struct stage *s)
{
	thick(s, DISK);
	delete_lv(s);
}

void renamed(struct stage *s)
{
	stopped(s);
	s->lv->name = "vm-100-disk-5";
}

void grown(struct stage *s)
{
	stopped(s);
	fixture_segment(s->lv, s->vg->pvs.items[0], 60, 4);
}

void moved(struct stage *s)
{
	stopped(s);
	s->lv->segs.items[0].areas[0].first = 50;
}

void foreign(struct stage *s)
{
	shared(s, DISK);
	vm_there(s, 100, "scsi0: san:" DISK "\n");
}

void copy(struct stage *s)
{
	thick(s, DISK);
	vm_there(s, 100, "scsi0: thick:" DISK "\n");
}

void unreferenced(struct stage *s)
{
	thick(s, DISK);
}

void guest_locked(struct stage *s)
{
	thick(s, DISK);
	vm(s, 100, "lock: backup\nscsi0: thick:" DISK "\n");
}

struct fx_map *multipath(struct stage *s, struct devno path)
{
	struct fx_map *map = fixture_raw(&s->f, "mpatha", "mpath-3600140500007");

	fixture_target(&s->f, map,
		       "0 209715200 multipath 0 0 1 1 round-robin 0 1 1 " DEVNO_FMT " 1",
		       DEVNO_ARG(path));
	fixture_dep(map, path);
	map->paths = 1;
	return map;
}
