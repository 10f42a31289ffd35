/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Names, both ways, as the old plugin has them (facts B2, C5, D1, D4): Proxmox' volume name, the
 * array's name of volume and snapshot, the WWID and NGUID that a serial becomes on a host, the path
 * under /dev. Pure.
 */

#include "array/conf.h"

enum {
	ARRAY_NAME_MAX = 63,   /* of an object, without what stands before "::" or "/" */
	ARRAY_SERIAL_LEN = 24, /* upper-case hex digits */
	ARRAY_WWID_LEN = 33,   /* "3624a9370" and the serial in lower case: multipath's WWID */
	ARRAY_NGUID_LEN = 32,
	ARRAY_PATH_MAX = 128,
};

struct array_volname {
	bool base; /* base-N-... */
	uint32_t vmid;
	const char *rest; /* "disk-0", "cloudinit", "state-x", "fleece-0": into the given text */
};

/* "vm-100-disk-0", "base-100-disk-0". False for what this storage never holds. */
bool array_volname_parse(const char *volname, struct array_volname *ret);

/* The array's full name of @volname, "vg/vm-100-disk-0". -ENAMETOOLONG, with a sentence. */
int array_name_of(const struct array_conf *c, const char *volname, char ret[256], struct err *e);
/* Proxmox' name of an array's volume, or NULL when it is none of this storage's (another prefix, a
 * form that Proxmox does not make). Points into @full. */
const char *array_volname_of(const struct array_conf *c, const char *full);

/*
 * A snapshot's suffix: "snap-NAME"; "veeam-..." for "veeam_..."; what a suffix may not hold is
 * escaped so that two names never meet, and names that the old plugin could make stay as they were:
 * docs/array.md, 3. Back: NULL when the suffix is none of ours. -ENAMETOOLONG, -EINVAL.
 */
int array_suffix_of(const char *snap, char ret[80], struct err *e);
const char *array_snap_of(const char *suffix, struct arena *a);

/* A volume that stands for a snapshot on one node, while somebody reads it: "tmp-...". Its name
 * says which, the same each time. */
int array_tmp_name_of(const struct array_conf *c, const char *volname, const char *snap,
		      char ret[256], struct err *e);

bool array_serial_ok(const char *serial);
void array_wwid_of(const char *serial, char ret[ARRAY_WWID_LEN + 1]);
void array_nguid_of(const char *serial, char ret[ARRAY_NGUID_LEN + 1]);
/* /dev/disk/by-id/dm-uuid-mpath-WWID; wwn-0x... without multipath; nvme-eui.NGUID. Needs no device.
 */
void array_path_of(const struct array_conf *c, const char *serial, char ret[ARRAY_PATH_MAX]);
