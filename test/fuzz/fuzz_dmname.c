/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmname.h"

#include "fuzz_pve.h"
#include "pve/volname.h"
#include "util/str.h"

/* What LVM itself allows: no hyphen in front, nothing empty. */
static bool may_be_name(const char *name)
{
	return *name && *name != '-';
}

static void check_pair(const char *vg, const char *lv)
{
	char name[DM_NAME_SIZE];
	struct dm_lvm_name back;

	if (!may_be_name(vg) || !may_be_name(lv) || !dmname_build(name, vg, lv))
		return;
	CHECK(strlen(name) < DM_NAME_SIZE);
	dmname_split(&back, name);
	CHECK(strcmp(back.vg, vg) == 0 && strcmp(back.lv, lv) == 0 && !*back.layer);
}

static void check_uuid(const char *text)
{
	struct dm_uuid id = dmuuid_parse(text);
	struct slice all = slice_of(text);

	CHECK((id.kind == DM_UUID_NONE) == !*text);
	if (id.kind == DM_UUID_LVM || id.kind == DM_UUID_LVM_INTERNAL) {
		CHECK(id.vg.n == LVM_ID_LEN && id.lv.n == LVM_ID_LEN);
		CHECK(lies_in(id.vg, all) && lies_in(id.lv, all) && dmuuid_is_managed(text));
		CHECK((all.n == 68) == (id.kind == DM_UUID_LVM));
	}
	if (id.rest.n)
		CHECK(lies_in(id.rest, all) && id.rest.n < all.n);
}

static void check_id(struct slice text)
{
	char id[LVM_ID_LEN + 1], again[LVM_ID_LEN + 1], shown[LVM_ID_LEN + 7];

	if (!lvm_id_parse(text, id))
		return;
	lvm_id_format(shown, id);
	CHECK(strlen(shown) == LVM_ID_LEN + 6);
	CHECK(lvm_id_parse(slice_of(shown), again) && strcmp(id, again) == 0);
}

static void check_snapshot(struct slice lv)
{
	struct slice volume, snap;
	size_t state = 0, n = 0;
	bool qcow2;

	while (volname_split_snap(lv, &state, &volume, &snap, &qcow2)) {
		CHECK(++n <= lv.n);
		CHECK(5 + volume.n + 1 + snap.n + (qcow2 ? 6 : 0) == lv.n);
		CHECK(lies_in(volume, lv) && lies_in(snap, lv));
	}
}

/* Two names, a NUL between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *text = xmalloc(n + 1);
	struct dm_lvm_name name;
	size_t first;

	if (n)
		memcpy(text, data, n);
	text[n] = '\0';
	first = strlen(text);
	dmname_split(&name, text);
	CHECK(strlen(name.vg) + strlen(name.lv) + strlen(name.layer) <= first);
	check_pair(text, first < n ? text + first + 1 : "lv");
	check_uuid(text);
	check_id((struct slice){ text, n });
	check_snapshot((struct slice){ text, n });
	if (volname_in_dm_name(text).kind != VOLNAME_NONE)
		CHECK(strstr(text, "--"));
	return 0;
}
