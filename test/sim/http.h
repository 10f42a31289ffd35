/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * An HTTP server on loopback with a thread for each connection, which may also end a connection in
 * the ways that go wrong. The only file that knows libmicrohttpd is http.c.
 */

#include "util/buf.h"
#include "util/err.h"

struct MHD_Connection;
struct http_server;

enum http_end {
	HTTP_ANSWER,
	HTTP_CLOSE,	  /* no answer: end of stream */
	HTTP_RESET,	  /* no answer: RST */
	HTTP_TRUNCATED,	  /* half of the body */
	HTTP_HALF_CLOSED, /* the answer, then this side is shut */
	HTTP_STALE,	  /* the answer, and the next request is cut off unread */
};

struct http_exchange {
	struct MHD_Connection *connection;
	const char *method, *url;
	bool first; /* of its connection */
	struct buf body;
	/* what the handler says */
	unsigned int status;
	struct buf reply;
	const char *type;
	struct {
		char name[24], value[64];
	} headers[6];
	size_t n_headers;
	enum http_end end;
};

typedef void http_handler(void *arg, struct http_exchange *x);

/* @cert and @key are PEM text, or NULL for plain HTTP. *port 0 becomes the one that was free. */
int http_start(int *port, const char *cert, const char *key, http_handler *handle, void *arg,
	       struct http_server **ret, struct err *e);
/* Waits for the handlers, so they must come to an end. */
void http_stop(struct http_server *h);

const char *http_header(const struct http_exchange *x, const char *name); /* NULL: not there */
void http_args(const struct http_exchange *x,
	       void (*each)(void *arg, const char *key, const char *value), void *arg);
void http_add_header(struct http_exchange *x, const char *name, const char *value);
