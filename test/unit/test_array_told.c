/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What path() has said of a name: the last answer, of that storage alone, until it is forgotten. */

#include "array/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ONE "96622A35A07E4A33000126D2"
#define TWO "96622A35A07E4A33000126D3"

static void the_last_answer_counts(void **state)
{
	struct tolds *t = tolds_new();
	char was[ARRAY_SERIAL_LEN + 1];

	(void)state;
	assert_false(told_other(t, "pure", "vm-100-disk-0", ONE, was));
	told_note(t, "pure", "vm-100-disk-0", ONE);
	told_note(t, "pure", "vm-100-disk-1", TWO);
	assert_false(told_other(t, "pure", "vm-100-disk-0", ONE, was));
	assert_true(told_other(t, "pure", "vm-100-disk-0", TWO, was));
	assert_string_equal(was, ONE);
	assert_false(told_other(t, "other", "vm-100-disk-0", TWO, was));
	told_note(t, "pure", "vm-100-disk-0", TWO);
	assert_false(told_other(t, "pure", "vm-100-disk-0", TWO, was));
	assert_true(told_other(t, "pure", "vm-100-disk-0", ONE, was));
	told_forget(t, "pure", "vm-100-disk-0");
	told_forget(t, "pure", "vm-100-disk-7");
	assert_false(told_other(t, "pure", "vm-100-disk-0", ONE, was));
	assert_true(told_other(t, "pure", "vm-100-disk-1", ONE, was));
	tolds_free(t);
	tolds_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_last_answer_counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
