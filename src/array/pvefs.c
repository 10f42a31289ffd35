/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/pvefs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "util/clock.h"

struct pvefs {
	pthread_mutex_t lock;
	unsigned int users; /* the owner, and threads under way */
	unsigned int stuck; /* threads that were given up and are not back */
	struct root root;
	char *path;
};

/* Freed by whoever looks at it last. */
struct asking {
	struct pvefs *p;
	int (*run)(void *job, const struct root *root, struct err *e);
	void (*drop)(void *job);
	void *job;
	pthread_cond_t changed;
	bool done, abandoned; /* under the lock */
	int result;
	struct err e;
};

struct pvefs *pvefs_open(const struct root *root)
{
	struct pvefs *p = xcalloc(1, sizeof(*p));

	(void)pthread_mutex_init(&p->lock, NULL);
	p->users = 1;
	p->path = xstrdup(root->path);
	p->root = (struct root){ .live = root->live,
				 .path = p->path,
				 .fd = fcntl(root->fd, F_DUPFD_CLOEXEC, 3) };
	return p;
}

void pvefs_close(struct pvefs *p)
{
	bool last;

	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	last = --p->users == 0;
	(void)pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	(void)pthread_mutex_destroy(&p->lock);
	root_close(&p->root);
	free(p->path);
	free(p);
}

static void free_asking(struct asking *q)
{
	struct pvefs *p = q->p;

	(void)pthread_cond_destroy(&q->changed);
	free(q);
	pvefs_close(p);
}

static void *ask(void *arg)
{
	struct asking *q = arg;
	int r = q->run(q->job, &q->p->root, &q->e);
	bool mine;

	(void)pthread_mutex_lock(&q->p->lock);
	q->result = r;
	q->done = true;
	mine = q->abandoned;
	q->p->stuck -= mine;
	(void)pthread_cond_signal(&q->changed);
	(void)pthread_mutex_unlock(&q->p->lock);
	if (mine) {
		q->drop(q->job);
		free_asking(q);
	}
	return NULL;
}

static struct asking *new_asking(struct pvefs *p)
{
	struct asking *q = xcalloc(1, sizeof(*q));
	pthread_condattr_t attr;

	q->p = p;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&q->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	return q;
}

/* Under the lock. */
static int start(struct asking *q)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (q->p->stuck)
		return -ETIMEDOUT;
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, ask, q);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

/* Under the lock. */
static void await(struct asking *q, int wait_ms)
{
	int64_t until = clock_mono_ms() + wait_ms;
	struct timespec end = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

	while (!q->done && pthread_cond_timedwait(&q->changed, &q->p->lock, &end) != ETIMEDOUT)
		;
	q->abandoned = !q->done;
	q->p->stuck += q->abandoned;
}

/* Nobody uses the job any more, or its thread does. */
static int not_answered(void **job, int error, struct err *e)
{
	*job = NULL;
	if (error != -ETIMEDOUT)
		return err_set(e, error, "no thread to read /etc/pve: %s", strerror(-error));
	return err_set(e, error,
		       "/etc/pve does not answer: pmxcfs hangs (systemctl status pve-cluster)");
}

int pvefs_run(struct pvefs *p, int (*run)(void *job, const struct root *root, struct err *e),
	      void (*drop)(void *job), void **job, int wait_ms, struct err *e)
{
	struct asking *q = new_asking(p);
	bool given_up = false;
	int begun, r = 0;

	q->run = run;
	q->drop = drop;
	q->job = *job;
	(void)pthread_mutex_lock(&p->lock);
	p->users++;
	begun = start(q);
	if (begun == 0) {
		await(q, wait_ms);
		given_up = q->abandoned;
		r = q->result;
		if (!given_up && e)
			*e = q->e;
	}
	(void)pthread_mutex_unlock(&p->lock);
	if (given_up)
		return not_answered(job, -ETIMEDOUT, e);
	free_asking(q);
	if (begun == 0)
		return r;
	drop(*job);
	return not_answered(job, begun, e);
}
