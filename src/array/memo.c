/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/memo.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "util/clock.h"

/* Beyond this many keys the oldest answers go: keys are storages and guests, not what outsiders
 * choose. */
enum { MEMO_MAX = 512 };

struct entry {
	struct entry *next;
	char *key;
	struct buf value;
	int64_t at; /* 0: none */
	bool fetching;
	unsigned int asked;	/* counts fetches, so that who waits knows his own */
	unsigned int overtaken; /* the last fetch that a forget has overtaken */
	int error;		/* of the last fetch */
	struct err why;
	unsigned int users;
};

struct array_memo {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct entry *entries;
	size_t n;
};

struct array_memo *array_memo_new(void)
{
	struct array_memo *m = xcalloc(1, sizeof(*m));
	pthread_condattr_t attr;

	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&m->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	return m;
}

static void entry_free(struct entry *it)
{
	buf_done(&it->value);
	free(it->key);
	free(it);
}

void array_memo_free(struct array_memo *m)
{
	if (!m)
		return;
	while (m->entries) {
		struct entry *it = m->entries;

		m->entries = it->next;
		entry_free(it);
	}
	(void)pthread_cond_destroy(&m->changed);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

/* The one whose answer is oldest, of those that nobody is at. */
static void drop_oldest(struct array_memo *m)
{
	struct entry **oldest = NULL, *it;

	for (struct entry **at = &m->entries; *at; at = &(*at)->next)
		if (!(*at)->users && (!oldest || (*at)->at < (*oldest)->at))
			oldest = at;
	if (!oldest)
		return;
	it = *oldest;
	*oldest = it->next;
	m->n--;
	entry_free(it);
}

static struct entry *entry_of(struct array_memo *m, const char *key)
{
	struct entry *it = m->entries;

	while (it && strcmp(it->key, key) != 0)
		it = it->next;
	if (it)
		return it;
	if (m->n >= MEMO_MAX)
		drop_oldest(m);
	it = xcalloc(1, sizeof(*it));
	it->key = xstrdup(key);
	it->next = m->entries;
	m->entries = it;
	m->n++;
	return it;
}

static void fetch_now(struct array_memo *m, struct entry *it,
		      int (*fetch)(void *arg, struct buf *ret, struct err *e), void *arg)
{
	CLEANUP(buf_done) struct buf got = {};
	struct err why = {};
	unsigned int mine = ++it->asked;
	int error;

	it->fetching = true;
	(void)pthread_mutex_unlock(&m->lock);
	error = fetch(arg, &got, &why);
	(void)pthread_mutex_lock(&m->lock);
	it->fetching = false;
	it->error = error;
	it->why = why;
	it->at = error || it->overtaken == mine ? 0 : clock_mono_ms();
	buf_reset(&it->value);
	if (!error)
		buf_add(&it->value, got.data, got.len);
	(void)pthread_cond_broadcast(&m->changed);
}

/* Waits for the fetch that is under way. */
static int wait_for(struct array_memo *m, struct entry *it, int64_t deadline, struct err *e)
{
	struct timespec until = { deadline / 1000, deadline % 1000 * 1000000 };
	unsigned int theirs = it->asked;

	while (it->fetching && it->asked == theirs)
		if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == ETIMEDOUT &&
		    it->fetching && it->asked == theirs)
			return err_set(e, -ETIMEDOUT,
				       "no answer in time to what another call asks as well");
	return 0;
}

static int get(struct array_memo *m, struct entry *it, int max_age_ms, int64_t deadline,
	       int (*fetch)(void *arg, struct buf *ret, struct err *e), void *arg, struct err *e)
{
	while (it->fetching) {
		/* What was forgotten before we asked is not told to us by a fetch of before. */
		bool too_old = it->overtaken == it->asked;
		int error = wait_for(m, it, deadline, e);

		if (error || !too_old)
			return error;
	}
	if (!it->at || clock_mono_ms() - it->at > max_age_ms)
		fetch_now(m, it, fetch, arg);
	return 0;
}

int array_memo_get(struct array_memo *m, const char *key, int max_age_ms, int64_t deadline,
		   int (*fetch)(void *arg, struct buf *ret, struct err *e), void *arg,
		   struct buf *ret, struct err *e)
{
	struct entry *it;
	int error;

	buf_reset(ret);
	(void)pthread_mutex_lock(&m->lock);
	it = entry_of(m, key);
	it->users++;
	error = get(m, it, max_age_ms, deadline, fetch, arg, e);
	it->users--;
	if (!error && it->error)
		error = err_set(e, it->error, "%s", it->why.text);
	else if (!error)
		buf_add(ret, it->value.data, it->value.len);
	(void)pthread_mutex_unlock(&m->lock);
	return error;
}

bool array_memo_peek(struct array_memo *m, const char *key, int max_age_ms, struct buf *ret)
{
	bool found = false;

	buf_reset(ret);
	(void)pthread_mutex_lock(&m->lock);
	for (struct entry *it = m->entries; it && !found; it = it->next) {
		found = it->at && clock_mono_ms() - it->at <= max_age_ms &&
			strcmp(it->key, key) == 0;
		if (found)
			buf_add(ret, it->value.data, it->value.len);
	}
	(void)pthread_mutex_unlock(&m->lock);
	return found;
}

void array_memo_forget(struct array_memo *m, const char *prefix)
{
	(void)pthread_mutex_lock(&m->lock);
	for (struct entry *it = m->entries; it; it = it->next)
		if (strncmp(it->key, prefix, strlen(prefix)) == 0) {
			it->at = 0;
			it->overtaken = it->asked;
		}
	(void)pthread_mutex_unlock(&m->lock);
}
