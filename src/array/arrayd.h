/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The socket of docs/array.md, 1: one connection, one request line, one reply line, closed. A
 * thread each; when all are busy the kernel keeps the line, so that whoever connected is served in
 * turn. It holds no state of its own: it may be killed at any moment.
 */

#include "util/buf.h"
#include "util/err.h"

enum {
	ARRAYD_REQUEST_MAX = 1024 * 1024, /* bytes */
	ARRAYD_CONNECTIONS_MAX = 64,	  /* served at the same time */
	ARRAYD_REQUEST_MS = 5000,	  /* a request is complete by then */
	ARRAYD_REPLY_MS = 10000,	  /* and its reply taken */
	ARRAYD_DRAIN_MS = 70000,	  /* longer than the longest deadline of a method */
	ARRAYD_BACKLOG = 1024,
};

struct arrayd_options {
	int listen_fd;	/* not owned */
	int workers_fd; /* readable or ended: serving ends with -EPIPE; -1 without */
	unsigned int connections;
	int request_ms, drain_ms;
	/* Answers one request; from many threads. What it returns is for the log alone. */
	int (*call)(void *arg, struct slice request, struct buf *reply);
	void *arg;
};

/*
 * Serves until SIGTERM or SIGINT: then what is under way is finished, for drain_ms at most, and 0
 * comes back. Those signals must be blocked in all threads (arrayd_block_signals()). -EPIPE: the
 * workers' process is gone. Only root and the caller's own user are answered. *@ret_left requests
 * were not finished: their threads still use what they were given.
 */
int arrayd_serve(const struct arrayd_options *o, unsigned int *ret_left, struct err *e);
void arrayd_block_signals(void);

/* A socket at @path for root alone; one that nobody serves is replaced. -EADDRINUSE. */
int arrayd_listen(const char *path, struct err *e);

/* The reply of docs/array.md, 4 that says no: for what did not become a call. */
void arrayd_refuse(struct buf *reply, int code, const char *sentence);
