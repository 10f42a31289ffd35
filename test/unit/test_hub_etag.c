/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What stands for an answer, so that it need not be sent again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/etag.h"

static bool same_tag(const char *a, const char *b, unsigned int ages)
{
	char one[ETAG_MAX], two[ETAG_MAX];

	etag_of(slice_of(a), ages, one);
	etag_of(slice_of(b), ages, two);
	assert_int_equal(ages > 0, one[0] == 'W');
	return strcmp(one, two) == 0;
}

static void ages_do_not_count(void **state)
{
	(void)state;
	assert_true(same_tag("{\"a\":1,\"age\":5,\"b\":2}", "{\"a\":1,\"age\":-66,\"b\":2}", 1));
	assert_false(same_tag("{\"a\":1,\"age\":5,\"b\":2}", "{\"a\":1,\"age\":5,\"b\":3}", 1));
	assert_false(same_tag("{\"age\":null}", "{\"age\":5}", 1));
	assert_false(same_tag("{\"age\":5}", "{\"age\":6}", 0));
	assert_true(same_tag("{\"age\":5}", "{\"age\":5}", 0));
	assert_true(same_tag("{\"items\": [{\"age\" : 5},{\"age\" : 7}]}",
			     "{\"items\": [{\"age\" : 6},{\"age\" : 80}]}", 3));
	/* Not the ages that a document tells of, nor what a text has. */
	assert_false(same_tag("{\"items\": [{\"d\":{\"age\":5}}]}",
			      "{\"items\": [{\"d\":{\"age\":6}}]}", 3));
	assert_false(same_tag("{\"n\":\"\\\"age\\\":5\"}", "{\"n\":\"\\\"age\\\":6\"}", 1));
	assert_false(same_tag("{\"n\":\"[{\",\"age\":5}", "{\"n\":\"[{\",\"age\":6}", 3));
	assert_true(same_tag("{\"n\":\"[{\\\\\",\"age\":5}", "{\"n\":\"[{\\\\\",\"age\":6}", 1));
	/* Cut off anywhere, nothing is read behind the end. */
	for (size_t n = 0; n < 24; n++) {
		char *text = test_malloc(n + 1), tag[ETAG_MAX];

		memcpy(text, "{\"a\\\":[\"x\",\"age\" :  -7}", n);
		etag_of((struct slice){ text, n }, 1, tag);
		assert_int_equal(strlen(tag), 36);
		test_free(text);
	}
}

static void tags_are_compared(void **state)
{
	(void)state;
	assert_true(etag_matches("\"a\"", "\"a\""));
	assert_true(etag_matches("W/\"a\"", "\"a\""));
	assert_true(etag_matches("\"a\"", "W/\"a\""));
	assert_true(etag_matches("\"x\", W/\"a\" ,\"b\"", "W/\"a\""));
	assert_true(etag_matches("*", "W/\"a\""));
	assert_false(etag_matches("\"b\"", "\"a\""));
	assert_false(etag_matches("a", "\"a\""));
	assert_false(etag_matches("", "\"a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ages_do_not_count),
		cmocka_unit_test(tags_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
