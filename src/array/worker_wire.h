/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Between worker.c, which asks, and worker_serve.c, which forks: a request is one packet with the
 * descriptor for its reply; a reply is a head and, after success, as many bytes as it says. Both
 * ends are the same program.
 */

#include "array/worker.h"

enum worker_op {
	WORKER_LOOK,
	WORKER_LIST,
	WORKER_ATTACH,
	WORKER_PRUNE,
	WORKER_ASK,
	WORKER_DETACH,
	WORKER_FORGET,
	WORKER_RESIZE,
	WORKER_REFRESH,
	WORKER_STUCK,
};

struct worker_request {
	enum worker_op op;
	enum array_protocol protocol;
	int deadline_ms;
	uint64_t size;
	char serial[ARRAY_SERIAL_LEN + 1]; /* "" of those that concern all */
	union {
		struct map_want want;
		struct map_left left;
	};
};

struct worker_reply {
	int code;
	struct err e;
	size_t size; /* of what follows; 0 after an error */
};

/* The life of the process that forks. Ends when nobody holds the other end of @fd. */
NORETURN void worker_serve(int fd);

/* One call, in its own process: writes its reply to @reply. */
void worker_perform(const struct worker_request *q, int reply);
