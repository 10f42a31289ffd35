/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/queue.h"

#include <errno.h>
#include <pthread.h>

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct lines lines;
	bool stopped;
};

struct queue *queue_new(void)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_cond_init(&q->filled, NULL);
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	(void)pthread_cond_destroy(&q->filled);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

int queue_put(struct queue *q, struct queue_item *item)
{
	int r = -ESHUTDOWN;

	(void)pthread_mutex_lock(&q->lock);
	if (!q->stopped) {
		lines_put(&q->lines, item);
		r = 0;
		(void)pthread_cond_signal(&q->filled);
	}
	(void)pthread_mutex_unlock(&q->lock);
	return r;
}

size_t queue_take(struct queue *q, struct queue_item **ret, size_t max, size_t max_bytes)
{
	size_t n = 0, bytes = 0;

	(void)pthread_mutex_lock(&q->lock);
	while (!q->lines.n && !q->stopped)
		(void)pthread_cond_wait(&q->filled, &q->lock);
	while (q->lines.n && n < max) {
		bytes += lines_peek(&q->lines)->bytes;
		if (n && bytes > max_bytes)
			break;
		ret[n++] = lines_take(&q->lines);
	}
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}

void queue_stop(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->stopped = true;
	(void)pthread_cond_broadcast(&q->filled);
	(void)pthread_mutex_unlock(&q->lock);
}

size_t queue_length(struct queue *q)
{
	size_t n;

	(void)pthread_mutex_lock(&q->lock);
	n = q->lines.n;
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}
