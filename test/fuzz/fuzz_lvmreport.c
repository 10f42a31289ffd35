/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/lvmreport.h"

#include "dm/tablecmp.h"
#include "fuzz_pve.h"

static bool is_pv_of(const struct lvm_vg *vg, const struct lvm_pv *pv)
{
	for (size_t i = 0; i < vg->n_pvs; i++)
		if (pv == &vg->pvs[i])
			return true;
	return false;
}

static void check_lv(const struct lvm_vg *vg, const struct lvm_lv *lv)
{
	CLEANUP(segments_done) struct segments segs = {};
	CLEANUP(arena_done) struct arena a = {};

	CHECK(lv->vg == vg && strlen(lv->attr) >= 6 && strlen(lv->uuid) == LVM_ID_LEN);
	CHECK(strcmp(lvm_find_lv(vg, slice_of(lv->uuid))->uuid, lv->uuid) == 0);
	CHECK(!*lv->pool_uuid || strlen(lv->pool_uuid) == LVM_ID_LEN);
	(void)lvm_lv_is_changing(lv);
	(void)lvm_lv_has_tag(lv, "pve-vm-100");
	for (size_t i = 0; i < lv->n_segs; i++) {
		CHECK(i == 0 || lv->segs[i - 1].start <= lv->segs[i].start);
		for (size_t k = 0; k < lv->segs[i].n_areas; k++)
			CHECK(!lv->segs[i].areas[k].pv || is_pv_of(vg, lv->segs[i].areas[k].pv));
	}
	if (dm_table_expected(lv, &segs, &a))
		CHECK(segs.n && segs.n <= lv->n_segs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct lvm_report r = {};
	struct err e = {};

	if (lvmreport_parse(&r, (struct slice){ copy, n }, "input", &a, &e) < 0) {
		CHECK(*e.text);
		return 0;
	}
	for (size_t i = 0; i < r.n_vgs; i++) {
		const struct lvm_vg *vg = &r.vgs[i];

		CHECK(vg->extent_size && strlen(vg->uuid) == LVM_ID_LEN);
		CHECK(i == 0 || strcmp(vg[-1].uuid, vg->uuid) <= 0);
		CHECK(strcmp(lvm_find_vg(&r, slice_of(vg->uuid))->uuid, vg->uuid) == 0);
		(void)lvm_vg_doubt(vg);
		for (size_t k = 0; k < vg->n_lvs; k++)
			check_lv(vg, &vg->lvs[k]);
	}
	return 0;
}
