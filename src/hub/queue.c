/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/queue.h"

#include <errno.h>
#include <pthread.h>

enum { CHAINS = 256 };

/* An org with something waiting; it goes when its line is empty. */
struct line {
	struct line *next;  /* of the same chain */
	struct line *after; /* in the ring of turns */
	struct queue_item *first, **end;
	char org[STORE_ORG_MAX];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct line *chains[CHAINS];
	struct line *turn, *last; /* whose turn it is, and who comes at the end */
	size_t n;
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

static struct line **find(struct queue *q, const char *org)
{
	struct line **at;
	size_t h = 5381;

	for (const char *c = org; *c; c++)
		h = h * 33 + (unsigned char)*c;
	for (at = &q->chains[h % CHAINS]; *at; at = &(*at)->next)
		if (strcmp((*at)->org, org) == 0)
			break;
	return at;
}

static void to_the_end(struct queue *q, struct line *l)
{
	l->after = NULL;
	if (q->last)
		q->last->after = l;
	else
		q->turn = l;
	q->last = l;
}

static struct line *line_of(struct queue *q, const char *org)
{
	struct line **at = find(q, org);

	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		memccpy((*at)->org, org, '\0', sizeof((*at)->org) - 1);
		(*at)->end = &(*at)->first;
		to_the_end(q, *at);
	}
	return *at;
}

int queue_put(struct queue *q, struct queue_item *item)
{
	int r = -ESHUTDOWN;

	item->next = NULL;
	(void)pthread_mutex_lock(&q->lock);
	if (!q->stopped) {
		struct line *l = line_of(q, item->org);

		*l->end = item;
		l->end = &item->next;
		q->n++;
		r = 0;
		(void)pthread_cond_signal(&q->filled);
	}
	(void)pthread_mutex_unlock(&q->lock);
	return r;
}

/* One item of the org whose turn it is. */
static struct queue_item *take_one(struct queue *q)
{
	struct line *l = q->turn;
	struct queue_item *item = l->first;

	q->turn = l->after;
	if (!q->turn)
		q->last = NULL;
	l->first = item->next;
	q->n--;
	if (l->first) {
		to_the_end(q, l);
	} else {
		struct line **at = find(q, l->org);

		*at = l->next;
		free(l);
	}
	return item;
}

size_t queue_take(struct queue *q, struct queue_item **ret, size_t max, size_t max_bytes)
{
	size_t n = 0, bytes = 0;

	(void)pthread_mutex_lock(&q->lock);
	while (!q->n && !q->stopped)
		(void)pthread_cond_wait(&q->filled, &q->lock);
	while (q->n && n < max) {
		bytes += q->turn->first->bytes;
		if (n && bytes > max_bytes)
			break;
		ret[n++] = take_one(q);
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
	n = q->n;
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}
