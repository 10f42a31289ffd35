/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1a", false, 0 },
		{ "0x10", false, 0 },
	};
	uint32_t small = 5;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 5;

		assert_int_equal(str_to_u64(slice_of(cases[i].text), &v), cases[i].good);
		assert_true(v == (cases[i].good ? cases[i].value : 5));
	}
	assert_true(str_to_u32(SLICE("4294967295"), &small));
	assert_int_equal(small, UINT32_MAX);
	assert_false(str_to_u32(SLICE("4294967296"), &small));
	assert_int_equal(small, UINT32_MAX);
}

static void hex_numbers(void **state)
{
	uint64_t v = 0;

	(void)state;
	assert_true(str_hex_to_u64(SLICE("fFfFfFfFfFfFfFfF"), &v));
	assert_true(v == UINT64_MAX);
	assert_false(str_hex_to_u64(SLICE("10000000000000000"), &v));
	assert_false(str_hex_to_u64(SLICE("0x1"), &v));
	assert_false(str_hex_to_u64(SLICE("g"), &v));
	assert_false(str_hex_to_u64(SLICE(""), &v));
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} cases[] = {
		{ "512", true, 512 },
		{ "4M", true, UINT64_C(4) << 20 },
		{ "1.5G", true, UINT64_C(3) << 29 },
		{ "2T", true, UINT64_C(2) << 40 },
		{ "8KiB", true, 8192 },
		{ "8KB", true, 8192 },
		{ "8B", true, 8 },
		{ "528K", true, 540672 },
		{ "0.5", true, 0 },
		{ "16777216T", false, 0 },
		{ "16777215T", true, UINT64_C(16777215) << 40 },
		{ "", false, 0 },
		{ "G", false, 0 },
		{ "B", false, 0 },
		{ ".5G", false, 0 },
		{ "1.G", false, 0 },
		{ "-1G", false, 0 },
		{ "1P", false, 0 },
		{ "1 G", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 0;

		if (str_to_size(slice_of(cases[i].text), &v) != cases[i].good ||
		    v != cases[i].value)
			fail_msg("'%s': %llu", cases[i].text, (unsigned long long)v);
	}
}

static void pieces(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = { { "", 0 }, { "a", 1 }, { "a,", 1 }, { ",", 1 }, { "a,b", 2 }, { ",,", 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice rest = slice_of(cases[i].text), piece;
		size_t n = 0;

		while (slice_split(&rest, ',', &piece))
			n++;
		assert_int_equal(n, cases[i].n);
	}
}

static void slices(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_trim(SLICE(" \t a b\r\n")), "a b"));
	assert_true(slice_eq(slice_rtrim(SLICE(" a ")), " a"));
	assert_true(slice_eq(slice_trim(SLICE(" \v\f ")), ""));
	assert_true(slice_starts(SLICE("abc"), "") && slice_starts(SLICE("abc"), "ab"));
	assert_false(slice_starts(SLICE("ab"), "abc"));
	assert_true(slice_ends(SLICE("abc"), "bc") && !slice_ends(SLICE("c"), "bc"));
	assert_int_equal(slice_from(SLICE("abc"), 9).n, 0);
	assert_int_equal(slice_find(SLICE("abc"), 'z'), 3);
	assert_int_equal(slice_find(SLICE(""), 'z'), 0);
	assert_true(slice_cmp(SLICE("a"), SLICE("ab")) < 0);
	assert_true(slice_cmp(SLICE("b"), SLICE("ab")) > 0);
	assert_int_equal(slice_cmp(SLICE("\xff"), SLICE("\xff")), 0);
	assert_true(slice_cmp(SLICE("\xff"), SLICE("a")) > 0);
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
		{ "a", 1 },
		{ "\xc3\xa4", 2 },
		{ "\xe2\x82\xac", 3 },
		{ "\xf0\x9f\x98\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },		   /* a continuation alone */
		{ "\xc0\xaf", 0 },	   /* overlong */
		{ "\xc1\xbf", 0 },	   /* overlong */
		{ "\xe0\x9f\xbf", 0 },	   /* overlong */
		{ "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
		{ "\xed\xa0\x80", 0 },	   /* a surrogate */
		{ "\xf4\x90\x80\x80", 0 }, /* past Unicode */
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "\xe2\x82", 0 }, /* cut */
		{ "\xe2\x28\xa1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (str_utf8_len(slice_of(cases[i].text)) != cases[i].len)
			fail_msg("case %zu", i);
	assert_int_equal(str_utf8_len(SLICE("")), 0);
	assert_true(str_utf8_valid(SLICE("")));
	assert_true(str_utf8_valid(SLICE("a\xc3\xa4\0b")));
	assert_false(str_utf8_valid(SLICE("a\xc3")));
}

static void widths(void **state)
{
	(void)state;
	assert_int_equal(str_width("abc"), 3);
	assert_int_equal(str_width("\xc3\xa4"), 1);
	assert_int_equal(str_width("a\xcc\x88"), 1);
	assert_int_equal(str_width("\xe6\xbc\xa2"), 2);
	assert_int_equal(str_width("\xff\xff"), 2);
}

static void printable(void **state)
{
	static const struct {
		struct slice text;
		size_t size;
		const char *shown;
	} cases[] = {
		{ SLICE("plain"), 64, "plain" },
		{ SLICE("a\nb\x1b[0m"), 64, "a\\x0ab\\x1b[0m" },
		{ SLICE("a\0b"), 64, "a\\x00b" },
		{ SLICE("\xff\xc3"), 64, "\\xff\\xc3" },
		{ SLICE("\xc3\xa4"), 64, "\xc3\xa4" },
		{ SLICE("x\xe2\x80\xaey"), 64, "x\\u{202e}y" },
		{ SLICE("\xc2\x9b"), 64, "\\u{9b}" },
		{ SLICE("\x7f"), 64, "\\x7f" },
		{ SLICE("abc"), 3, "ab" },
		{ SLICE("a\xc3\xa4"), 3, "a" },
		{ SLICE("ab\n"), 5, "ab" },
		{ SLICE("abc"), 1, "" },
	};
	char shown[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		str_printable(shown, cases[i].size, cases[i].text);
		assert_string_equal(shown, cases[i].shown);
	}
	shown[0] = 'x';
	str_printable(shown, 0, SLICE("abc"));
	assert_int_equal(shown[0], 'x');
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(hex_numbers), cmocka_unit_test(sizes),
		cmocka_unit_test(pieces),  cmocka_unit_test(slices),	  cmocka_unit_test(utf8),
		cmocka_unit_test(widths),  cmocka_unit_test(printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
