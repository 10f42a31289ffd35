/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* When the hub believes its clock enough to take away what is old by it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/retain.h"

/* What is old goes by the clock: a hub that began with a wrong one, or whose clock leapt, must not
 * take away tokens and history before somebody has set it. */
static void a_clock_that_leaps(void **state)
{
	enum { DAY = 86400, START = 1795269600 };
	struct retain_clock c = {};

	(void)state;
	assert_false(retain_believes(&c, START, 5000));
	assert_false(retain_believes(&c, START + 60, 65000));
	assert_true(retain_believes(&c, START + RETAIN_BELIEVE_S, 5000 + RETAIN_BELIEVE_S * 1000));
	/* It is slewed, an hour in all. */
	for (int i = 1; i <= 60; i++)
		assert_true(retain_believes(&c, START + RETAIN_BELIEVE_S + i * 120,
					    5000 + (RETAIN_BELIEVE_S + i * 60) * 1000ll));
	assert_false(retain_believes(&c, START + 33 * DAY, 5000 + 2 * 3600 * 1000ll));
	assert_false(retain_believes(&c, START + 33 * DAY + 60, 65000 + 2 * 3600 * 1000ll));
	/* Back again: that is a leap as well. */
	assert_false(retain_believes(&c, START + 3 * 3600, 5000 + 3 * 3600 * 1000ll));
	assert_true(retain_believes(&c, START + 4 * 3600, 5000 + 4 * 3600 * 1000ll));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_leaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
