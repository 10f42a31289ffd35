/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One HTTP request and its answer, with a deadline, a size limit and the server's certificate
 * checked. Credentials come from memory and go nowhere else. https only, but for loopback.
 */

#include "util/buf.h"
#include "util/err.h"

struct http_request {
	const char *url;
	const char *user, *password; /* basic authentication; NULL without */
	const char *content_type;
	struct slice body;   /* POST */
	const char *ca_file; /* NULL: the system's */
	int deadline_ms;
	size_t max_answer;
};

/* 0 and the status with the answer's body, whatever the status is; or -errno with a sentence:
 * -ETIMEDOUT, -EACCES (certificate), -EINVAL (no such URL, http to another machine), -EIO. */
int http_post(const struct http_request *r, long *ret_status, struct buf *ret_body, struct err *e);

/*
 * A connection that is kept from one request to the next, for a server that is spoken to all the
 * time. TLS 1.2 at least, HTTP/1.1; no redirect is followed, so that a token goes to no other host.
 * One client serves one thread at a time.
 */
enum { HTTP_HEADER_MAX = 128 };

struct http_header {
	const char *name, *value; /* value NULL: not sent */
};
/* A header of the answer that is asked for: empty when it did not come. */
struct http_wanted {
	const char *name;
	struct buf value;
};

struct http_call {
	const char *url;
	const char *method;   /* NULL: POST with a body, else GET */
	const char *bearer;   /* NULL without */
	const char *agent_id; /* X-Agent-ID; NULL without */
	const struct http_header *headers;
	size_t n_headers;
	struct http_wanted *wanted; /* the caller frees the values */
	size_t n_wanted;
	struct slice body;	     /* JSON; p is NULL: none */
	int deadline_ms, connect_ms; /* connect_ms 0: 10 s */
	/* Asked now and then while it waits: true ends that, as if the time were up. NULL: never.
	 */
	bool (*enough)(void *arg, int64_t waited_ms);
	void *enough_arg;
	size_t max_answer;
	bool once;	 /* never sent a second time, also when a kept connection ends under it */
	bool unverified; /* any certificate will do */
	bool direct;	 /* no proxy, whatever the environment says */
};

struct http_answer {
	long status;
	/* False: it is certain that no byte of the request has left. Said for failures too. */
	bool sent;
	/* As the server wrote them; "" without, or when longer than any that is meant. */
	char content_type[HTTP_HEADER_MAX], retry_after[HTTP_HEADER_MAX];
	struct buf body;
};
void http_answer_done(struct http_answer *a);

struct http_client;

/* @ca_file: NULL for the system's. -errno with a sentence. */
int http_client_open(struct http_client **ret, const char *ca_file, struct err *e);
void http_client_close(struct http_client *c);

/* As http_post(). -EFBIG: the answer is longer than max_answer. */
int http_client_call(struct http_client *c, const struct http_call *call, struct http_answer *ret,
		     struct err *e);

/* "http://" goes to loopback alone. */
bool http_is_allowed(const char *url);
