/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What waits for the writers: one of each org in turn, and none lost. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/queue.h"

static void serves_orgs_in_turn(void **state)
{
	static const char *const orgs[] = { "a", "a", "a", "a", "b", "c", "b" };
	static const char expected[] = "abcabaa";
	struct queue_item items[ARRAY_SIZE(orgs)] = {}, *got[8];
	struct queue *q = queue_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orgs); i++) {
		items[i] = (struct queue_item){ .org = orgs[i], .bytes = 10 };
		assert_int_equal(queue_put(q, &items[i]), 0);
	}
	assert_int_equal(queue_length(q), 7);
	assert_int_equal(queue_take(q, got, 2, 1000), 2);
	assert_int_equal(queue_take(q, got + 2, 8 - 2, 1000), 5);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(got[i]->org[0], expected[i]);
	/* Within an org the order stays. */
	assert_ptr_equal(got[0], &items[0]);
	assert_ptr_equal(got[3], &items[1]);
	assert_ptr_equal(got[6], &items[3]);
	queue_free(q);
}

static void bounds_a_batch(void **state)
{
	struct queue_item items[3] = { { .org = "a", .bytes = 100 },
				       { .org = "a", .bytes = 50 },
				       { .org = "a", .bytes = 50 } },
			  *got[3];
	struct queue *q = queue_new();

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(queue_put(q, &items[i]), 0);
	/* The first goes whatever its size. */
	assert_int_equal(queue_take(q, got, 3, 60), 1);
	assert_int_equal(queue_take(q, got, 3, 100), 2);
	queue_stop(q);
	assert_int_equal(queue_put(q, &items[0]), -ESHUTDOWN);
	assert_int_equal(queue_take(q, got, 3, 100), 0);
	queue_free(q);
}

enum { PRODUCERS = 4, EACH = 5000 };

struct producer {
	struct queue *q;
	char org[2];
	struct queue_item items[EACH];
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (size_t i = 0; i < EACH; i++) {
		p->items[i] = (struct queue_item){ .org = p->org, .bytes = i };
		assert_int_equal(queue_put(p->q, &p->items[i]), 0);
	}
	return NULL;
}

static void threads_lose_nothing(void **state)
{
	static struct producer producers[PRODUCERS];
	struct queue *q = queue_new();
	pthread_t threads[PRODUCERS];
	size_t seen[PRODUCERS] = {}, sum = 0;

	(void)state;
	for (size_t i = 0; i < PRODUCERS; i++) {
		producers[i].q = q;
		producers[i].org[0] = (char)('a' + i);
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (sum < (size_t)PRODUCERS * EACH) {
		struct queue_item *got[16];
		size_t n = queue_take(q, got, 16, SIZE_MAX / 2);

		for (size_t i = 0; i < n; i++)
			assert_int_equal(got[i]->bytes, seen[got[i]->org[0] - 'a']++);
		sum += n;
	}
	for (size_t i = 0; i < PRODUCERS; i++)
		(void)pthread_join(threads[i], NULL);
	queue_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_orgs_in_turn),
		cmocka_unit_test(bounds_a_batch),
		cmocka_unit_test(threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
