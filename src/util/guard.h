/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A last deadline for a command that reads what may never answer: a pmxcfs that hangs holds its
 * reader where only a fatal signal ends it, so the reader cannot watch the clock itself. A thread
 * does: when the deadline passes, it calls @late and leaves the process with the status that comes
 * back. @late runs beside the stuck thread and may only write() what was prepared before.
 */

#include "util/base.h"

/* One guard a process. Returns 0 or -errno (then there is no guard, and nothing else changed). */
int guard_start(int deadline_ms, int (*late)(void *arg), void *arg);

/* The work is done: no more deadline. Waits for a @late that has already begun (it does not
 * return). */
void guard_stop(void);
