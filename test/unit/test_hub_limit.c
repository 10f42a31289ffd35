/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* How much one may ask for: rates, and memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hub/budget.h"
#include "hub/limit.h"

static void limits_a_rate(void **state)
{
	const struct limit_rate rate = { 3, 2 };
	struct limit *l = limit_new(64);
	unsigned int wait = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(l, "a", rate, 1000, &wait));
	assert_false(limit_take(l, "a", rate, 1000, &wait));
	assert_int_equal(wait, 1);
	assert_true(limit_take(l, "b", rate, 1000, &wait));
	assert_false(limit_take(l, "a", rate, 1499, &wait));
	assert_true(limit_take(l, "a", rate, 1500, &wait));
	assert_false(limit_take(l, "a", rate, 1500, &wait));
	/* A clock that goes back gives nothing, one that leaps no more than a bucket. */
	assert_false(limit_take(l, "a", rate, 0, &wait));
	for (int i = 0; i < 3; i++)
		assert_true(limit_take(l, "a", rate, INT64_MAX / 4, &wait));
	assert_false(limit_take(l, "a", rate, INT64_MAX / 4, &wait));
	for (int i = 0; i < 100; i++)
		assert_true(limit_take(l, "a", (struct limit_rate){}, 1, &wait));
	limit_free(l);
}

static void strangers_cost_no_memory(void **state)
{
	const struct limit_rate rate = { 1, 1 };
	struct limit *l = limit_new(8);
	unsigned int wait;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_true(limit_take(l, name, rate, 1000 + i, &wait));
	}
	/* The one asked for last is still there. */
	assert_false(limit_take(l, "n999", rate, 1999, &wait));
	limit_free(l);
}

static void an_org_leaves_room(void **state)
{
	struct budget *b = budget_new(100, 60);

	(void)state;
	assert_true(budget_take(b, "a", 60));
	assert_false(budget_take(b, "a", 1));
	assert_true(budget_take(b, "b", 40));
	assert_false(budget_take(b, "c", 1));
	budget_give(b, "a", 60);
	assert_true(budget_take(b, "c", 60));
	assert_int_equal(budget_used(b), 100);
	/* What nobody took cannot be given back. */
	budget_give(b, "a", 1);
	assert_int_equal(budget_used(b), 100);
	budget_give(b, "b", 40);
	budget_give(b, "c", 60);
	assert_int_equal(budget_used(b), 0);
	budget_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_a_rate),
		cmocka_unit_test(strangers_cost_no_memory),
		cmocka_unit_test(an_org_leaves_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
