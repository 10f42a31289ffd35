/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/volname.h"

#include "util/str.h"

#include <ctype.h>

/* Digits at the start of @s as a VMID, with @separator behind them. */
static bool vmid_before(struct slice s, const char *separator, uint32_t *ret)
{
	size_t n = 0;

	while (n < s.n && isdigit((unsigned char)s.p[n]))
		n++;
	return str_to_u32((struct slice){ s.p, n }, ret) &&
	       slice_starts(slice_from(s, n), separator) &&
	       slice_from(s, n + strlen(separator)).n > 0;
}

struct volname volname_parse(struct slice lv)
{
	static const struct {
		const char *prefix;
		enum volname_kind kind;
	} forms[] = {
		{ "vm-", VOLNAME_VM },	      { "base-", VOLNAME_BASE },
		{ "snap_vm-", VOLNAME_SNAP }, { "snap_base-", VOLNAME_SNAP },
		{ "del-vm-", VOLNAME_DEL },   { "del-base-", VOLNAME_DEL },
	};
	struct volname ret = {};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (!slice_starts(lv, forms[i].prefix) ||
		    !vmid_before(slice_from(lv, strlen(forms[i].prefix)), "-", &ret.vmid))
			continue;
		ret.kind = forms[i].kind;
		return ret;
	}
	return (struct volname){};
}

bool volname_is_guests(const char *lv)
{
	return volname_parse(slice_of(lv)).kind != VOLNAME_NONE;
}

struct volname volname_in_dm_name(const char *dm_name)
{
	struct slice name = slice_of(dm_name);

	for (size_t i = 0; i < name.n; i++) {
		struct slice at = slice_from(name, i);
		struct volname ret = {};
		size_t skip;

		/* Only where a part or a word begins: "xvm--1--" is somebody's own name. */
		if (i > 0 && name.p[i - 1] != '-' && name.p[i - 1] != '_')
			continue;
		if (slice_starts(at, "vm--")) {
			ret.kind = VOLNAME_VM;
			skip = 4;
		} else if (slice_starts(at, "base--")) {
			ret.kind = VOLNAME_BASE;
			skip = 6;
		} else {
			continue;
		}
		if (vmid_before(slice_from(at, skip), "--", &ret.vmid))
			return ret;
	}
	return (struct volname){};
}

bool volname_split_snap(struct slice lv, size_t *state, struct slice *ret_volume,
			struct slice *ret_snap, bool *ret_qcow2)
{
	struct slice body = slice_from(lv, 5);
	size_t at;

	if (!slice_starts(lv, "snap_"))
		return false;
	*ret_qcow2 = slice_ends(body, ".qcow2");
	if (*ret_qcow2)
		body.n -= 6;
	at = *state + slice_find(slice_from(body, *state), '_');
	if (at >= body.n)
		return false;
	*ret_volume = (struct slice){ body.p, at };
	*ret_snap = slice_from(body, at + 1);
	*state = at + 1;
	return true;
}
