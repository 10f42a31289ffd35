/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What names and UUIDs of device-mapper devices say. The UUID is the identity; a name is text for
 * people that only looks as if it could be taken apart (lvm2 libdm/libdm-string.c dm_build_dm_name,
 * dm_split_lvm_name; kpartx, multipath-tools and cryptsetup for the other prefixes).
 */

#include "util/base.h"

enum { DM_NAME_SIZE = 128, DM_UUID_SIZE = 129, LVM_ID_LEN = 32 };

/* "vg--a-vm--100--disk--0-real": parts with the doubled hyphens undone; lv and layer may be "". */
struct dm_lvm_name {
	char vg[DM_NAME_SIZE], lv[DM_NAME_SIZE], layer[DM_NAME_SIZE];
};
void dmname_split(struct dm_lvm_name *ret, const char *name);

/* The name that LVM gives to a visible LV. False when it would be longer than the kernel takes. */
bool dmname_build(char ret[DM_NAME_SIZE], const char *vg, const char *lv);

enum dm_uuid_kind {
	DM_UUID_NONE,
	DM_UUID_LVM,	      /* LVM-<vg><lv>: a visible LV, 68 characters exactly */
	DM_UUID_LVM_INTERNAL, /* the same with a suffix: -real, -cow, -tpool, ... */
	DM_UUID_PART,	      /* partN-<uuid of the parent>, by kpartx or parted */
	DM_UUID_MPATH,	      /* mpath-<wwid> */
	DM_UUID_CRYPT,	      /* CRYPT-<type>-... */
	DM_UUID_OTHER,	      /* another subsystem's, or a hand-made one */
};

struct dm_uuid {
	enum dm_uuid_kind kind;
	struct slice vg, lv; /* 32 characters each, of the two LVM kinds */
	struct slice rest;   /* LVM_INTERNAL: suffix; PART: parent's uuid; MPATH: wwid */
};
struct dm_uuid dmuuid_parse(const char *uuid);

/* A subsystem other than a person at a shell made this UUID. */
bool dmuuid_is_managed(const char *uuid);

/* LVM prints ids as 6-4-4-4-4-4-6; @ret gets the 32 characters without hyphens. */
bool lvm_id_parse(struct slice text, char ret[LVM_ID_LEN + 1]);
/* And back: the form that `lvs --select` wants. */
void lvm_id_format(char ret[LVM_ID_LEN + 7], const char id[LVM_ID_LEN + 1]);
