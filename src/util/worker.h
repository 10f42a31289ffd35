/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A call that may never return from the kernel, made in a child of its own. The caller waits until
 * a deadline and no longer: a worker that is still there then is killed, and left alone if even
 * that does not reach it.
 */

#include "util/err.h"

/* What became of a worker that did not answer in time: its identity, 0 when it is gone. */
struct worker_left {
	pid_t pid;
	uint64_t start_ticks;
};

/*
 * Runs @fn(@arg) in a forked child and returns what it returned, with its sentence in @e. The child
 * may write into @answer, @size bytes shared with the caller, which is complete only if the call
 * did not time out. -ETIMEDOUT: no answer within @deadline_ms; @left (may be NULL) says whether a
 * process is stuck. -EPIPE: the child ended without an answer.
 *
 * The child has copies of the caller's descriptors: a flock must be released with LOCK_UN, not by
 * closing.
 */
int worker_run(int (*fn)(void *arg, void *answer, struct err *e), void *arg, void *answer,
	       size_t size, int deadline_ms, struct worker_left *left, struct err *e);
