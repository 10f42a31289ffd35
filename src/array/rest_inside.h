/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the files of rest.h share: no other may include it. */

#include <pthread.h>
#include <stdatomic.h>

#include "array/rest.h"
#include "array/resttoken.h"
#include "util/http.h"

struct rest_session {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool busy; /* one thread gets a token for all */
	struct resttoken token;
	unsigned int minor; /* of the API; 0: not asked yet */
	unsigned int share;
	uint64_t attempts; /* to get one; with what came of the last: */
	int result;
	bool cut; /* it failed because that caller had no more time, or no patience */
	struct err why;
	int64_t refused_until; /* monotonic ms: the array does not know the API token */
};

struct rest_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_client **idle;
	size_t n_idle, n_made, max;
	struct rest_turn *turns; /* who waits, in the order in which they came */
};

struct rest {
	char *url, *api_token, *token_name, *ca_file;
	bool check_ssl;
	int token_ttl;
	struct restfiles *files;
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
	struct rest_session session;
	struct rest_pool pool;
	_Atomic int64_t hold_until;   /* monotonic ms: it asked for a pause */
	_Atomic int64_t silent_until; /* monotonic ms: it did not answer; 0: the last time it did */
	_Atomic int64_t heard_at;     /* monotonic ms: its last answer */
	_Atomic int64_t failed_at;    /* monotonic ms: as rest_failed_at() */
	_Atomic int64_t lead_ms; /* the array's clock minus our monotonic one; INT64_MIN: unknown */
	_Atomic uint64_t requests, logins, errors, limited;
	_Atomic int64_t session_since, last_ok;
	_Atomic int last_error;
	uint32_t id;		 /* of this process, in X-Request-ID */
	_Atomic uint64_t serial; /* of the request */
};

/* One request, once. */
struct rest_attempt {
	const char *method, *path; /* "/api/..." */
	struct slice body;
	const char *api_token, *auth_token; /* headers; NULL without */
	bool changes;
};
struct rest_heard {
	struct http_answer http;
	struct buf auth_token, next, request_id;
	bool timed_out;
};
void rest_heard_done(struct rest_heard *h);

/* 0 with whatever status, or -EHOSTUNREACH (nothing was sent), -EINPROGRESS (sent, no answer). */
int rest_http(struct rest *r, const struct fa_call *c, const struct rest_attempt *a,
	      struct rest_heard *ret, struct err *e);

/* Until when @c waits for what may be silent: monotonic ms. */
int64_t rest_waits_until(const struct fa_call *c);

/* Who is silent is asked after all others for so long. */
enum { REST_SILENT_MS = 60 * 1000, REST_SPOKE_MS = 3000 };

/* It has answered something just before. */
bool rest_has_spoken(const struct rest *r);

/* While the array has asked for a pause every thread keeps it. -EAGAIN: that is longer than @c has,
 * or than it waits after @since for an array beside which there is another one. */
int rest_keep_hold(struct rest *r, const struct fa_call *c, int64_t since, struct err *e);
/* How long to wait after 429 or 503, the @tries-th after the first; after 429 every thread does. */
int64_t rest_hold(struct rest *r, const struct http_answer *a, unsigned int tries);
/* After 429 or 503, the @tries-th after the first. False: as above. */
bool rest_wait_busy(struct rest *r, const struct fa_call *c, int64_t since,
		    const struct http_answer *a, unsigned int tries);

/* Enough for one more rest_http(). */
bool rest_has_time(const struct fa_call *c, bool changes);

/* A token and the API's version. @refused: the one that was answered with 401; NULL. Errors mean
 * that nothing was done. */
int rest_session_get(struct rest *r, const struct fa_call *c, const char *refused,
		     struct resttoken *ret, unsigned int *ret_minor, struct err *e);
/* The next call asks again: Purity may have been replaced by an older one. */
void rest_session_forget_version(struct rest *r);
void rest_session_init(struct rest_session *s);
void rest_session_done(struct rest_session *s);

/* A connection of its own for this thread, from those that are kept. -EAGAIN: all are in use until
 * the deadline. */
int rest_borrow(struct rest *r, const struct fa_call *c, struct http_client **ret, struct err *e);
void rest_give_back(struct rest *r, struct http_client *client);
void rest_pool_init(struct rest_pool *p, int max);
void rest_pool_done(struct rest_pool *p);

void rest_cond_init(pthread_cond_t *c); /* waits by CLOCK_MONOTONIC */
uint32_t rest_random(void);
