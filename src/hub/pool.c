/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/pool.h"

#include <errno.h>
#include <pthread.h>

#include "hub/hold.h"

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct pool_job *first, **end;
	const char *where;
	bool stopped;
	size_t n;
	pthread_t threads[];
};

static struct pool_job *next_job(struct pool *p)
{
	struct pool_job *job;

	(void)pthread_mutex_lock(&p->lock);
	while (!p->first && !p->stopped)
		(void)pthread_cond_wait(&p->filled, &p->lock);
	job = p->first;
	if (job) {
		p->first = job->next;
		if (!p->first)
			p->end = &p->first;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return job;
}

static void *pool_main(void *arg)
{
	struct pool *p = arg;
	struct hold hold = { .where = p->where };
	struct pool_job *job;

	(void)pthread_setname_np(pthread_self(), "reader");
	while ((job = next_job(p))) {
		struct err e = {};

		if (job->run(job, hold_get(&hold, &e)) == -EIO && hold.store)
			hold_failed(&hold, "a question got no answer");
	}
	hold_done(&hold);
	return NULL;
}

int pool_start(struct pool **ret, const char *where, size_t n, struct err *e)
{
	struct pool *p = xcalloc(1, sizeof(*p) + n * sizeof(p->threads[0]));

	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->filled, NULL);
	p->end = &p->first;
	p->where = where;
	for (; p->n < n; p->n++) {
		int r = pthread_create(&p->threads[p->n], NULL, pool_main, p);

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

	job->next = NULL;
	(void)pthread_mutex_lock(&p->lock);
	if (!p->stopped) {
		*p->end = job;
		p->end = &job->next;
		r = 0;
		(void)pthread_cond_signal(&p->filled);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

void pool_end(struct pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->stopped = true;
	(void)pthread_cond_broadcast(&p->filled);
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		(void)pthread_join(p->threads[i], NULL);
	p->n = 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	(void)pthread_cond_destroy(&p->filled);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
