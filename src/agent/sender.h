/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A process that speaks with one server and may block in doing so: forked without exec, it loads
 * libcurl, keeps one connection and takes one request at a time over a socket. The token crosses
 * that socket with each request and is nowhere else.
 */

#include <sys/types.h>

#include "util/http.h"

enum {
	SENDER_ANSWER_MAX = 256 * 1024, /* no server has more to say to an agent */
	SENDER_DEADLINE_MS = 60 * 1000,
	SENDER_GRACE_MS = 5 * 1000, /* what a sender that keeps its deadline may take beyond it */
};

struct sender {
	pid_t pid;  /* 0: none runs */
	int fd;	    /* -1: none runs */
	pid_t left; /* one that was killed and is still there; 0: none */
	bool busy;
	struct buf out; /* what the socket has not taken yet */
	size_t out_at;
	struct buf in;
};

/* @error is the transport's: then @why says it and the rest is empty. */
struct sender_answer {
	int error;
	char why[512];
	struct http_answer http;
};
void sender_answer_done(struct sender_answer *a);

/* @s is zeroed, or was stopped. @ca_file: NULL for the system's. -errno with a sentence. The caller
 * has no threads. */
int sender_start(struct sender *s, const char *ca_file, struct err *e);
void sender_stop(struct sender *s);

/* Copies all of @call. -EBUSY: it has not answered the last one. */
int sender_ask(struct sender *s, const struct http_call *call);

/* When the socket is writable and sender_wants_to_write(). -EPIPE: it has died. */
static inline bool sender_wants_to_write(const struct sender *s)
{
	return s->out_at < s->out.len;
}
int sender_write(struct sender *s);

/* When it is readable. 1: *ret is whole; 0: more is to come; -EPIPE: it has died. */
int sender_take(struct sender *s, struct sender_answer *ret);
