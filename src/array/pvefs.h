/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * /etc/pve is pmxcfs, which may hang, and then holds whoever reads it. So what the service asks of
 * it runs in a thread of its own, which is waited for until a deadline and then given up, with all
 * that it works on. Until that thread is back nobody else asks: each gets the error at once.
 */

#include "pve/root.h"

enum { PVEFS_FILE_MS = 1500 }; /* for a file; a pmxcfs that works answers in one */

struct pvefs;

/* @root is kept as a copy of its own. */
struct pvefs *pvefs_open(const struct root *root);
void pvefs_close(struct pvefs *p);

/*
 * Runs @run(@job) within @wait_ms and returns what it has returned, with its sentence in @e.
 * -ETIMEDOUT: it was given up, or not begun, because pmxcfs hangs (-EAGAIN: no thread): then *@job
 * is NULL, and @drop frees it when nobody uses it any more. So a job has nothing that is not its
 * own.
 */
int pvefs_run(struct pvefs *p, int (*run)(void *job, const struct root *root, struct err *e),
	      void (*drop)(void *job), void **job, int wait_ms, struct err *e);
