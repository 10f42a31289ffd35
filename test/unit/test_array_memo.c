/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Answers that serve several callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "array/memo.h"
#include "util/clock.h"

struct source {
	int asked;    /* how often */
	int error;    /* what it says */
	int takes_ms; /* how long */
};

static int answer(void *arg, struct buf *ret, struct err *e)
{
	struct source *s = arg;

	s->asked++;
	(void)usleep((useconds_t)s->takes_ms * 1000);
	if (s->error)
		return err_set(e, s->error, "no answer %d", s->asked);
	buf_addf(ret, "answer %d", s->asked);
	return 0;
}

static void expect(struct array_memo *m, const char *key, int age_ms, struct source *s,
		   const char *text)
{
	CLEANUP(buf_done) struct buf got = {};

	assert_int_equal(
		array_memo_get(m, key, age_ms, clock_mono_ms() + 5000, answer, s, &got, NULL), 0);
	assert_string_equal(buf_str(&got), text);
}

static void test_age(void **state)
{
	struct array_memo *m = array_memo_new();
	struct source s = {};

	(void)state;
	expect(m, "a", 5000, &s, "answer 1");
	expect(m, "a", 5000, &s, "answer 1");
	expect(m, "b", 5000, &s, "answer 2");
	(void)usleep(30000);
	expect(m, "a", 10, &s, "answer 3");
	array_memo_forget(m, "a");
	expect(m, "b", 5000, &s, "answer 2");
	expect(m, "a", 5000, &s, "answer 4");
	array_memo_free(m);
}

static void test_peek(void **state)
{
	struct array_memo *m = array_memo_new();
	CLEANUP(buf_done) struct buf got = {};
	struct source s = {};

	(void)state;
	assert_false(array_memo_peek(m, "a", 5000, &got));
	expect(m, "a", 5000, &s, "answer 1");
	assert_true(array_memo_peek(m, "a", 5000, &got));
	assert_string_equal(buf_str(&got), "answer 1");
	assert_false(array_memo_peek(m, "ab", 5000, &got));
	assert_int_equal(got.len, 0);
	(void)usleep(30000);
	assert_false(array_memo_peek(m, "a", 10, &got));
	assert_true(array_memo_peek(m, "a", 5000, &got));
	array_memo_forget(m, "a");
	assert_false(array_memo_peek(m, "a", 5000, &got));
	s.error = -EHOSTUNREACH;
	assert_int_equal(
		array_memo_get(m, "a", 5000, clock_mono_ms() + 5000, answer, &s, &got, NULL),
		-EHOSTUNREACH);
	assert_false(array_memo_peek(m, "a", 5000, &got));
	assert_int_equal(s.asked, 2);
	array_memo_free(m);
}

static void test_failure(void **state)
{
	struct array_memo *m = array_memo_new();
	CLEANUP(buf_done) struct buf got = {};
	struct source s = { .error = -EHOSTUNREACH };
	struct err e = {};

	(void)state;
	for (int i = 1; i <= 2; i++)
		assert_int_equal(
			array_memo_get(m, "a", 5000, clock_mono_ms() + 5000, answer, &s, &got, &e),
			-EHOSTUNREACH);
	assert_int_equal(s.asked, 2);
	assert_string_equal(e.text, "no answer 2");
	s.error = 0;
	expect(m, "a", 5000, &s, "answer 3");
	array_memo_free(m);
}

struct asker {
	struct array_memo *m;
	struct source *s;
	struct buf got;
	int ret;
};

static void *ask(void *arg)
{
	struct asker *a = arg;

	a->ret = array_memo_get(a->m, "a", 5000, clock_mono_ms() + 5000, answer, a->s, &a->got,
				NULL);
	return NULL;
}

static void test_one_fetch(void **state)
{
	struct source s = { .takes_ms = 100 };
	struct array_memo *m = array_memo_new();
	struct asker askers[8] = {};
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		askers[i] = (struct asker){ .m = m, .s = &s };
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(askers[i].ret, 0);
		assert_string_equal(buf_str(&askers[i].got), "answer 1");
		buf_done(&askers[i].got);
	}
	assert_int_equal(s.asked, 1);
	array_memo_free(m);
}

/* What changes while somebody asks is not told to who asks after the change, nor kept. */
static void test_overtaken(void **state)
{
	struct source s = { .takes_ms = 150 };
	struct array_memo *m = array_memo_new();
	struct asker first = { .m = m, .s = &s };
	CLEANUP(buf_done) struct buf got = {};
	struct err e = {};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask, &first), 0);
	(void)usleep(50000);
	assert_int_equal(array_memo_get(m, "a", 5000, clock_mono_ms() + 20, answer, &s, &got, &e),
			 -ETIMEDOUT);
	array_memo_forget(m, "");
	expect(m, "a", 5000, &s, "answer 2");
	(void)pthread_join(thread, NULL);
	assert_string_equal(buf_str(&first.got), "answer 1");
	expect(m, "a", 5000, &s, "answer 2");
	buf_done(&first.got);
	array_memo_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),	  cmocka_unit_test(test_peek),
		cmocka_unit_test(test_failure),	  cmocka_unit_test(test_one_fetch),
		cmocka_unit_test(test_overtaken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
