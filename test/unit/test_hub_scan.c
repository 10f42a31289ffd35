/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "util/json.h"

/* Reads all of it; the last kind. */
static enum scan_kind read_all(struct scan *s, struct slice text)
{
	enum scan_kind kind;

	scan_begin(s, text);
	do
		kind = scan_next(s);
	while (kind > SCAN_DONE);
	return kind;
}

static bool ours_accepts(struct slice text)
{
	struct scan s;

	return read_all(&s, text) == SCAN_DONE;
}

/* Also of one value that is neither object nor array, which json_parse() does not take. */
static bool theirs_accepts(struct slice text)
{
	json_t *doc = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool fine = doc != NULL;

	json_decref(doc);
	return fine;
}

/* What both must agree on; texts that RFC 8259 allows first. */
static const char *const good[] = {
	"{}",
	"[]",
	"null",
	"true",
	"false",
	"0",
	"-0",
	"-1",
	"12345",
	"\"\"",
	"\"a\"",
	" {} ",
	"\t\r\n[ ]\n",
	"{\"a\":1}",
	"{ \"a\" : 1 , \"b\" : [ ] }",
	"[1,2,3]",
	"[[],[[]],{}]",
	"[null,true,false]",
	"0.5",
	"-0.5",
	"1e5",
	"1E5",
	"1e+5",
	"1e-5",
	"1.25e10",
	"0e0",
	"0.0",
	"9223372036854775807",
	"-9223372036854775808",
	"1e308",
	"1.7976931348623157e308",
	"5e-324",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\u0041\"",
	"\"\\u00e4\\uFFFF\"",
	"\"\\ud83d\\ude00\"",
	"\"\xc3\xa4\"",
	"\"\xe2\x82\xac\"",
	"\"\xf0\x9f\x98\x80\"",
	"\"\xf4\x8f\xbf\xbf\"",
	"\"\x7f\"",
	"\"12345678\"",
	"\"123456789\"",
	"\"1234567\\n\"",
	"\"12345678\xc3\xa4\"",
	"{\"a\":{\"b\":{\"c\":[{\"d\":null}]}}}",
	"[\"]\"]",
	"[\"}\",\"{\"]",
	"{\"\":0}",
	"{\"a b\":\"\\u0020\"}",
	"[0,-0,0.10,1e1]",
	"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
};
static const char *const bad[] = {
	"",
	" ",
	"{",
	"}",
	"[",
	"]",
	"{]",
	"[}",
	"[1",
	"[1,",
	"[1,]",
	"[,1]",
	"[1 2]",
	"[1,,2]",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,\"a\":1}",
	"{\"a\" 1}",
	"{a:1}",
	"{'a':1}",
	"{1:1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":1,,\"b\":2}",
	"{\"a\"",
	"{\"a\":",
	"{\"a\":1",
	"nul",
	"nulL",
	"True",
	"tru",
	"truee",
	"NaN",
	"Infinity",
	"-Infinity",
	"-",
	"+1",
	"01",
	"-01",
	"00",
	"1.",
	".5",
	"-.5",
	"1.e5",
	"1e",
	"1e+",
	"1e-",
	"0x10",
	"1_000",
	"1,2",
	"1 2",
	"{} {}",
	"[] x",
	"\"",
	"\"a",
	"\"\\\"",
	"\"\\",
	"\"\\x41\"",
	"\"\\u\"",
	"\"\\u12\"",
	"\"\\u12g4\"",
	"\"\\u 123\"",
	"\"\\u+123\"",
	"\"\\ud800\"",
	"\"\\ud800x\"",
	"\"\\ud800\\n\"",
	"\"\\ud800\\u0041\"",
	"\"\\ud800\\ud800\"",
	"\"\\udc00\"",
	"\"\\udc00\\ud800\"",
	"\"\\ud83d\\ude0\"",
	"\"\t\"",
	"\"\n\"",
	"\"\x01\"",
	"\"\x1f\"",
	"\"1234567\x1f\"",
	"\"\x80\"",
	"\"\xc3\"",
	"\"\xc3(\"",
	"\"\xc0\xaf\"",
	"\"\xe2\x82\"",
	"\"\xe0\x80\x80\"",
	"\"\xed\xa0\x80\"",
	"\"\xf5\x80\x80\x80\"",
	"\"\xf4\x90\x80\x80\"",
	"\"\xff\"",
	"\xff",
	"\xef\xbb\xbf{}",
	"9223372036854775808",
	"-9223372036854775809",
	"99999999999999999999",
	"1e309",
	"-1e309",
	"1e99999",
	"/* */ 1",
	"// x\n1",
	"[1]//",
	"#",
	"\f1",
	"\v1",
	"\xc2\xa0[]",
};

static void same_as_jansson(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!ours_accepts(slice_of(good[i])) || !theirs_accepts(slice_of(good[i])))
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ours_accepts(slice_of(bad[i])) || theirs_accepts(slice_of(bad[i])))
			fail_msg("accepted: %s", bad[i]);
	}
}

/* A text that is cut anywhere is refused, as is one with a foreign byte put anywhere outside of its
 * strings' freedom: whatever is decided, it is what jansson decides. */
static void every_cut_and_every_byte(void **state)
{
	static const char text[] =
		"{\"a\\u00e4\":[1,-2.5e1,\"x\xc3\xa4\",true,null,{\"b\":false}]}";
	static const char bytes[] = { 0x01, '"', '\\', ',', ':',	'{',	    ']', '0',
				      'e',  '-', '.',  'u', (char)0x80, (char)0xc3, ' ' };
	size_t n = sizeof(text) - 1;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		CLEANUP_FREE char *copy = xmalloc(i ? i : 1);

		memcpy(copy, text, i);
		assert_false(ours_accepts((struct slice){ copy, i }));
		for (size_t k = 0; k < sizeof(bytes); k++) {
			char changed[sizeof(text)];
			struct slice s = { changed, n };

			memcpy(changed, text, sizeof(text));
			changed[i] = bytes[k];
			if (ours_accepts(s) != theirs_accepts(s))
				fail_msg("only one accepts: %s", changed);
		}
	}
}

/* Stricter than jansson: what a database behind us could not hold. */
static void what_nobody_can_hold(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "\"\\u0000\"", "a string holds a NUL" },
		{ "1e-400", "a number is past a double's range" },
		{ "-0.001e-330", "a number is past a double's range" },
		{ "0e-99999999", "a number is past a double's range" },
		{ "1e0000000001", "a number is past a double's range" },
	};
	char digits[400];
	struct scan s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_all(&s, slice_of(cases[i].text)), SCAN_FAULT);
		assert_string_equal(s.fault, cases[i].why);
	}
	memset(digits, '1', sizeof(digits));
	digits[1] = '.';
	assert_int_equal(read_all(&s, (struct slice){ digits, 300 }), SCAN_DONE);
	assert_int_equal(read_all(&s, (struct slice){ digits, 301 }), SCAN_FAULT);
	assert_true(s.limit);
}

static void depth_and_lengths(void **state)
{
	struct scan s;
	enum scan_kind kind;

	(void)state;
	scan_begin(&s, SLICE("[[[1]]]"));
	s.max_depth = 2;
	while ((kind = scan_next(&s)) > SCAN_DONE)
		;
	assert_int_equal(kind, SCAN_FAULT);
	assert_true(s.limit);
	assert_string_equal(s.fault, "too deep");
	assert_int_equal(scan_next(&s), SCAN_FAULT);

	scan_begin(&s, SLICE("{\"abc\": 1}"));
	s.max_string = 2;
	assert_int_equal(scan_next(&s), SCAN_OBJECT);
	assert_int_equal(scan_next(&s), SCAN_FAULT);
	assert_string_equal(s.fault, "a string is too long");
}

static void tokens_come_in_order(void **state)
{
	static const enum scan_kind kinds[] = { SCAN_OBJECT, SCAN_INT,	 SCAN_ARRAY, SCAN_REAL,
						SCAN_STRING, SCAN_CLOSE, SCAN_BOOL,  SCAN_NULL,
						SCAN_CLOSE,  SCAN_DONE,	 SCAN_DONE };
	struct scan s;

	(void)state;
	scan_begin(&s, SLICE("{\"a\":-17,\"b\":[1.5,\"x\\ty\"],\"c\":true,\"d\":null}"));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(scan_next(&s), kinds[i]);
		if (i == 1)
			assert_int_equal(s.integer, -17);
		if (i == 4)
			assert_true(s.escaped && s.text.n == 4);
		if (i == 6)
			assert_true(s.truth);
	}
}

static void paths(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{ "x", "$" },
		{ "[", "$" },
		{ "[x", "$[0]" },
		{ "[1,2,[3,x", "$[2][1]" },
		{ "{\"guests\":[{},{\"vmid\":x", "$.guests[1].vmid" },
		{ "{\"a b\":x", "$[\"a b\"]" },
		{ "{\"\":x", "$[\"\"]" },
		{ "{\"a\x7f\":{\"n\":x", "$[\"a\\x7f\"].n" },
		{ "{\"a\":1,x", "$" },
		{ "{\"a\":{\"b\":[]},\"c\":x", "$.c" },
	};
	char path[64];
	struct scan s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_all(&s, slice_of(cases[i].text)), SCAN_FAULT);
		scan_path(&s, s.depth, path, sizeof(path));
		assert_string_equal(path, cases[i].path);
	}
	scan_path(&s, s.depth, path, 3);
	assert_string_equal(path, "$.");
}

static void escapes_are_taken_away(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "a\\n\\t\\r\\b\\f\\\"\\\\\\/b", "a\n\t\r\b\f\"\\/b" },
		{ "\\u0041\\u00e4\\u20ac", "A\xc3\xa4\xe2\x82\xac" },
		{ "\\ud83d\\ude00!", "\xf0\x9f\x98\x80!" },
		{ "\xc3\xa4", "\xc3\xa4" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(scan_unescape(slice_of(cases[i].in), out, sizeof(out)));
		assert_string_equal(out, cases[i].out);
	}
	assert_true(scan_unescape(SLICE("abc"), out, 4));
	assert_false(scan_unescape(SLICE("abcd"), out, 4));
	assert_false(scan_unescape(SLICE("ab\\u00e4"), out, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_jansson),
		cmocka_unit_test(every_cut_and_every_byte),
		cmocka_unit_test(what_nobody_can_hold),
		cmocka_unit_test(depth_and_lengths),
		cmocka_unit_test(tokens_come_in_order),
		cmocka_unit_test(paths),
		cmocka_unit_test(escapes_are_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
