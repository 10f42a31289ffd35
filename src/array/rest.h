/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * REST 2.x with one FlashArray: the version both speak, one session for all threads (and, by its
 * token file, for other processes and nodes), a few kept connections, and what is done when it is
 * busy, restarts or does not answer. Objects and their names are array/fa_*.c's.
 */

#include <time.h>

#include "array/fa.h"
#include "util/json.h"

struct rest;
struct restfiles;

struct rest_options {
	const char *url, *api_token;
	bool check_ssl;
	int token_ttl;		/* seconds */
	const char *token_name; /* its file, "pure_array0.json" */
	const char *ca_file;	/* NULL: the system's */
	int max_connections;
	struct restfiles *files; /* not owned */
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
};

struct rest *rest_open(const struct rest_options *o);
void rest_close(struct rest *r);
const char *rest_url(const struct rest *r);
void rest_counters(struct rest *r, struct fa_counters *ret);

struct rest_request {
	const char *method; /* "GET"; others change something */
	const char *path;   /* "volumes?names=..." */
	const char *what;   /* for sentences: "volume vg/vm-100-disk-0" */
	struct slice body;  /* JSON; p NULL without */
};
struct rest_reply {
	json_t *doc;	 /* NULL: the answer had no body */
	struct buf next; /* x-next-token */
	/* It was refused or not reached in the end, but an attempt before may have been carried out
	 * (503): a refusal may speak of our own doing. Said for failures. */
	bool doubtful;
	/* With -EINPROGRESS: the time was up, so that the array may be at it still. Else the
	 * connection ended. */
	bool timed_out;
};
void rest_reply_done(struct rest_reply *r);

/* Errors as fa.h has them; -EINPROGRESS: a changing request was sent, once, and nothing is known of
 * it. GETs are repeated within the deadline. */
int rest_call(struct rest *r, const struct fa_call *c, const struct rest_request *q,
	      struct rest_reply *ret, struct err *e);

/* "2.26", once a call went through; "" before. */
void rest_version(struct rest *r, char ret[16]);

/* The array's clock (Unix ms) at @monotonic_ms of ours, at the earliest; -1: it has not said. */
int64_t rest_array_time(struct rest *r, int64_t monotonic_ms);

/* As fa_was_silent(). */
bool rest_was_silent(const struct rest *r);

/* When it last gave no answer, one that it cannot serve (5xx), or forgot the session: it may have
 * been restarted or cut off. CLOCK_MONOTONIC, ms; 0: never. */
int64_t rest_failed_at(const struct rest *r);

/* A line for the request's log; secrets never go here. */
void rest_log(const struct rest *r, const struct fa_call *c, int level, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* CLOCK_MONOTONIC in milliseconds, as deadlines are; and back. */
int64_t rest_now_ms(void);
struct timespec rest_timespec(int64_t ms);
/* Sleeps, but not past the deadline. False: not enough time is left for that. */
bool rest_pause(const struct fa_call *c, int64_t ms);
