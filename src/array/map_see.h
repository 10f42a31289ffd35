/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What there is of a volume on this node: its map by UUID, its disks by identity, who uses it.
 * Reads only; what could block runs in a child with a deadline.
 */

#include "array/map_lvm.h"
#include "array/map_plan.h"
#include "blk/dmdev.h"
#include "blk/users.h"

/* How the identity of each FlashArray volume begins. */
#define MAP_SEE_OUR_DISKS "naa.624a9370"

enum { MAP_UUID_MAX = ARRAY_WWID_LEN + 8 };

/* A SCSI volume. map_view_done() frees it, also after an error. */
struct map_view {
	char wwid[ARRAY_WWID_LEN + 1]; /* multipath's: "3624a9370..." */
	char naa[ARRAY_WWID_LEN + 1];  /* the disk's own: "624a9370..." */
	char uuid[MAP_UUID_MAX];       /* of the map */
	bool mapped;
	struct dm_dev map;
	char dm[SYSDISK_NAME_MAX]; /* "dm-7" */
	uint64_t size;		   /* of the map */
	struct scsi_disks disks;   /* that say this identity, and the map's paths */
	struct arena arena;
};

int map_view_read(struct map_view *ret, const struct root *root, const char *serial, struct err *e);
void map_view_done(struct map_view *v);

/* @d is a path of the map. */
bool map_view_in_map(const struct map_view *v, const struct scsi_disk *d);
/* @d says this volume's identity. */
bool map_view_ours(const struct map_view *v, const struct scsi_disk *d);

/* Fills @ret. Asks the kernel for users of a disk without a map, which starts a child. */
void map_view_state(const struct map_view *v, const struct root *root, struct map_state *ret);

/* Is the disk @name used? Its holders, mounts, open files, and whether it can be opened alone. */
enum map_in_use map_disk_use(const struct root *root, const char *name, char *why, size_t size);

/* An NVMe volume: -EUCLEAN when two disks have its NGUID, with the reason why they are two. */
int map_see_nvme(struct nvme_ns *ret, bool *present, const struct root *root, const char *serial,
		 struct err *e);
void map_nvme_state(const struct nvme_ns *ns, const struct root *root, struct map_state *ret);

/* The numbers of a disk and its partitions. */
void map_see_numbers(struct map_numbers *ret, const struct root *root, const char *name);

/* All volumes of any FlashArray. */
int map_see_all(struct map_list *ret, const struct root *root, struct arena *a, struct err *e);

/* Who has the map with this number open; walks all of /proc, but for @known, of many maps. In
 * map_openers.c. */
void map_see_openers(const struct root *root, struct devno dev, const struct dm_users *known,
		     struct map_openers *ret);

/* Does the kernel show us what other processes have open? Without CAP_SYS_PTRACE it does not, and
 * nothing that is not seen counts as closed then. */
bool map_see_may_look(const struct root *root);

/* Who has the device open, by name and process, for people; false when nobody is found but udev's
 * own look at it. @blind: not all processes could be seen. */
bool map_see_user(const struct root *root, const char *name, char *why, size_t size, bool *blind);

/* --- LVM on it: map_see_lvm.c --- */

/* What LVM has made on the volume, if map_lvm_idle() finds that it can go. Memory is @a's. */
bool map_see_lvm(struct map_lvm *ret, const struct root *root, const char *serial,
		 enum array_protocol protocol, struct arena *a);

/* LVM that could go is all that has the volume open. @why says so if it is LVM that could not. */
bool map_see_lvm_only(const struct map_view *v, const struct root *root, char why[256]);
bool map_see_lvm_only_nvme(const struct nvme_ns *ns, const struct root *root, char why[256]);
