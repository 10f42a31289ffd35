/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Several calls at once that may each never return from the kernel, one child for each. Who called
 * goes on at the deadline with those that have answered. A child that is left behind stays in the
 * process group of its parent: whoever started that (array/worker.h) sees to it.
 */

#include "pve/root.h"

enum { FAN_MAX = 256, FAN_ANSWER_MAX = 64 };

struct fan_slot {
	bool done; /* false: no answer before the deadline */
	int code;  /* what the call returned; -ETIMEDOUT without an answer */
	struct err e;
	char answer[FAN_ANSWER_MAX];
};

/* The call for number @i of @ctx. It may write @answer. */
typedef int fan_fn(void *ctx, const struct root *root, size_t i, char *answer, struct err *e);

/*
 * Runs @fn for 0..@n-1, FAN_MAX at most, and fills @ret. Returns how many have answered, or -errno
 * when none could be started.
 */
int fan_run(fan_fn *fn, void *ctx, const struct root *root, size_t n, int deadline_ms,
	    struct fan_slot *ret, struct err *e);

/* One such call: its code, or -ETIMEDOUT. */
int fan_one(fan_fn *fn, void *ctx, const struct root *root, int deadline_ms, struct err *e);
