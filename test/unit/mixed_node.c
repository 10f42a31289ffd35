/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "mixed_node.h"

struct fx_vg *node_make(struct fixture *f)
{
	fixture_make(f);
	fixture_storage(f, "lvm: thick\n\tvgname vg\n");
	fixture_storage(f, "lvm: san\n\tvgname san\n\tshared 1\n");
	(void)fixture_vg(f, "san");
	return fixture_vg(f, "vg");
}

struct fx_map *disk(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n)
{
	return fixture_map(f, fixture_lv(f, vg, arena_fmt(&f->arena, "vm-%u-disk-%u", vmid, n), 1));
}

struct fx_map *ghost_disk(struct fixture *f, struct fx_vg *vg, unsigned int vmid, unsigned int n)
{
	struct fx_map *map = disk(f, vg, vmid, n);

	vg->lvs.items[vg->lvs.n - 1]->deleted = true;
	return map;
}

void mixed_node(struct fixture *f)
{
	struct fx_vg *vg = node_make(f);
	struct fx_map *open, *copy;

	fixture_vm(f, FX_NODE, 100, "name: web\nscsi0: thick:vm-100-disk-0\n");
	fixture_vm(f, FX_NODE, 101, "name: idle\nscsi0: thick:vm-101-disk-0\n");
	fixture_ct(f, FX_NODE, 200, "hostname: db\nrootfs: thick:vm-200-disk-0\n");
	fixture_vm(f, "pve2", 102, "name: away\nscsi0: san:vm-102-disk-0\n");
	fixture_runs(f, 100);
	fixture_ct_runs(f, 200);
	(void)disk(f, vg, 100, 0);
	(void)disk(f, vg, 101, 0);
	(void)disk(f, vg, 200, 0);
	(void)disk(f, f->vgs.items[0], 102, 0);
	open = ghost_disk(f, vg, 300, 0);
	open->open = 1;
	(void)ghost_disk(f, vg, 300, 1);
	(void)ghost_disk(f, vg, 100, 7);
	copy = fixture_raw(f, "vg-vm--100--disk--0-copy", "");
	fixture_target(f, copy, "0 8192 linear " DEVNO_FMT " 2048",
		       DEVNO_ARG(vg->pvs.items[0]->dev));
	buf_addf(&f->users, DEVNO_FMT " 4711 kvm open file\n", DEVNO_ARG(open->dev));
	(void)fixture_map(f, fixture_lv(f, vg, "root", 1));
}
