/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Memory, buffers, time, tables, JSON. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/arena.h"
#include "util/clock.h"
#include "util/diag.h"
#include "util/err.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"
#include "util/table.h"

static void arrays_grow(void **state)
{
	VEC(uint32_t) list = {};

	(void)state;
	vec_each (x, &list)
		fail_msg("an empty list has %u", *x);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t *x = vec_push(&list);

		assert_int_equal(*x, 0);
		*x = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(list.items[i], i);
	vec_free(&list);
	assert_null(list.items);
}

static void ownership(void **state)
{
	CLEANUP_FREE char *p = xstrdup("x");
	char *taken = take_ptr(p);
	int fd = 7;

	(void)state;
	assert_null(p);
	assert_int_equal(take_fd(&fd), 7);
	assert_int_equal(fd, -1);
	free(taken);
}

static void arenas(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	char *text;

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		size_t size = i * 37 % 40000;
		unsigned char *p = arena_alloc(&a, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k += 97)
			assert_int_equal(p[k], 0);
		if (size)
			memset(p, 0xff, size);
		text = arena_strndup(&a, "abc", i % 4);
		assert_int_equal(strlen(text), i % 4);
	}
	text = arena_str(&a, SLICE("a\0b"));
	assert_memory_equal(text, "a\0b", 4);
	assert_string_equal(arena_fmt(&a, "%d-%s", 7, "x"), "7-x");
	assert_string_equal(arena_fmt(&a, "%s", ""), "");
}

static void buffers(void **state)
{
	CLEANUP(buf_done) struct buf b = {};

	(void)state;
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_slice(&b).n, 0);
	buf_reset(&b);
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 10000);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_add(&b, "a\0b", 3);
	buf_addc(&b, '\0');
	buf_adds(&b, "c");
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "a\0b\0c", 6);
	buf_addf(&b, "%s", "");
	assert_int_equal(b.len, 5);
}

static void errors(void **state)
{
	struct err e = {};
	char text[2000];

	(void)state;
	assert_int_equal(err_set(&e, -5, "no %s", "disk"), -5);
	assert_string_equal(e.text, "no disk");
	assert_int_equal(err_wrap(&e, -5, "reading %d", 7), -5);
	assert_string_equal(e.text, "reading 7: no disk");
	assert_int_equal(err_set(NULL, -5, "x"), -5);
	assert_int_equal(err_wrap(NULL, -5, "x"), -5);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&e, -1, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	(void)err_wrap(&e, -1, "%s", text);
	assert_true(strlen(e.text) < sizeof(e.text));
	assert_int_equal(e.text[0], 'x');
}

static void diagnostics_are_bounded(void **state)
{
	CLEANUP(arena_done) struct arena a = {};
	struct diags d = { .arena = &a };

	(void)state;
	for (unsigned int i = 0; i < DIAGS_MAX + 10; i++)
		diag_add(&d, "f", i, "line %u", i);
	assert_int_equal(d.n, DIAGS_MAX);
	assert_int_equal(d.dropped, 10);
	assert_string_equal(d.items[3].text, "line 3");
	diags_done(&d);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "2026-11-21T04:04:04Z", true, 1795233844 },
		{ "2026-11-21 04:04:04 +0000", true, 1795233844 },
		{ "2026-11-21 05:04:04 +0100", true, 1795233844 },
		{ "2026-11-21 00:34:04 -0330", true, 1795233844 },
		{ "2024-02-29T00:00:00Z", true, 1709164800 },
		{ "", false, 0 },
		{ "2026-11-21", false, 0 },
		{ "2026-11-21T04:04:04", false, 0 },
		{ "2026-11-21T04:04:04+01:00", false, 0 },
		{ "2026-11-21T04:04:04ZZ", false, 0 },
		{ "2026x11-21T04:04:04Z", false, 0 },
		{ "2026-11-21x04:04:04Z", false, 0 },
		{ "2026-13-21T04:04:04Z", false, 0 },
		{ "2026-00-21T04:04:04Z", false, 0 },
		{ "2026-11-99T04:04:04Z", false, 0 },
		{ "2026-11-21T24:04:04Z", false, 0 },
		{ "-026-11-21T04:04:04Z", false, 0 },
		{ "2026-11-21 04:04:04 +010", false, 0 },
	};
	char text[CLOCK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t t = 0;

		if (clock_parse(slice_of(cases[i].text), &t) != cases[i].good ||
		    t != cases[i].value)
			fail_msg("'%s': %lld", cases[i].text, (long long)t);
	}
	assert_string_equal(clock_rfc3339(1795233844, text), "2026-11-21T04:04:04Z");
	assert_true(strlen(clock_rfc3339(INT64_MAX, text)) > 0);
	assert_true(strlen(clock_rfc3339(INT64_MIN, text)) > 0);
	assert_true(clock_boot_ms() > 0 && clock_now() > 1700000000);
}

static void durations(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = { { 0, "0s" },	  { -5, "0s" },	  { 59, "59s" },  { 60, "1m" },
		      { 310, "5m10s" },	  { 3600, "1h" }, { 3659, "1h" }, { 3660, "1h1m" },
		      { 273600, "3d4h" }, { 86400, "1d" } };
	char text[CLOCK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(clock_duration(cases[i].seconds, text), cases[i].text);
}

static json_t *parsed(const char *text)
{
	struct err e = {};
	json_t *doc = NULL;

	if (json_parse(slice_of(text), "test", &doc, &e) < 0)
		fail_msg("%s", e.text);
	return doc;
}

static void json_values(void **state)
{
	json_t *doc = parsed("{\"s\": \"x\", \"n\": 7, \"t\": \"8\", \"m\": -1, \"f\": 1.5, "
			     "\"a\": [1], \"o\": {}, \"bad\": \"8 \", \"z\": null}");
	uint64_t u = 99;
	int64_t i = 99;

	(void)state;
	assert_string_equal(json_str(doc, "s"), "x");
	assert_null(json_str(doc, "n"));
	assert_null(json_str(doc, "none"));
	assert_null(json_str(NULL, "s"));
	assert_non_null(json_arr(doc, "a"));
	assert_null(json_arr(doc, "o"));
	assert_non_null(json_obj(doc, "o"));
	assert_null(json_obj(doc, "a"));
	assert_false(json_u64(doc, "m", &u) || json_u64(doc, "f", &u) || json_u64(doc, "bad", &u) ||
		     json_u64(doc, "z", &u) || json_u64(NULL, "n", &u));
	assert_int_equal(u, 99);
	assert_true(json_u64(doc, "n", &u) && u == 7);
	assert_true(json_u64(doc, "t", &u) && u == 8);
	assert_false(json_i64(doc, "none", &i) || json_i64(doc, "f", &i));
	assert_true(json_i64(doc, "m", &i) && i == -1);
	json_decref(doc);
}

/* The header says so, and LVM writes all its numbers as strings. */
static void json_signed_strings(void **state)
{
	json_t *doc = parsed("{\"a\": \"-7\", \"b\": \"7\", \"min\": \"-9223372036854775808\", "
			     "\"over\": \"9223372036854775808\", \"c\": \"--7\", \"d\": \"-\"}");
	int64_t i = 99;

	(void)state;
	assert_false(json_i64(doc, "over", &i) || json_i64(doc, "c", &i) || json_i64(doc, "d", &i));
	assert_int_equal(i, 99);
	assert_true(json_i64(doc, "a", &i) && i == -7);
	assert_true(json_i64(doc, "b", &i) && i == 7);
	assert_true(json_i64(doc, "min", &i) && i == INT64_MIN);
	json_decref(doc);
}

static void json_refuses(void **state)
{
	static const char *const bad[] = { "",	   "{",	       "{} x",	 "{\"a\":1,\"a\":2}",
					   "[1,]", "\"\xff\"", "nothing" };
	CLEANUP(buf_done) struct buf deep = {};
	json_t *doc = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e.text[0] = '\0';
		assert_true(json_parse(slice_of(bad[i]), "file.json", &doc, &e) < 0);
		assert_non_null(strstr(e.text, "file.json"));
		assert_null(doc);
	}
	for (int i = 0; i < 100000; i++)
		buf_addc(&deep, '[');
	assert_true(json_parse(buf_slice(&deep), "deep", &doc, NULL) < 0);
}

static void json_written(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;
	json_t *doc;

	(void)state;
	jsonw_begin(&w, &out);
	jsonw_str(&w, "quote", "a\"\\\n\x01\x7f\xff");
	jsonw_str(&w, "none", NULL);
	jsonw_slice(&w, "nul", SLICE("a\0b"));
	jsonw_u64(&w, "u", INT64_MAX);
	jsonw_i64(&w, "i", INT64_MIN);
	jsonw_bool(&w, "b", true);
	jsonw_time(&w, "t0", 0);
	jsonw_time(&w, "t", 1795233844);
	jsonw_array(&w, "empty");
	jsonw_close(&w);
	jsonw_array(&w, "rows");
	jsonw_row(&w, NULL);
	jsonw_fmt(&w, "x", "%d", 1);
	jsonw_array(&w, "in");
	jsonw_u64(&w, NULL, 1);
	jsonw_u64(&w, NULL, 2);
	jsonw_close(&w);
	jsonw_close(&w);
	jsonw_close(&w);
	jsonw_end(&w);
	assert_non_null(strstr(out.data, "{\"x\": \"1\", \"in\": [1, 2]}"));
	assert_non_null(strstr(out.data, "\"a\\\"\\\\\\u000a\\u0001\\u007f\\ufffd\""));
	doc = parsed(out.data);
	assert_true(json_is_null(json_object_get(doc, "none")));
	assert_true(json_is_null(json_object_get(doc, "t0")));
	assert_string_equal(json_str(doc, "t"), "2026-11-21T04:04:04Z");
	/* Neither our hub nor PostgreSQL takes a NUL. */
	assert_string_equal(json_str(doc, "nul"), "a\xef\xbf\xbd"
						  "b");
	assert_int_equal(json_array_size(json_arr(doc, "empty")), 0);
	json_decref(doc);
}

static void tables(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct table t = {};

	(void)state;
	table_column(&t, "ID", TABLE_RIGHT);
	table_column(&t, "NAME", TABLE_ELASTIC);
	table_column(&t, "STATE", 0);
	table_addf(&t, "%u", 100);
	table_add(&t, "a name that is far too long for so narrow a place\x1b[2J");
	table_add_styled(&t, TERM_RED, "bad");
	table_add(&t, "1");
	table_add(&t, NULL);
	table_add(&t, "");
	table_write(&t, &out, 2, 40, false);
	assert_null(strchr(out.data, '\x1b'));
	for (struct slice rest = buf_slice(&out), line; slice_split(&rest, '\n', &line);)
		assert_true(line.n <= 48); /* "…" has three bytes and one column */
	assert_non_null(strstr(out.data, "   1  -"));
	buf_reset(&out);
	table_write(&t, &out, 0, 1000, true);
	assert_non_null(strstr(out.data, "\x1b[1;31mbad"));
	table_done(&t);
}

static void wrapped_text(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	term_wrap(&out, "one two three four-is-longer-than-the-width five", 2, 12);
	assert_string_equal(out.data, "one two\n  three\n  four-is-longer-than-the-width\n  five");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_grow),	cmocka_unit_test(ownership),
		cmocka_unit_test(arenas),	cmocka_unit_test(buffers),
		cmocka_unit_test(errors),	cmocka_unit_test(diagnostics_are_bounded),
		cmocka_unit_test(times),	cmocka_unit_test(durations),
		cmocka_unit_test(json_values),	cmocka_unit_test(json_signed_strings),
		cmocka_unit_test(json_refuses), cmocka_unit_test(json_written),
		cmocka_unit_test(tables),	cmocka_unit_test(wrapped_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
