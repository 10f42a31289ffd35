/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/prop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/str.h"

static void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.n, strlen(expected));
	assert_memory_equal(s.p, expected, s.n);
}

static void splits_property_strings(void **state)
{
	static const struct {
		const char *text, *parts;
	} cases[] = {
		{ "lvm:vm-1-disk-0,size=4G,ro", "|lvm:vm-1-disk-0/size|4G/|ro/" },
		{ "", "" },
		{ ",, ,\t,", "" },
		{ "a=b=c", "a|b=c/" },
		{ "a=", "a|/" },
		{ "=x", "|=x/" },
		{ " a=1, b=2", " a|1/ b|2/" },
		{ "x,", "|x/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf got = {};
		struct slice rest = slice_of(cases[i].text);
		struct prop p;

		while (prop_next(&rest, &p))
			buf_addf(&got, SLICE_FMT "|" SLICE_FMT "/", SLICE_ARG(p.key),
				 SLICE_ARG(p.value));
		assert_string_equal(buf_str(&got), cases[i].parts);
	}
}

static void finds_a_property(void **state)
{
	struct slice v;

	(void)state;
	assert_true(prop_get(SLICE("lvm:a,size=4G"), "size", "file", &v));
	assert_slice(v, "4G");
	assert_true(prop_get(SLICE("size=4G,lvm:a"), "file", "file", &v));
	assert_slice(v, "lvm:a");
	assert_true(prop_get(SLICE("file=lvm:b,size=4G"), "file", "file", &v));
	assert_slice(v, "lvm:b");
	assert_false(prop_get(SLICE("lvm:a,size=4G"), "file", NULL, &v));
	assert_false(prop_get(SLICE("lvm:a,size=4G"), "media", "file", &v));
	assert_false(prop_get(SLICE(""), "file", "file", &v));
}

static void parses_volume_ids(void **state)
{
	static const struct {
		const char *text, *storage, *volname;
	} cases[] = {
		{ "local-lvm:vm-100-disk-0", "local-lvm", "vm-100-disk-0" },
		{ "local:100/base.qcow2", "local", "100/base.qcow2" },
		{ "st:a:b", "st", "a:b" },
		{ "A.b_c-9:x", "A.b_c-9", "x" },
	};
	static const char *const bad[] = { "",	   ":",	    "a:b",   "local:", "local", "9a:b",
					   "-a:b", "ab-:c", "a b:c", "/dev/x", ":x",	"ab_:x" };
	struct volid v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(volid_parse(slice_of(cases[i].text), &v));
		assert_slice(v.storage, cases[i].storage);
		assert_slice(v.volname, cases[i].volname);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(volid_parse(slice_of(bad[i]), &v));
}

static void reads_booleans(void **state)
{
	static const char *const yes[] = { "1", "on", "yes", "true", "On", "YES" };
	static const char *const no[] = { "0", "off", "no", "false", "FALSE" };
	static const char *const bad[] = { "", "2", "y", "10", "truee", " 1" };
	bool b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		assert_true(prop_bool(slice_of(yes[i]), &b));
		assert_true(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		b = true;
		assert_true(prop_bool(slice_of(no[i]), &b));
		assert_false(b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(prop_bool(slice_of(bad[i]), &b));
}

static void walks_lists(void **state)
{
	struct slice rest = { " a,b;;c\0d \n", 11 }, one;
	CLEANUP(buf_done) struct buf got = {};

	(void)state;
	while (list_next(&rest, &one))
		buf_addf(&got, SLICE_FMT "|", SLICE_ARG(one));
	assert_string_equal(buf_str(&got), "a|b|c|d|");
}

static void decodes_percent(void **state)
{
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{ "a%3Ab%0A", "a:b\n" },  { "100%", "100%" }, { "%zz%4", "%zz%4" },
		{ "%C3%A4", "\xc3\xa4" }, { "%%41", "%A" },   { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf got = {};

		percent_decode(slice_of(cases[i].text), &got);
		assert_string_equal(buf_str(&got), cases[i].decoded);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_property_strings),
		cmocka_unit_test(finds_a_property),
		cmocka_unit_test(parses_volume_ids),
		cmocka_unit_test(reads_booleans),
		cmocka_unit_test(walks_lists),
		cmocka_unit_test(decodes_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
