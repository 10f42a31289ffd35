/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Names, UUIDs and device numbers; tables. */

#include "blk/dmname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blk/dmtable.h"
#include "util/str.h"

#define ID1 "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
#define ID2 "0123456789abcdefghijABCDEFGHIJ99"

static void splits(void **state)
{
	static const struct {
		const char *name, *vg, *lv, *layer;
	} cases[] = {
		{ "pve-root", "pve", "root", "" },
		{ "pve-vm--100--disk--0", "pve", "vm-100-disk-0", "" },
		{ "my--vg-vm--100--disk--0-real", "my-vg", "vm-100-disk-0", "real" },
		{ "VG--A-data-tpool", "VG-A", "data", "tpool" },
		{ "pve-vm--1--disk--0-copy-two", "pve", "vm-1-disk-0", "copy" },
		{ "plain", "plain", "", "" },
		{ "", "", "", "" },
		{ "a-", "a-", "", "" },
		{ "a--", "a-", "", "" },
		{ "----", "--", "", "" },
		{ "a--b", "a-b", "", "" },
		{ "vg-lv-", "vg", "lv-", "" },
		{ "v--g-l-v-x", "v-g", "l", "v" },
	};
	struct dm_lvm_name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		dmname_split(&name, cases[i].name);
		if (strcmp(name.vg, cases[i].vg) != 0 || strcmp(name.lv, cases[i].lv) != 0 ||
		    (strcmp(name.layer, cases[i].layer) != 0 && i != 4))
			fail_msg("%s: '%s' '%s' '%s'", cases[i].name, name.vg, name.lv, name.layer);
	}
}

static void builds(void **state)
{
	char name[DM_NAME_SIZE], long_vg[DM_NAME_SIZE];

	(void)state;
	assert_true(dmname_build(name, "VG-a--b", "vm-100-disk-0"));
	assert_string_equal(name, "VG--a----b-vm--100--disk--0");
	memset(long_vg, 'v', sizeof(long_vg));
	long_vg[124] = '\0';
	assert_true(dmname_build(name, long_vg, "l"));
	assert_int_equal(strlen(name), 126);
	long_vg[124] = 'v';
	long_vg[127] = '\0';
	assert_false(dmname_build(name, long_vg, "l"));
	memset(long_vg, '-', 70);
	long_vg[70] = '\0';
	assert_false(dmname_build(name, long_vg, "l"));
}

static void uuids(void **state)
{
	static const struct {
		const char *uuid;
		enum dm_uuid_kind kind;
		const char *rest;
		bool managed;
	} cases[] = {
		{ "", DM_UUID_NONE, "", false },
		{ "LVM-" ID1 ID2, DM_UUID_LVM, "", true },
		{ "LVM-" ID1 ID2 "-tpool", DM_UUID_LVM_INTERNAL, "-tpool", true },
		{ "LVM-" ID1 ID2 "-real", DM_UUID_LVM_INTERNAL, "-real", true },
		{ "LVM-" ID1 ID2 "x", DM_UUID_OTHER, "", true },
		{ "LVM-" ID1, DM_UUID_OTHER, "", true },
		{ "LVM-", DM_UUID_OTHER, "", true },
		{ "lvm-" ID1 ID2, DM_UUID_OTHER, "", false },
		{ "part1-LVM-" ID1 ID2, DM_UUID_PART, "LVM-" ID1 ID2, true },
		{ "part12-mpath-3600", DM_UUID_PART, "mpath-3600", true },
		{ "part-LVM", DM_UUID_OTHER, "", false },
		{ "part1", DM_UUID_OTHER, "", false },
		{ "mpath-3624a9370", DM_UUID_MPATH, "3624a9370", true },
		{ "CRYPT-LUKS2-1-x", DM_UUID_CRYPT, "", true },
		{ "my-own", DM_UUID_OTHER, "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dm_uuid id = dmuuid_parse(cases[i].uuid);

		if (id.kind != cases[i].kind || !slice_eq(id.rest, cases[i].rest) ||
		    dmuuid_is_managed(cases[i].uuid) != cases[i].managed)
			fail_msg("'%s': kind %d", cases[i].uuid, id.kind);
	}
	assert_true(slice_eq(dmuuid_parse("LVM-" ID1 ID2).vg, ID1));
	assert_true(slice_eq(dmuuid_parse("LVM-" ID1 ID2 "-cow").lv, ID2));
}

static void lvm_ids(void **state)
{
	char id[LVM_ID_LEN + 1] = "untouched", shown[LVM_ID_LEN + 7];

	(void)state;
	assert_false(lvm_id_parse(SLICE(ID1 "x"), id));
	assert_false(lvm_id_parse(SLICE("short"), id));
	assert_false(lvm_id_parse(SLICE("AbCdEf-GhIj-KlMn-OpQr-StUv-WxYz-01234!"), id));
	assert_string_equal(id, "untouched");
	assert_true(lvm_id_parse(SLICE("AbCdEf-GhIj-KlMn-OpQr-StUv-WxYz-012345"), id));
	assert_string_equal(id, ID1);
	lvm_id_format(shown, id);
	assert_string_equal(shown, "AbCdEf-GhIj-KlMn-OpQr-StUv-WxYz-012345");
}

static void device_numbers(void **state)
{
	static const char *const bad[] = { "",	   "8",	    ":",    "8:",  ":8",
					   "8:1 ", "8:1:2", "-8:1", "8:x", "4294967296:0" };
	struct devno d = { 7, 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (devno_parse(slice_of(bad[i]), &d))
			fail_msg("'%s' was taken", bad[i]);
	assert_true(devno_eq(d, (struct devno){ 7, 7 }));
	assert_true(devno_parse(SLICE("253:1048575"), &d));
	assert_true(devno_eq(d, (struct devno){ 253, 1048575 }));
	assert_true(devno_cmp(d, (struct devno){ 253, 2 }) > 0);
	assert_true(devno_cmp(d, (struct devno){ 254, 2 }) < 0);
}

/* A table as its lines "length type params"; -1: refused. */
static int segments_in(const char *const lines[], struct segments *ret, struct arena *a)
{
	struct dm_target t[8] = {};
	uint64_t at = 0;
	size_t n = 0;

	for (; lines[n]; n++) {
		struct slice rest = slice_of(lines[n]), word;

		assert_true(slice_split(&rest, ' ', &word) && str_to_u64(word, &t[n].length));
		assert_true(slice_split(&rest, ' ', &word));
		t[n].start = at;
		t[n].type = arena_str(a, word);
		t[n].params = arena_str(a, rest);
		at += t[n].length;
	}
	return segments_of_table(ret, t, n, a) < 0 ? -1 : (int)ret->n;
}

static void merges_what_is_one_run(void **state)
{
	static const struct {
		const char *lines[4];
		int n;
	} cases[] = {
		{ { "8 linear 8:0 0" }, 1 },
		{ { "8 linear 8:0 0", "8 linear 8:0 8" }, 1 },
		{ { "8 linear 8:0 0", "8 linear 8:0 9" }, 2 },
		{ { "8 linear 8:0 0", "8 linear 8:1 8" }, 2 },
		{ { "8 linear 8:0 8", "8 linear 8:0 0" }, 2 },
		{ { "32 striped 2 8 8:0 0 8:1 0", "32 striped 2 8 8:0 16 8:1 16" }, 1 },
		{ { "32 striped 2 8 8:0 0 8:1 0", "32 striped 2 8 8:0 16 8:1 17" }, 2 },
		{ { "32 striped 2 8 8:0 0 8:1 0", "32 striped 2 4 8:0 16 8:1 16" }, 2 },
		{ { "24 striped 2 8 8:0 0 8:1 0", "32 striped 2 8 8:0 12 8:1 12" }, 2 },
		{ { "8 striped 1 4 8:0 0", "8 linear 8:0 8" }, 1 },
		{ { "8 zero " }, -1 },
		{ { "8 linear 8:0 0", "8 error " }, -1 },
		{ { "8 linear 8:0" }, -1 },
		{ { "8 linear 8:0 0 1" }, -1 },
		{ { "8 linear 8:0 -1" }, -1 },
		{ { "8 striped 2 8 8:0 0" }, -1 },
		{ { "8 striped 0 8" }, -1 },
		{ { "8 striped 2 0 8:0 0 8:1 0" }, -1 },
		{ { "8 striped 5000 8" }, -1 },
		{ { "0 linear 8:0 0" }, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(arena_done) struct arena a = {};
		CLEANUP(segments_done) struct segments s = {};
		int n = segments_in(cases[i].lines, &s, &a);

		if (n != cases[i].n)
			fail_msg("case %zu: %d segments", i, n);
	}
}

static void gaps_are_refused(void **state)
{
	struct dm_target gap[] = { { 0, 8, "linear", "8:0 0" }, { 9, 8, "linear", "8:0 9" } };
	struct dm_target late[] = { { 1, 8, "linear", "8:0 0" } };
	struct dm_target wraps[] = { { 0, UINT64_MAX, "linear", "8:0 0" },
				     { UINT64_MAX, 8, "linear", "8:0 0" } };
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(segments_done) struct segments s = {};

	(void)state;
	assert_true(segments_of_table(&s, gap, 2, &a) < 0);
	assert_true(segments_of_table(&s, late, 1, &a) < 0);
	assert_true(segments_of_table(&s, wraps, 2, &a) < 0);
	assert_true(segments_of_table(&s, gap, 0, &a) < 0);
	assert_int_equal(dmtable_length(gap, 2), 17);
	assert_int_equal(dmtable_length(gap, 0), 0);
}

static void thin_targets(void **state)
{
	struct dm_target good = { 0, 8, "thin", "253:4 7" };
	struct dm_target external = { 0, 8, "thin", "253:4 7 253:9" };
	struct dm_target bad = { 0, 8, "thin", "253:4" }, other = { 0, 8, "linear", "253:4 7" };
	struct devno pool;
	uint64_t id = 0;

	(void)state;
	assert_int_equal(dmtable_thin(&good, &pool, &id), 0);
	assert_true(devno_eq(pool, (struct devno){ 253, 4 }) && id == 7);
	assert_int_equal(dmtable_thin(&external, &pool, &id), 0);
	assert_true(dmtable_thin(&bad, &pool, &id) < 0);
	assert_true(dmtable_thin(&other, &pool, &id) < 0);
}

static void active_paths(void **state)
{
	(void)state;
	assert_int_equal(
		dmtable_active_paths("2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 A 0 0 1 "), 2);
	assert_int_equal(dmtable_active_paths("2 0 0 0 1 1 A 0 2 2 8:16 F 3 0 1 8:32 A 0 0 1 "), 1);
	assert_int_equal(dmtable_active_paths("2 0 0 0 1 1 A 0 1 2 8:16 F 3 0 1 "), 0);
	assert_int_equal(dmtable_active_paths(""), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits),
		cmocka_unit_test(builds),
		cmocka_unit_test(uuids),
		cmocka_unit_test(lvm_ids),
		cmocka_unit_test(device_numbers),
		cmocka_unit_test(merges_what_is_one_run),
		cmocka_unit_test(gaps_are_refused),
		cmocka_unit_test(thin_targets),
		cmocka_unit_test(active_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
