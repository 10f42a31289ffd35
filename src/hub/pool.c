/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/pool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "hub/hold.h"

enum { ADMITTERS = 2, LAME_MS = 200 };

struct pool_thread {
	pthread_t id;
	struct pool *pool;
	bool admits; /* and does nothing else */
	bool able;   /* it has a database */
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t workers, admitters, lame;
	struct lines lines[POOL_KINDS];
	size_t running[POOL_KINDS], most[POOL_KINDS];
	size_t turn; /* the kind that is looked at first */
	size_t able_workers, able_all;
	const char *where;
	bool stopped;
	size_t n;
	struct pool_thread threads[];
};

static struct pool_job *take(struct pool *p, enum pool_kind kind)
{
	struct pool_job *job;

	if (p->running[kind] >= p->most[kind])
		return NULL;
	job = (struct pool_job *)lines_take(&p->lines[kind]);
	if (job)
		p->running[kind]++;
	return job;
}

/* Who has no database leaves things to those who have one. */
static struct pool_job *pick(struct pool_thread *t)
{
	struct pool *p = t->pool;
	struct pool_job *job = NULL;

	if (!t->admits && (t->able || !p->able_workers || p->stopped))
		for (size_t i = 0; !job && i < POOL_ADMIT; i++) {
			job = take(p, (p->turn + i) % POOL_ADMIT);
			if (job)
				p->turn = (size_t)(job->kind + 1) % POOL_ADMIT;
		}
	if (!job && (t->able || !p->able_all || p->stopped))
		job = take(p, POOL_ADMIT);
	return job;
}

static void set_able(struct pool_thread *t, bool able)
{
	struct pool *p = t->pool;

	if (t->able == able)
		return;
	t->able = able;
	p->able_all += able ? 1 : -(size_t)1;
	if (!t->admits)
		p->able_workers += able ? 1 : -(size_t)1;
	/* What waits may be another one's matter now. */
	(void)pthread_cond_broadcast(&p->lame);
	(void)pthread_cond_broadcast(&p->workers);
	(void)pthread_cond_broadcast(&p->admitters);
}

static void rest(struct pool_thread *t)
{
	struct pool *p = t->pool;
	struct timespec until;

	if (t->able) {
		(void)pthread_cond_wait(t->admits ? &p->admitters : &p->workers, &p->lock);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LAME_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	(void)pthread_cond_timedwait(&p->lame, &p->lock, &until);
}

/* False: it is over. *ret may be NULL: the thread without a database looks for it again. */
static bool next_job(struct pool_thread *t, bool able, struct pool_job **ret)
{
	struct pool *p = t->pool;
	bool goes_on = true;

	(void)pthread_mutex_lock(&p->lock);
	set_able(t, able);
	*ret = pick(t);
	if (!*ret && p->stopped)
		goes_on = false;
	else if (!*ret)
		rest(t);
	(void)pthread_mutex_unlock(&p->lock);
	return goes_on;
}

static void job_is_done(struct pool *p, enum pool_kind kind)
{
	(void)pthread_mutex_lock(&p->lock);
	p->running[kind]--;
	if (p->lines[kind].n)
		(void)pthread_cond_signal(&p->workers);
	(void)pthread_mutex_unlock(&p->lock);
}

static void *pool_main(void *arg)
{
	struct pool_thread *t = arg;
	struct hold hold = { .where = t->pool->where };
	struct pool_job *job;
	struct store *s;
	struct err e;

	(void)pthread_setname_np(pthread_self(), t->admits ? "admitter" : "reader");
	s = hold_get(&hold, &e);
	while (next_job(t, s != NULL, &job)) {
		enum pool_kind kind = job ? job->kind : POOL_KINDS;

		if (job) {
			job->run(job, s);
			job_is_done(t->pool, kind);
		}
		if (s && store_is_lost(s))
			hold_failed(&hold, "a question got no answer");
		s = hold_get(&hold, &e);
	}
	hold_done(&hold);
	return NULL;
}

static struct pool *make(const char *where, size_t n)
{
	struct pool *p = xcalloc(1, sizeof(*p) + (n + ADMITTERS) * sizeof(p->threads[0]));
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->workers, NULL);
	(void)pthread_cond_init(&p->admitters, NULL);
	(void)pthread_cond_init(&p->lame, &attr);
	(void)pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < POOL_KINDS; i++)
		p->most[i] = n + ADMITTERS;
	p->most[POOL_READ] = n > 1 ? n - 1 : 1;
	p->most[POOL_LOGIN] = 1;
	p->where = where;
	/* Until they have looked. */
	p->able_workers = n;
	p->able_all = n + ADMITTERS;
	return p;
}

int pool_start(struct pool **ret, const char *where, size_t n, struct err *e)
{
	struct pool *p = make(where, n);

	for (; p->n < n + ADMITTERS; p->n++) {
		struct pool_thread *t = &p->threads[p->n];
		int r;

		*t = (struct pool_thread){ .pool = p, .admits = p->n >= n, .able = true };
		r = pthread_create(&t->id, NULL, pool_main, t);
		if (r) {
			pool_end(p);
			pool_free(p);
			return err_set(e, -r, "cannot start a thread: %s", strerror(r));
		}
	}
	*ret = p;
	return 0;
}

int pool_put(struct pool *p, struct pool_job *job)
{
	int r = -ESHUTDOWN;

	(void)pthread_mutex_lock(&p->lock);
	if (!p->stopped) {
		lines_put(&p->lines[job->kind], &job->queue);
		r = 0;
		(void)pthread_cond_signal(&p->workers);
		if (job->kind == POOL_ADMIT)
			(void)pthread_cond_signal(&p->admitters);
		if (!p->able_workers)
			(void)pthread_cond_broadcast(&p->lame);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

void pool_end(struct pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->stopped = true;
	(void)pthread_cond_broadcast(&p->workers);
	(void)pthread_cond_broadcast(&p->admitters);
	(void)pthread_cond_broadcast(&p->lame);
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		(void)pthread_join(p->threads[i].id, NULL);
	p->n = 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	(void)pthread_cond_destroy(&p->workers);
	(void)pthread_cond_destroy(&p->admitters);
	(void)pthread_cond_destroy(&p->lame);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
