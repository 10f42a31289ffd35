/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which disks of a guest Proxmox snapshots together: those of the current section of its config, of
 * VMs all drives that are no CD-ROM (a cloud-init drive is one; PVE::QemuConfig
 * __snapshot_create_vol_snapshot), of containers all volumes, and for vzdump only those that are
 * backed up (PVE::LXC::Config, the same function). Unused disks and RAM are not among them, nor is
 * a volume that is named as another guest's.
 */

#include "array/pvefs.h"
#include "pve/guest.h"

struct snapdisks {
	const char **volnames;
	size_t n;
};

/* Of a config that was read: those on @storage. Memory is @a's. */
void snapdisks_of(const struct guest *g, const char *storage, const char *snap, struct arena *a,
		  struct snapdisks *ret);

/* The config of guest @vmid on @node: -ENOENT when it is not there, -ETIMEDOUT when /etc/pve does
 * not answer. */
int snapdisks_guest(struct pvefs *p, const char *node, uint32_t vmid, struct arena *a,
		    struct guest *ret, struct err *e);

/* Reads the config of guest @vmid on @node: -ENOENT when it is not there. */
int snapdisks_read(struct pvefs *p, const char *node, uint32_t vmid, const char *storage,
		   const char *snap, struct arena *a, struct snapdisks *ret, struct err *e);

/* As Proxmox writes it just before it asks for the first disk, and only where there is no section
 * of that name: this guest is being snapshotted, since that Unix time. 0: it is not. Pure. */
int64_t snapdisks_prepared(const struct guest *g, const char *snap);

/* Is there a snapshot whose name differs from @snap by case alone? Two to Proxmox, the array takes
 * one for the other (facts C5). */
bool snapdisks_has_alike(const struct guest *g, const char *snap);

bool snapdisks_have(const struct snapdisks *d, const char *volname);
