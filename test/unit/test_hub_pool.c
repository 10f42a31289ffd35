/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The threads that answer, and the store that each of them holds. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "hub/hold.h"
#include "hub/pool.h"
#include "hub_db.h"

struct job {
	struct pool_job job;
	pthread_mutex_t *lock;
	char **log;	     /* who ran, a letter each */
	int *running, *most; /* of this kind, at the same time */
	int *left;
};

static void run_one(struct pool_job *job, struct store *s)
{
	struct job *j = (struct job *)job;
	static const struct timespec pause = { .tv_nsec = 2000000 };
	bool has_store = s != NULL;

	(void)pthread_mutex_lock(j->lock);
	if (++*j->running > *j->most)
		*j->most = *j->running;
	*(*j->log)++ = has_store ? job->queue.org[0] : '-';
	(void)pthread_mutex_unlock(j->lock);
	(void)nanosleep(&pause, NULL);
	(void)pthread_mutex_lock(j->lock);
	--*j->running;
	--*j->left;
	(void)pthread_mutex_unlock(j->lock);
}

/* Runs @n jobs of @kind of orgs "a", and one of "b" at the end; returns how many ran at once. */
static int run_jobs(const char *where, enum pool_kind kind, size_t threads, int n, char log[64])
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct job jobs[64] = {};
	int running = 0, most = 0, left = n + 1;
	char *at = log;
	struct pool *p;
	struct err e = {};

	memset(log, 0, 64);
	assert_int_equal(pool_start(&p, where, threads, &e), 0);
	for (int i = 0; i <= n; i++) {
		jobs[i] = (struct job){
			.lock = &lock, .log = &at, .running = &running, .most = &most, .left = &left
		};
		jobs[i].job = (struct pool_job){ .kind = kind,
						 .run = run_one,
						 .queue.org = i < n ? "a" : "b" };
		assert_int_equal(pool_put(p, &jobs[i].job), 0);
	}
	pool_end(p);
	assert_int_equal(pool_put(p, &jobs[0].job), -ESHUTDOWN);
	pool_free(p);
	assert_int_equal(left, 0);
	return most;
}

static void the_pool_serves_in_turn(void **state)
{
	struct hub_db db;
	char log[64];

	(void)state;
	store_close(hub_db_make(&db));
	(void)run_jobs(db.path, POOL_WORK, 1, 30, log);
	assert_null(strchr(log, '-'));
	assert_true(strchr(log, 'b') - log < 4);
	assert_in_range(run_jobs(db.path, POOL_WORK, 4, 30, log), 1, 4);
	assert_int_equal(run_jobs(db.path, POOL_LOGIN, 4, 10, log), 1);
	assert_in_range(run_jobs(db.path, POOL_READ, 4, 30, log), 1, 3);
	hub_db_remove(&db);
}

static void without_a_database_all_are_answered(void **state)
{
	char log[64];

	(void)state;
	(void)run_jobs("/nowhere/hub.db", POOL_WORK, 2, 20, log);
	assert_int_equal(strspn(log, "-"), 21);
	(void)run_jobs("/nowhere/hub.db", POOL_ADMIT, 2, 20, log);
	assert_int_equal(strspn(log, "-"), 21);
}

static void a_store_opens_again_at_once(void **state)
{
	struct hold hold = {};
	struct err e = {};
	struct hub_db db;

	(void)state;
	store_close(hub_db_make(&db));
	hold.where = db.path;
	assert_non_null(hold_get(&hold, &e));
	assert_false(store_is_lost(hold.store));
	hold.tried_ms -= 1001;
	hold_failed(&hold, "test");
	assert_non_null(hold_get(&hold, &e));
	hold_failed(&hold, "test");
	assert_null(hold_get(&hold, &e));
	hold_done(&hold);
	hub_db_remove(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pool_serves_in_turn),
		cmocka_unit_test(without_a_database_all_are_answered),
		cmocka_unit_test(a_store_opens_again_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
