/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/html.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void text_is_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
		{ "a & b", "a &amp; b" },
		{ "\"'", "&quot;&#39;" },
		{ "a\x1b[31m", "a\\x1b[31m" },
		{ "\xe2\x80\xae"
		  "evil",
		  "\\u{202e}evil" },
		{ "\xff", "\\xff" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = {};
		struct html h = { .out = &out };

		html_text(&h, cases[i].in);
		html_done(&h);
		assert_string_equal(buf_str(&out), cases[i].out);
	}
}

static void elements_close_in_order(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct html h = { .out = &out };

	(void)state;
	html_begin(&h, "p");
	html_attr(&h, "title", "a\"b<c>");
	html_begin(&h, "b");
	html_textf(&h, "%d <", 1);
	html_end(&h);
	html_void(&h, "br");
	html_raw(&h, "&#160;");
	html_end(&h);
	html_done(&h);
	assert_string_equal(buf_str(&out),
			    "<p title=\"a&quot;b&lt;c&gt;\"><b>1 &lt;</b><br>&#160;</p>");
}

/* Cut by characters, never inside one. */
static void long_text_is_cut(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	struct html h = { .out = &out };

	(void)state;
	html_text_cut(&h, "\xc3\xa4\xc3\xa4\xc3\xa4", 2);
	html_text_cut(&h, "abc", 3);
	html_text_cut(&h, "\xff\xff", 1);
	assert_string_equal(buf_str(&out), "\xc3\xa4\xc3\xa4\xe2\x80\xa6"
					   "abc\\xff\xe2\x80\xa6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(elements_close_in_order),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
