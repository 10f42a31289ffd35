/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/rest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

#include "array/rest_inside.h"
#include "util/clock.h"

enum { CONNECTIONS = 4, LINE_MAX_BYTES = 4096 };

/* --- time, chance, words --------------------------------------------------------------------- */

int64_t rest_now_ms(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct timespec rest_timespec(int64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
				  .tv_nsec = (long)(ms % 1000) * 1000000 };
}

bool rest_pause(const struct fa_call *c, int64_t ms)
{
	int64_t end = rest_now_ms() + ms;
	struct timespec until = rest_timespec(end);

	if (end >= c->deadline)
		return false;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
	return true;
}

int64_t rest_waits_until(const struct fa_call *c)
{
	int64_t end = rest_now_ms() + c->patience_ms;

	return c->patience_ms && end < c->deadline ? end : c->deadline;
}

uint32_t rest_random(void)
{
	uint32_t n = 0;

	/* Only spreads what would meet: the clock does as well. */
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != (ssize_t)sizeof(n))
		n = (uint32_t)clock_boot_us();
	return n;
}

void rest_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(c, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void rest_log(const struct rest *r, const struct fa_call *c, int level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof(line), "%s: ", r->url);
	va_list args;

	if ((!c->log && !r->log) || n < 0 || (size_t)n >= sizeof(line))
		return;
	va_start(args, fmt);
	(void)vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
	va_end(args);
	if (c->log)
		c->log(c->log_arg, level, line);
	else
		r->log(r->log_arg, level, line);
}

/* --- the object ------------------------------------------------------------------------------ */

struct rest *rest_open(const struct rest_options *o)
{
	struct rest *r = xcalloc(1, sizeof(*r));

	r->url = xstrdup(o->url);
	r->api_token = xstrdup(o->api_token);
	r->token_name = xstrdup(o->token_name);
	r->ca_file = o->ca_file ? xstrdup(o->ca_file) : NULL;
	r->check_ssl = o->check_ssl;
	r->token_ttl = o->token_ttl;
	r->files = o->files;
	r->log = o->log;
	r->log_arg = o->log_arg;
	r->id = rest_random();
	r->lead_ms = INT64_MIN;
	rest_session_init(&r->session);
	rest_pool_init(&r->pool, o->max_connections > 0 ? o->max_connections : CONNECTIONS);
	return r;
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void rest_close(struct rest *r)
{
	if (!r)
		return;
	rest_pool_done(&r->pool);
	rest_session_done(&r->session);
	free_secret(r->api_token);
	free(r->url);
	free(r->token_name);
	free(r->ca_file);
	free(r);
}

const char *rest_url(const struct rest *r)
{
	return r->url;
}

bool rest_was_silent(const struct rest *r)
{
	return rest_now_ms() < r->silent_until;
}

bool rest_has_spoken(const struct rest *r)
{
	return rest_now_ms() - r->heard_at < REST_SPOKE_MS;
}

int64_t rest_failed_at(const struct rest *r)
{
	return r->failed_at;
}

void rest_counters(struct rest *r, struct fa_counters *ret)
{
	*ret = (struct fa_counters){ .requests = r->requests,
				     .logins = r->logins,
				     .errors = r->errors,
				     .limited = r->limited,
				     .session_since = r->session_since,
				     .last_ok = r->last_ok,
				     .last_error = r->last_error };
}

int64_t rest_array_time(struct rest *r, int64_t monotonic_ms)
{
	int64_t lead = r->lead_ms;

	return lead == INT64_MIN ? -1 : lead + monotonic_ms;
}

/* --- kept connections ------------------------------------------------------------------------ */

void rest_pool_init(struct rest_pool *p, int max)
{
	(void)pthread_mutex_init(&p->lock, NULL);
	rest_cond_init(&p->changed);
	p->max = (size_t)max;
	p->idle = xcalloc(p->max, sizeof(struct http_client *));
}

void rest_pool_done(struct rest_pool *p)
{
	for (size_t i = 0; i < p->n_idle; i++)
		http_client_close(p->idle[i]);
	free(p->idle);
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
}

/* A thread that waits for its turn. */
struct rest_turn {
	struct rest_turn *next;
};

/* Under the lock. */
static struct rest_turn **place_of(struct rest_pool *p, const struct rest_turn *turn)
{
	struct rest_turn **at = &p->turns;

	while (*at != turn)
		at = &(*at)->next;
	return at;
}

/* Under the lock: the warmest one, or NULL with room for another counted as made. */
static bool take_place(struct rest_pool *p, struct http_client **ret)
{
	*ret = NULL;
	if (p->n_idle)
		*ret = p->idle[--p->n_idle];
	else if (p->n_made < p->max)
		p->n_made++;
	else
		return false;
	return true;
}

static void give_place(struct rest_pool *p, struct http_client *client)
{
	(void)pthread_mutex_lock(&p->lock);
	if (client)
		p->idle[p->n_idle++] = client;
	else
		p->n_made--;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
}

/* Under the lock. Many callers at an array that answers are no silence of it: their turn comes. Not
 * where its answer can be had from another one instead. */
static bool wait_turn(struct rest *r, const struct fa_call *c, int64_t *until)
{
	struct timespec ts = rest_timespec(*until);

	if (pthread_cond_timedwait(&r->pool.changed, &r->pool.lock, &ts) != ETIMEDOUT)
		return true;
	if (c->enough || *until >= c->deadline || !rest_has_spoken(r))
		return false;
	*until = rest_now_ms() + REST_SPOKE_MS;
	if (*until > c->deadline)
		*until = c->deadline;
	return true;
}

/* Under the lock. Who comes later does not overtake: else a thread that asks one thing after the
 * other would have its place back before anybody who waits. */
static bool take_turn(struct rest *r, const struct fa_call *c, struct http_client **ret)
{
	int64_t until = rest_waits_until(c);
	struct rest_pool *p = &r->pool;
	struct rest_turn mine = {};
	bool taken;

	*place_of(p, NULL) = &mine;
	while (!(taken = p->turns == &mine && take_place(p, ret)) && wait_turn(r, c, &until))
		;
	*place_of(p, &mine) = mine.next;
	/* There may be a place for the next one as well. */
	(void)pthread_cond_broadcast(&p->changed);
	return taken;
}

int rest_borrow(struct rest *r, const struct fa_call *c, struct http_client **ret, struct err *e)
{
	struct rest_pool *p = &r->pool;
	bool taken;
	int code;

	(void)pthread_mutex_lock(&p->lock);
	taken = take_turn(r, c, ret);
	(void)pthread_mutex_unlock(&p->lock);
	if (!taken)
		return err_set(e, -EAGAIN, "%s: all %zu connections are in use", r->url, p->max);
	if (*ret)
		return 0;
	code = http_client_open(ret, r->ca_file, e);
	if (code < 0)
		give_place(p, NULL);
	return code;
}

void rest_give_back(struct rest *r, struct http_client *client)
{
	give_place(&r->pool, client);
}
