/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmname.h"

#include <ctype.h>

#include "util/str.h"

/* Undoes the doubling of hyphens up to the single one that ends this part; returns what follows. A
 * hyphen at the very end belongs to the part. */
static const char *unquote(char *ret, const char *from)
{
	size_t n = 0;

	while (*from && n < DM_NAME_SIZE - 1) {
		if (from[0] == '-' && from[1] == '-')
			from++;
		else if (from[0] == '-' && from[1] != '\0') {
			from++;
			break;
		}
		ret[n++] = *from++;
	}
	ret[n] = '\0';
	return from;
}

void dmname_split(struct dm_lvm_name *ret, const char *name)
{
	name = unquote(ret->vg, name);
	name = unquote(ret->lv, name);
	(void)unquote(ret->layer, name);
}

static bool quote(char **at, const char *end, const char *from)
{
	for (; *from; from++) {
		if (*at + 2 >= end)
			return false;
		if (*from == '-')
			*(*at)++ = '-';
		*(*at)++ = *from;
	}
	return true;
}

bool dmname_build(char ret[DM_NAME_SIZE], const char *vg, const char *lv)
{
	char *at = ret, *end = ret + DM_NAME_SIZE;

	if (!quote(&at, end, vg) || at + 1 >= end)
		return false;
	*at++ = '-';
	if (!quote(&at, end, lv))
		return false;
	*at = '\0';
	return true;
}

static bool is_lvm_id(const char *s)
{
	for (size_t i = 0; i < LVM_ID_LEN; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return true;
}

static bool parse_lvm(const char *uuid, struct dm_uuid *ret)
{
	const char *ids = uuid + 4;

	if (strncmp(uuid, "LVM-", 4) != 0 || !is_lvm_id(ids) || !is_lvm_id(ids + LVM_ID_LEN))
		return false;
	ret->vg = (struct slice){ ids, LVM_ID_LEN };
	ret->lv = (struct slice){ ids + LVM_ID_LEN, LVM_ID_LEN };
	ret->rest = slice_of(ids + 2 * (size_t)LVM_ID_LEN);
	if (slice_empty(ret->rest))
		ret->kind = DM_UUID_LVM;
	else if (ret->rest.p[0] == '-')
		ret->kind = DM_UUID_LVM_INTERNAL;
	else
		return false;
	return true;
}

static bool parse_part(const char *uuid, struct dm_uuid *ret)
{
	const char *at = uuid + 4;

	if (strncmp(uuid, "part", 4) != 0 || !isdigit((unsigned char)*at))
		return false;
	while (isdigit((unsigned char)*at))
		at++;
	if (*at != '-')
		return false;
	ret->kind = DM_UUID_PART;
	ret->rest = slice_of(at + 1);
	return true;
}

struct dm_uuid dmuuid_parse(const char *uuid)
{
	struct dm_uuid ret = { .kind = DM_UUID_NONE };

	if (!*uuid)
		return ret;
	if (parse_lvm(uuid, &ret) || parse_part(uuid, &ret))
		return ret;
	ret = (struct dm_uuid){ .kind = DM_UUID_OTHER };
	if (strncmp(uuid, "mpath-", 6) == 0) {
		ret.kind = DM_UUID_MPATH;
		ret.rest = slice_of(uuid + 6);
	} else if (strncmp(uuid, "CRYPT-", 6) == 0) {
		ret.kind = DM_UUID_CRYPT;
	}
	return ret;
}

bool dmuuid_is_managed(const char *uuid)
{
	/* Kernel documentation asks subsystems to begin their UUIDs with their name and a hyphen.
	 */
	static const char *const subsystems[] = { "LVM-",	"mpath-",   "CRYPT-",  "DMRAID-",
						  "VDO-",	"stratis-", "STRATIS", "SUBSYSTEM-",
						  "INTEGRITY-", "BCACHE-",  "SNAPPER-" };
	struct dm_uuid id = dmuuid_parse(uuid);

	if (id.kind == DM_UUID_PART)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++)
		if (strncmp(uuid, subsystems[i], strlen(subsystems[i])) == 0)
			return true;
	return false;
}

bool lvm_id_parse(struct slice text, char ret[LVM_ID_LEN + 1])
{
	char id[LVM_ID_LEN + 1];
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '-')
			continue;
		if (n == LVM_ID_LEN || !isalnum((unsigned char)text.p[i]))
			return false;
		id[n++] = text.p[i];
	}
	if (n != LVM_ID_LEN)
		return false;
	id[n] = '\0';
	memcpy(ret, id, sizeof(id));
	return true;
}

void lvm_id_format(char ret[LVM_ID_LEN + 7], const char id[LVM_ID_LEN + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < LVM_ID_LEN; i++) {
		if (i >= 6 && i <= 26 && (i - 6) % 4 == 0)
			ret[n++] = '-';
		ret[n++] = id[i];
	}
	ret[n] = '\0';
}
