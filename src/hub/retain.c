/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/retain.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "hub/hold.h"
#include "util/clock.h"

/* A document that waits behind a step gets its turn before the next one. */
enum { PAUSE_MS = 50, SETTLE_MS = 250, REST_MS = 60000, FAILED_MS = 5000, LEAP_S = 900 };

struct retain {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct hold hold;
	struct auth *auth;
	struct retain_clock clock;
	bool stopped;
};

bool retain_believes(struct retain_clock *c, int64_t now, int64_t boot_ms)
{
	int64_t lead = now - boot_ms / 1000;

	if (!c->begun || llabs(lead - c->lead) > LEAP_S)
		c->from_ms = boot_ms + RETAIN_BELIEVE_S * 1000ll;
	c->begun = true;
	c->lead = lead;
	return boot_ms >= c->from_ms;
}

/* One step; returns how long to rest after it. */
static int64_t step(struct retain *r)
{
	struct err e = {};
	struct store *s = hold_get(&r->hold, &e);
	bool more = false;
	int error;

	if (!s)
		return FAILED_MS;
	error = auth_write_used(r->auth, s, &e);
	if (!error && retain_believes(&r->clock, clock_now(), clock_boot_ms()))
		error = store_retain(s, clock_now(), &more, &e);
	if (error && store_is_lost(s))
		hold_failed(&r->hold, e.text);
	if (error)
		return FAILED_MS;
	return more ? PAUSE_MS : REST_MS;
}

static bool rest(struct retain *r, int64_t ms)
{
	struct timespec until;
	bool stopped;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	(void)pthread_mutex_lock(&r->lock);
	while (!r->stopped && pthread_cond_timedwait(&r->ended, &r->lock, &until) == 0)
		;
	stopped = r->stopped;
	(void)pthread_mutex_unlock(&r->lock);
	return !stopped;
}

/* What a large checkpoint would hold up, many small ones do not. */
static void settle(struct retain *r)
{
	struct err e = {};
	struct store *s = hold_get(&r->hold, &e);

	if (s && store_settle(s, &e) < 0)
		hold_failed(&r->hold, e.text);
}

static void *retain_main(void *arg)
{
	struct retain *r = arg;
	int64_t due = 0, left;

	(void)pthread_setname_np(pthread_self(), "retain");
	do {
		if (clock_boot_ms() >= due)
			due = clock_boot_ms() + step(r);
		settle(r);
		left = due - clock_boot_ms();
	} while (rest(r, left < 0 ? 0 : left < SETTLE_MS ? left : SETTLE_MS));
	/* What was noted since the last step. */
	(void)step(r);
	hold_done(&r->hold);
	return NULL;
}

int retain_start(struct retain **ret, const char *where, struct auth *auth, struct err *e)
{
	struct retain *r = xcalloc(1, sizeof(*r));
	pthread_condattr_t attr;
	int error;

	r->hold.where = where;
	r->auth = auth;
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&r->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	error = pthread_create(&r->thread, NULL, retain_main, r);
	if (error) {
		free(r);
		return err_set(e, -error, "cannot start a thread: %s", strerror(error));
	}
	*ret = r;
	return 0;
}

void retain_stop(struct retain *r)
{
	if (!r)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stopped = true;
	(void)pthread_cond_signal(&r->ended);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_join(r->thread, NULL);
	(void)pthread_cond_destroy(&r->ended);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}
