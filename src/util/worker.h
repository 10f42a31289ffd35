/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A call that may never return from the kernel, made in a child of its own. The caller waits until
 * a deadline and no longer: a worker that is still there then is killed, and left alone if even
 * that does not reach it.
 */

#include "util/err.h"

/* How long a killed worker may take to be gone before it counts as stuck in the kernel. */
enum { WORKER_GRACE_MS = 100 };

/* What became of a worker that did not answer in time: its identity, 0 when it is gone. */
struct worker_left {
	pid_t pid;
	uint64_t start_ticks;
};

/*
 * Runs @fn(@arg) in a forked child and returns what it returned, with its sentence in @e. The child
 * may write into @answer, @size bytes shared with the caller; if the call timed out, it has what
 * was written so far. -ETIMEDOUT: no answer within @deadline_ms; @left (may be NULL) says whether a
 * process is stuck. -EPIPE: the child ended without an answer.
 *
 * The child closes all descriptors of the caller's and has /dev/null for the first three.
 */
int worker_run(int (*fn)(void *arg, void *answer, struct err *e), void *arg, void *answer,
	       size_t size, int deadline_ms, struct worker_left *left, struct err *e);
