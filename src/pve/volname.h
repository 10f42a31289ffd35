/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Names of logical volumes that Proxmox makes (PVE::Storage::LVMPlugin, LvmThinPlugin, QemuServer,
 * VZDump). The number in a name says whom it was made for, not who owns it: owners refer to it.
 */

#include "util/base.h"

enum volname_kind {
	VOLNAME_NONE, /* not a guest's */
	VOLNAME_VM, /* vm-N-disk-M, vm-N-cloudinit, vm-N-state-SNAP, vm-N-fleece-M, vm-N-pvc-UUID */
	VOLNAME_BASE, /* base-N-disk-M */
	VOLNAME_SNAP, /* snap_vm-N-disk-M_SNAP, with .qcow2 in a volume chain */
	VOLNAME_DEL,  /* del-vm-N-...: being wiped */
};

struct volname {
	enum volname_kind kind;
	uint32_t vmid;
};

/* Of an LV's name. */
struct volname volname_parse(struct slice lv);

/* It is one of a guest's, of whatever kind. */
bool volname_is_guests(const char *lv);

/* Of any device-mapper name, hyphens doubled: finds "vm--N--" or "base--N--" at the start of a
 * part. This is what the old scripts' users know hand-made entries by. */
struct volname volname_in_dm_name(const char *dm_name);

/*
 * The volume and the snapshot that "snap_VOLUME_SNAP[.qcow2]" may stand for. Both may hold '_', so
 * that there are several ways to split it: call with *state = 0 until it returns false. @ret_volume
 * is without the suffix; @ret_qcow2 says that there was one.
 */
bool volname_split_snap(struct slice lv, size_t *state, struct slice *ret_volume,
			struct slice *ret_snap, bool *ret_qcow2);
