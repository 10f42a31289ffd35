/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Starting a program that may never come back: its output is collected until a deadline, and a
 * child that is still there then is left alone, never waited for (it may sit in the kernel where no
 * signal reaches it).
 */

#include "util/buf.h"
#include "util/err.h"

/* How long a killed child may take to be gone before it counts as stuck in the kernel. */
enum { PROC_GRACE_MS = 200 };

struct proc_result {
	struct buf out, err;  /* stdout and stderr, cut at the given maximum */
	int status;	      /* exit status, 128 + signal, or -1 while it still runs */
	pid_t pid;	      /* of a child that was left behind, otherwise 0 */
	uint64_t start_ticks; /* field 22 of its /proc/PID/stat, with pid an identity */
};

void proc_result_done(struct proc_result *r);

/*
 * Runs argv (absolute path, no shell) with an empty environment but for PATH, LC_ALL=C and @env
 * (NULL terminated, may be NULL), stdin from /dev/null, and collects its output. -ETIMEDOUT: it was
 * killed at the deadline and did not end within a moment; pid and start_ticks say which one it is.
 * -EFBIG: it wrote more than @max_out. Other errors: it could not be started.
 */
int proc_run(const char *const argv[], const char *const env[], int deadline_ms, size_t max_out,
	     struct proc_result *ret, struct err *e);

/* The same with @input on its stdin. */
int proc_run_input(const char *const argv[], const char *const env[], struct slice input,
		   int deadline_ms, size_t max_out, struct proc_result *ret, struct err *e);

/* Field 22 of /proc/PID/stat; 0 when there is no such process. */
uint64_t proc_start_ticks(pid_t pid);
