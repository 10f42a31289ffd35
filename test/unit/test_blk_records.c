/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What is read from text: the record of device-mapper, LVM's report, /sys. */

#include <errno.h>

#include "blk/dmrec.h"
#include "blk/lvmreport.h"
#include "node_fixture.h"
#include "util/str.h"

#define HEAD "# pvewarden.dm-record/1\n"

static void reads_devices(void **state)
{
	static const char text[] =
		HEAD "device 253:7 open 2 event 9 flags suspended,readonly,inactive,\n"
		     "name vg-b\nuuid LVM-x\ndeps 8:0 8:16\n"
		     "target 0 8 linear 8:0 0\ntarget 8 8 striped 2 8 8:0 0 8:16 0\n\n"
		     "device 253:2 open 0 event 0 flags -\nname a name with blanks\npaths 3";
	CLEANUP(arena_done) struct arena a = {};
	struct dm_set set;

	(void)state;
	assert_int_equal(dmrec_parse(&set, slice_of(text), "x", &a, NULL), 0);
	assert_int_equal(set.n, 2);
	assert_int_equal(set.items[0].dev.minor, 2);
	assert_string_equal(set.items[0].name, "a name with blanks");
	assert_string_equal(set.items[0].uuid, "");
	assert_int_equal(set.items[0].active_paths, 3);
	assert_false(set.items[0].suspended);
	assert_true(set.items[1].suspended && set.items[1].read_only &&
		    set.items[1].inactive_table);
	assert_int_equal(set.items[1].open_count, 2);
	assert_int_equal(set.items[1].event_nr, 9);
	assert_int_equal(set.items[1].n_deps, 2);
	assert_int_equal(set.items[1].n_targets, 2);
	assert_string_equal(set.items[1].targets[1].params, "2 8 8:0 0 8:16 0");
	assert_ptr_equal(dm_set_find(&set, (struct devno){ 253, 7 }), &set.items[1]);
	assert_null(dm_set_find(&set, (struct devno){ 253, 3 }));
}

static void says_which_line_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "empty" },
		{ "device 253:7 open 2 event 9 flags -\n", "line 1" },
		{ HEAD "name x\n", "line 2" },
		{ HEAD "device 253 open 2 event 9 flags -\n", "line 2" },
		{ HEAD "device 253:1 opened 2 event 9 flags -\n", "line 2" },
		{ HEAD "device 253:1 open 2 event 9 flags\n", "line 2" },
		{ HEAD "device 253:1 open 2 event 9 flags -\nname x\ncolour red\n", "line 4" },
		{ HEAD "device 253:1 open 2 event 9 flags -\ndeps 8\n", "line 3" },
		{ HEAD "device 253:1 open 2 event 9 flags -\ntarget 0 x linear\n", "line 3" },
		{ HEAD "device 253:1 open 2 event 9 flags -\npaths\n", "line 3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct dm_set set = {};
		struct err e = {};

		assert_int_equal(dmrec_parse(&set, slice_of(cases[i].text), "dm.txt", &a, &e),
				 -EBADMSG);
		if (!strstr(e.text, cases[i].says) || !strstr(e.text, "dm.txt"))
			fail_msg("case %zu: %s", i, e.text);
	}
}

static void no_devices_is_no_error(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf out = {};
	struct dm_set set;

	(void)state;
	assert_int_equal(dmrec_parse(&set, SLICE(HEAD), "x", &a, NULL), 0);
	assert_int_equal(set.n, 0);
	dmrec_write(&set, &out);
	assert_string_equal(out.data, HEAD);
}

#define VG_ROW                                                                                \
	"\"vg\":[{\"vg_name\":\"vg\",\"vg_uuid\":\"AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA\"," \
	"\"vg_seqno\":\"5\",\"vg_extent_size\":\"4194304\",\"vg_exported\":\"\","             \
	"\"vg_lock_type\":\"\",\"vg_systemid\":\"\",\"vg_missing_pv_count\":\"0\","           \
	"\"vg_autoactivation\":\"enabled\"}]"
#define PV_ROW                                                                                \
	"{\"pv_name\":\"/dev/sda3\",\"pv_uuid\":\"PPPPPP-PPPP-PPPP-PPPP-PPPP-PPPP-PPPPPP\","  \
	"\"pv_major\":\"8\",\"pv_minor\":\"3\",\"pe_start\":\"1048576\",\"pv_missing\":\"\"," \
	"\"pv_duplicate\":\"\"}"
#define LV_ROW(name, id, attr)                                                       \
	"{\"lv_name\":\"" name "\",\"lv_uuid\":\"" id "\",\"lv_attr\":\"" attr "\"," \
	"\"lv_size\":\"16777216\",\"lv_tags\":\"a,pve-vm-100\","                     \
	"\"lv_time\":\"2026-11-21 04:04:04 +0000\",\"pool_lv_uuid\":\"\"}"
#define SEG_ROW(id, start, ranges)                                                    \
	"{\"lv_uuid\":\"" id "\",\"segtype\":\"linear\",\"seg_start\":\"" start "\"," \
	"\"seg_size\":\"8388608\",\"stripe_size\":\"0\",\"thin_id\":\"\","            \
	"\"seg_le_ranges\":\"" ranges "\"}"
#define L1 "LLLLLL-LLLL-LLLL-LLLL-LLLL-LLLL-LLLLL1"
#define L2 "LLLLLL-LLLL-LLLL-LLLL-LLLL-LLLL-LLLLL2"
#define REPORT(vg, pv, lv, seg) \
	"{\"report\":[{" vg ",\"pv\":[" pv "],\"lv\":[" lv "],\"pvseg\":[],\"seg\":[" seg "]}]}"

/* The device that LVM did not choose of two stands in an element without a VG: doubt on the VG. */
static void duplicates_outside_a_group(void **state)
{
	static const char other[] =
		"{\"report\":[{" VG_ROW ",\"pv\":[" PV_ROW "],\"lv\":[],\"pvseg\":[],\"seg\":[]},"
		"{\"vg\":[],\"pv\":[{\"pv_name\":\"/dev/sdz3\","
		"\"pv_uuid\":\"PPPPPP-PPPP-PPPP-PPPP-PPPP-PPPP-PPPPPP\","
		"\"pv_duplicate\":\"duplicate\"}],\"lv\":[],\"pvseg\":[],\"seg\":[]}]}";
	CLEANUP(arena_done) struct arena a = {};
	struct lvm_report r;

	(void)state;
	assert_int_equal(lvmreport_parse(&r, slice_of(other), "x", &a, NULL), 0);
	assert_int_equal(r.n_vgs, 1);
	assert_non_null(lvm_vg_doubt(&r.vgs[0]));
}

static void reads_reports(void **state)
{
	static const char text[] = REPORT(
		VG_ROW, PV_ROW,
		LV_ROW("vm-100-disk-0", L2, "-wi-XX----") "," LV_ROW("[pool_tdata]", L1,
								     "Twi-XX----"),
		SEG_ROW(L2, "8388608", "/dev/sda3:51-54") "," SEG_ROW(
			L1, "0", "[x]:0-3 /dev/sdz:4-7") "," SEG_ROW(L2, "0", "/dev/sda3:8-11"));
	CLEANUP(arena_done) struct arena a = {};
	struct lvm_report r;
	struct err e = {};
	const struct lvm_vg *vg;
	const struct lvm_lv *lv;

	(void)state;
	if (lvmreport_parse(&r, slice_of(text), "x", &a, &e) < 0)
		fail_msg("%s", e.text);
	vg = lvm_find_vg(&r, SLICE("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
	assert_non_null(vg);
	assert_null(lvm_find_vg(&r, SLICE("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
	assert_null(lvm_find_vg(&r, SLICE("short")));
	assert_int_equal(vg->extent_size, 4194304);
	assert_true(vg->autoactivation && !vg->exported);
	assert_null(lvm_vg_doubt(vg));
	lv = lvm_find_lv(vg, SLICE("LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL2"));
	assert_string_equal(lv->name, "vm-100-disk-0");
	assert_int_equal(lv->created, 1795233844);
	assert_int_equal(lv->n_segs, 2);
	assert_int_equal(lv->segs[0].start, 0);
	assert_int_equal(lv->segs[0].areas[0].first_extent, 8);
	assert_int_equal(lv->segs[1].areas[0].first_extent, 51);
	assert_ptr_equal(lv->segs[1].areas[0].pv, &vg->pvs[0]);
	assert_true(lvm_lv_has_tag(lv, "pve-vm-100") && !lvm_lv_has_tag(lv, "pve-vm-10"));
	lv = lvm_find_lv(vg, SLICE("LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL1"));
	assert_true(lv->internal);
	assert_string_equal(lv->name, "pool_tdata");
	assert_int_equal(lv->segs[0].n_areas, 2);
	assert_null(lv->segs[0].areas[0].pv);
	assert_null(lv->segs[0].areas[1].pv);
}

/* A report that is not whole must not pass for one: what it lacks would look deleted. */
static void refuses_reports(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"report\":{}}",
		"{\"report\":[{" VG_ROW "}]}",
		"{\"report\":[{" VG_ROW ",\"pv\":[],\"lv\":[]}]}",
		REPORT(VG_ROW, "{}", "", ""),
		REPORT(VG_ROW, PV_ROW, "{}", ""),
		REPORT(VG_ROW, PV_ROW, LV_ROW("a", "short", "-wi-XX----"), ""),
		REPORT(VG_ROW, PV_ROW, LV_ROW("a", L1, "-wi"), ""),
		REPORT(VG_ROW, PV_ROW, "", SEG_ROW(L1, "0", "")),
		REPORT(VG_ROW, PV_ROW, LV_ROW("a", L1, "-wi-XX----"), SEG_ROW(L1, "x", "")),
		REPORT("\"vg\":[{\"vg_name\":\"vg\",\"vg_uuid\":"
		       "\"AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAAAA\"}]",
		       PV_ROW, "", ""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct lvm_report r = {};
		struct err e = {};

		if (lvmreport_parse(&r, slice_of(bad[i]), "lvm.json", &a, &e) != -EBADMSG)
			fail_msg("case %zu was taken", i);
		assert_non_null(strstr(e.text, "lvm.json"));
	}
}

static void orphan_pvs_are_no_group(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct lvm_report r;

	(void)state;
	assert_int_equal(
		lvmreport_parse(&r,
				SLICE("{\"report\":[{\"vg\":[],\"pv\":[" PV_ROW
				      "],\"lv\":[],\"seg\":[]},{\"vg\":[{\"vg_uuid\":\"\"}]}]}"),
				"x", &a, NULL),
		0);
	assert_int_equal(r.n_vgs, 0);
}

static void changing_volumes(void **state)
{
	static const struct {
		const char *attr;
		bool changing;
	} cases[] = { { "-wi-ao----", false }, { "-wI-ao----", true },	{ "pwi-ao----", true },
		      { "cwi-ao----", true },  { "Owi-ao----", true },	{ "Swi-ao----", true },
		      { "owi-ao----", false }, { "swi-ao----", false }, { "Vwi-aotz--", false },
		      { "rwc-ao----", false }, { "mwC-ao----", true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lvm_lv lv = { .attr = cases[i].attr };

		assert_int_equal(lvm_lv_is_changing(&lv), cases[i].changing);
	}
}

static void attribute(const struct tree *t, const char *dev, const char *name, const char *value)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "sys/devices/%s/%s", dev, name);
	tree_write(t, path, value);
}

static void device(const struct tree *t, const char *folder, const char *name, const char *dev,
		   const char *state)
{
	char path[256], target[256];

	attribute(t, folder, "dev", dev);
	attribute(t, folder, "size", "2048\n");
	if (state)
		attribute(t, folder, "device/state", state);
	(void)snprintf(path, sizeof(path), "sys/class/block/%s", name);
	(void)snprintf(target, sizeof(target), "../../devices/%s", folder);
	tree_link(t, path, target);
}

static const char *ill(const struct sysblk *s, uint32_t major, uint32_t minor)
{
	const struct sysblk_dev *d = sysblk_find(s, (struct devno){ major, minor });

	assert_non_null(d);
	return d->ill;
}

static void sys_make(struct tree *t)
{
	tree_make(t);
	device(t, "sda", "sda", "8:0\n", "running\n");
	device(t, "sda/sda1", "sda1", "8:1\n", NULL);
	attribute(t, "sda/sda1", "partition", "1\n");
	attribute(t, "sda/sda1", "start", "2048\n");
	device(t, "sdb", "sdb", "8:16\n", "offline\n");
	device(t, "sdb/sdb1", "sdb1", "8:17\n", NULL);
	attribute(t, "sdb/sdb1", "partition", "1\n");
	attribute(t, "sdb/sdb1", "start", "2048\n");
	device(t, "nvme0n1", "nvme0n1", "259:0\n", "live\n");
	device(t, "nvme1n1", "nvme1n1", "259:1\n", "deleting\n");
	device(t, "md0", "md0", "9:0\n", NULL);
	attribute(t, "md0", "md/array_state", "active\n");
	tree_link(t, "sys/devices/md0/slaves/sda1", "../../sda/sda1");
	device(t, "md1", "md1", "9:1\n", NULL);
	attribute(t, "md1", "md/array_state", "inactive\n");
	device(t, "cciss", "cciss!c0d0", "104:0\n", NULL);
	device(t, "zd0", "zd0", "230:0\n", NULL);
	device(t, "dm-0", "dm-0", "253:0\n", NULL);
	device(t, "sdc", "sdc", "8:32\n", "running\n");
	attribute(t, "sdc", "size", "0\n");
	device(t, "sdd", "sdd", "nonsense\n", "running\n");
}

static void reads_sys(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(sysblk_done) struct sysblk s = {};
	const struct sysblk_dev *part;
	struct tree t;

	(void)state;
	sys_make(&t);
	assert_int_equal(sysblk_read(&s, &t.root, &a, NULL), 0);
	assert_int_equal(s.n, 9);
	assert_null(ill(&s, 8, 0));
	assert_null(ill(&s, 8, 1));
	assert_non_null(ill(&s, 8, 16));
	assert_non_null(ill(&s, 8, 17)); /* as its disk */
	assert_null(ill(&s, 259, 0));
	assert_non_null(ill(&s, 259, 1));
	assert_null(ill(&s, 9, 0));
	assert_non_null(ill(&s, 9, 1));
	part = sysblk_find(&s, (struct devno){ 8, 1 });
	assert_true(part->partition && part->component && part->start == 2048);
	assert_true(devno_eq(part->whole, (struct devno){ 8, 0 }));
	assert_string_equal(sysblk_find(&s, (struct devno){ 104, 0 })->name, "cciss/c0d0");
	assert_null(sysblk_find(&s, (struct devno){ 230, 0 }));
	assert_null(sysblk_find(&s, (struct devno){ 253, 0 }));
	assert_null(sysblk_find(&s, (struct devno){ 8, 32 }));
	tree_done(&t);
}

static void no_sys_on_a_recorded_node(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct sysblk s = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	assert_int_equal(sysblk_read(&s, &t.root, &a, NULL), 0);
	assert_int_equal(s.n, 0);
	tree_done(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_devices),
		cmocka_unit_test(says_which_line_is_wrong),
		cmocka_unit_test(no_devices_is_no_error),
		cmocka_unit_test(reads_reports),
		cmocka_unit_test(duplicates_outside_a_group),
		cmocka_unit_test(refuses_reports),
		cmocka_unit_test(orphan_pvs_are_no_group),
		cmocka_unit_test(changing_volumes),
		cmocka_unit_test(reads_sys),
		cmocka_unit_test(no_sys_on_a_recorded_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
