/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What map_lvm_idle() is to judge, as this node shows it. */

#include "array/map_see.h"

/* A holder whose number cannot be told is none that device-mapper knows. */
static void add_disk(struct map_lvm_base *ret, const struct root *root, const char *name)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names holders = {};

	map_see_numbers(&ret->disks, root, name);
	sysdisk_holders(root, name, &holders);
	vec_each (h, &holders) {
		struct devno dev = {};

		(void)sysdisk_dev(root, h->text, &dev);
		*vec_push(&ret->holders) = dev;
	}
}

static void add_volumes(struct map_lvm_base *ret, const struct root *root)
{
	CLEANUP(scsi_disks_done) struct scsi_disks disks = {};
	CLEANUP(nvme_list_done) struct nvme_list namespaces = {};
	char serial[ARRAY_SERIAL_LEN + 1];

	scsi_disks_like(&disks, root, MAP_SEE_OUR_DISKS);
	vec_each (d, &disks)
		if (map_plan_serial_of_wwid(d->wwid, serial))
			map_see_numbers(&ret->volumes, root, d->name);
	nvme_namespaces(&namespaces, root, NULL);
	vec_each (ns, &namespaces)
		if (map_plan_serial_of_nguid(ns->nguid, serial))
			map_see_numbers(&ret->volumes, root, ns->name);
}

/* @uuid: of the map; NULL: on @disks. */
static bool find_lvm(struct map_lvm *ret, const struct root *root, const char *uuid,
		     const struct sysdisk_names *disks, struct arena *a)
{
	struct map_lvm_base base = { .uuid = uuid };
	struct dm_set all = {};
	bool idle;

	/* First: a number that is read after it is no other device's that had gone before. */
	if (dmdev_read(&all, root, a, NULL) < 0)
		return false;
	if (!uuid)
		vec_each (d, disks)
			add_disk(&base, root, d->text);
	add_volumes(&base, root);
	idle = map_lvm_idle(&all, &base, ret);
	vec_free(&base.disks);
	vec_free(&base.holders);
	vec_free(&base.volumes);
	return idle;
}

static void add_name(struct sysdisk_names *ret, const char *name)
{
	(void)snprintf(vec_push(ret)->text, SYSDISK_NAME_MAX, "%s", name);
}

/* The map, or without one the disks. */
static void add_view(struct sysdisk_names *ret, const struct map_view *v)
{
	if (v->mapped)
		add_name(ret, v->dm);
	else
		vec_each (d, &v->disks)
			add_name(ret, d->name);
}

bool map_see_lvm(struct map_lvm *ret, const struct root *root, const char *serial,
		 enum array_protocol protocol, struct arena *a)
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names disks = {};
	struct map_view v = {};
	struct nvme_ns ns;
	bool present = false, idle;
	int r;

	*ret = (struct map_lvm){};
	if (protocol == ARRAY_NVME_TCP) {
		r = map_see_nvme(&ns, &present, root, serial, NULL);
		if (r == 0 && present)
			add_name(&disks, ns.name);
	} else {
		r = map_view_read(&v, root, serial, NULL);
		add_view(&disks, &v);
	}
	idle = r == 0 && find_lvm(ret, root, v.mapped ? v.uuid : NULL, &disks, a);
	map_view_done(&v);
	return idle;
}

static void say_writes(char why[256])
{
	(void)snprintf(why, 256,
		       "a cache or RAID on it would write an old state over the guest's when it "
		       "ends: on each array disconnect the volume from this node, from no other "
		       "one, then dmsetup remove that; keep LVM away from guests' disks "
		       "(global_filter)");
}

/* Of @uuid, on the map @devices[0]; NULL: on these disks. */
static bool is_lvm_idle(const struct root *root, const char *uuid,
			const struct sysdisk_names *devices, char why[256])
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names above = {};
	CLEANUP(arena_done) struct arena a = {};
	struct map_lvm lvm = {};
	char who[128];
	bool idle, blind;

	vec_each (d, devices)
		sysdisk_holders(root, d->text, &above);
	idle = above.n && find_lvm(&lvm, root, uuid, devices, &a);
	/* Of a guest that runs here nobody is to end the connection. */
	if (lvm.writes && !map_see_user(root, devices->items[0].text, who, sizeof(who), &blind) &&
	    !blind)
		say_writes(why);
	return idle;
}

/* Of a map the kernel counts who has it open. Of a disk it does not, and of QEMU only /proc knows:
 * what holds it in the kernel and shows nowhere keeps map_detach() from it once LVM is gone. */
static bool is_lvm_only(const struct root *root, const struct sysdisk_names *disks, char why[256])
{
	char who[128];
	bool blind;

	if (!is_lvm_idle(root, NULL, disks, why) || !map_see_may_look(root))
		return false;
	vec_each (d, disks)
		if (map_see_user(root, d->text, who, sizeof(who), &blind) || blind)
			return false;
	return true;
}

bool map_see_lvm_only(const struct map_view *v, const struct root *root, char why[256])
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names devices = {};

	add_view(&devices, v);
	return v->mapped ? is_lvm_idle(root, v->uuid, &devices, why)
			 : is_lvm_only(root, &devices, why);
}

bool map_see_lvm_only_nvme(const struct nvme_ns *ns, const struct root *root, char why[256])
{
	CLEANUP(sysdisk_names_done) struct sysdisk_names disk = {};

	add_name(&disk, ns->name);
	return is_lvm_only(root, &disk, why);
}
