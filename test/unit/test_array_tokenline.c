/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/tokenline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "util/str.h"

#define BEFORE                  \
	"dir: local\n"          \
	"\tpath /var/lib/vz\n"  \
	"\n"                    \
	"# kept as it is \t\n"  \
	"purestorage:  pure \n" \
	"\taddress https://fa1\n"
#define TOKEN "  token  11111111-aaaa \n"
#define BEHIND                    \
	"\tnodes pve1,pve2\n"     \
	"\tcontent images\n"      \
	"\n\n"                    \
	"purestorage: other\n"    \
	"\taddress https://fa2\n" \
	"\ttoken 22222222-bbbb\n" \
	"\n"                      \
	"some: thing\n"           \
	"\ttoken kept\n"

static int cut(const char *text, const char *storage, const char *token, struct buf *ret)
{
	struct arena arena = {};
	struct err e = {};
	int r = tokenline_cut(slice_of(text), storage, token, ret, &arena, &e);

	assert_true(r == 0 || *e.text);
	arena_done(&arena);
	return r;
}

static void only_the_line_goes(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_int_equal(cut(BEFORE TOKEN BEHIND, "pure", "11111111-aaaa", &out), 0);
	assert_string_equal(out.data, BEFORE BEHIND);
}

static void the_last_line_needs_no_newline(void **state)
{
	CLEANUP(buf_done) struct buf out = {};

	(void)state;
	assert_int_equal(cut("purestorage: p\n\taddress a\n\ttoken t", "p", "t", &out), 0);
	assert_string_equal(out.data, "purestorage: p\n\taddress a\n");
}

static void what_is_not_certain_is_refused(void **state)
{
	static const struct {
		const char *text, *storage;
		int result;
	} cases[] = {
		{ BEFORE TOKEN BEHIND, "nosuch", -ENOENT },
		{ BEFORE TOKEN BEHIND, "thing", -EINVAL },
		{ BEFORE BEHIND, "pure", -ENODATA },
		{ BEFORE "\ttoken changed\n" BEHIND, "pure", -ESTALE },
		{ BEFORE TOKEN "\ttoken second\n" BEHIND, "pure", -EINVAL },
		{ BEFORE TOKEN BEHIND "\n" BEFORE TOKEN, "pure", -EINVAL },
		{ "", "pure", -ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = {};

		assert_int_equal(cut(cases[i].text, cases[i].storage, "11111111-aaaa", &out),
				 cases[i].result);
	}
}

static void where_it_stands_is_said(void **state)
{
	struct tokenline found;
	struct arena arena = {};

	(void)state;
	assert_int_equal(
		tokenline_find(&found, slice_of(BEFORE TOKEN BEHIND), "pure", &arena, NULL), 0);
	assert_int_equal(found.line, 7);
	assert_string_equal(found.nodes, "pve1,pve2");
	assert_int_equal(tokenline_find(&found, slice_of(BEFORE BEHIND), "pure", &arena, NULL), 0);
	assert_int_equal(found.line, 0);
	assert_null(found.token);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_line_goes),
		cmocka_unit_test(the_last_line_needs_no_newline),
		cmocka_unit_test(what_is_not_certain_is_refused),
		cmocka_unit_test(where_it_stands_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
