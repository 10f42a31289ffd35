/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The small grammars inside Proxmox values: property strings
 * (PVE::JSONSchema::parse_property_string), volume ids (PVE::Storage::parse_volume_id), %XX text
 * (PVE::ParseUtils), tags and lists.
 */

#include "util/buf.h"

/*
 * Next part of "scsi:vm-1-disk-0,size=4G,ro": parts end at commas, blank parts are skipped, key and
 * value separate at the first '='; a part without '=' has an empty key (it is the default key's
 * value). False at the end.
 */
struct prop {
	struct slice key, value;
};
bool prop_next(struct slice *rest, struct prop *ret);

/* Value of @key; @default_key is the one that a bare part stands for (NULL: none). */
bool prop_get(struct slice text, const char *key, const char *default_key, struct slice *ret);

/* "STORAGE:VOLNAME"; both parts point into @text. */
struct volid {
	struct slice storage, volname;
};
bool volid_parse(struct slice text, struct volid *ret);

/* Whether @id may name a storage: letters, digits, '-', '_' and '.', at least two characters. */
bool storage_id_valid(struct slice id);

/* A Proxmox boolean: 1 on yes true / 0 off no false, any case. */
bool prop_bool(struct slice text, bool *ret);

/* Next element of a list separated by blanks, ',' ';' or NUL, empty ones skipped. */
bool list_next(struct slice *rest, struct slice *ret);

/* %XX decoded onto the end of @ret; a '%' that no two hex digits follow stays. */
void percent_decode(struct slice text, struct buf *ret);
