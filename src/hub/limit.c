/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/limit.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

enum { WINDOW = 8, THOUSAND = 1000 };

struct bucket {
	char name[LIMIT_NAME_MAX];
	int64_t level; /* thousandths */
	int64_t at_ms;
};

struct limit {
	pthread_mutex_t lock;
	uint64_t seed; /* nobody outside may know which names share a window */
	size_t n;
	struct bucket buckets[];
};

struct limit *limit_new(size_t buckets)
{
	size_t n = buckets < WINDOW ? WINDOW : buckets;
	struct limit *l = xcalloc(1, sizeof(*l) + n * sizeof(l->buckets[0]));

	l->n = n;
	(void)pthread_mutex_init(&l->lock, NULL);
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) != sizeof(l->seed))
		l->seed = (uintptr_t)l;
	return l;
}

void limit_free(struct limit *l)
{
	if (!l)
		return;
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static uint64_t hash(uint64_t seed, const char *name)
{
	uint64_t h = seed ^ 0xcbf29ce484222325u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15u;
}

/* The bucket of @name, or the one in its window that was asked for longest ago. */
static struct bucket *find(struct limit *l, const char *name)
{
	uint64_t from = hash(l->seed, name);
	struct bucket *oldest = NULL;

	for (size_t i = 0; i < WINDOW; i++) {
		struct bucket *b = &l->buckets[(from + i) % l->n];

		if (strcmp(b->name, name) == 0)
			return b;
		if (!oldest || b->at_ms < oldest->at_ms)
			oldest = b;
	}
	oldest->name[0] = '\0';
	return oldest;
}

static void fill(struct bucket *b, const char *name, struct limit_rate rate, int64_t now_ms)
{
	int64_t full = (int64_t)rate.burst * THOUSAND, past = now_ms - b->at_ms;

	if (!b->name[0]) {
		(void)snprintf(b->name, sizeof(b->name), "%s", name);
		b->level = full;
	} else if (past > 0) {
		/* A day fills every bucket, and does not overflow. */
		past = past > 86400 * THOUSAND ? 86400 * THOUSAND : past;
		b->level += past * rate.per_second;
	}
	if (b->level > full)
		b->level = full;
	if (now_ms > b->at_ms)
		b->at_ms = now_ms;
}

bool limit_take(struct limit *l, const char *name, struct limit_rate rate, int64_t now_ms,
		unsigned int *ret_wait)
{
	char cut[LIMIT_NAME_MAX];
	struct bucket *b;
	bool ok;

	if (!rate.burst)
		return true;
	(void)snprintf(cut, sizeof(cut), "%s", name);
	(void)pthread_mutex_lock(&l->lock);
	b = find(l, cut);
	fill(b, cut, rate, now_ms);
	ok = b->level >= THOUSAND;
	if (ok) {
		b->level -= THOUSAND;
	} else {
		int64_t missing = THOUSAND - b->level;
		int64_t per_s = rate.per_second ? (int64_t)rate.per_second * THOUSAND : 1;

		*ret_wait = (unsigned int)((missing + per_s - 1) / per_s);
	}
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}
