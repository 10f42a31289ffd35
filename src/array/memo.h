/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Answers of an array that serve several callers: the volumes of a guest whose disks Proxmox
 * activates one after the other, the status that every daemon of Proxmox asks for. One fetch at a
 * time for a key; who asks meanwhile waits for that one. Any thread.
 */

#include "util/buf.h"
#include "util/err.h"

struct array_memo;

struct array_memo *array_memo_new(void);
void array_memo_free(struct array_memo *m);

/*
 * The bytes under @key if they are at most @max_age_ms old, else what @fetch gives. A failure is
 * not kept, but those who waited for that fetch get it too. -ETIMEDOUT: somebody else's fetch was
 * not done at @deadline (CLOCK_MONOTONIC, ms). An answer that array_memo_forget() has overtaken is
 * given to those who asked before, and not kept.
 */
int array_memo_get(struct array_memo *m, const char *key, int max_age_ms, int64_t deadline,
		   int (*fetch)(void *arg, struct buf *ret, struct err *e), void *arg,
		   struct buf *ret, struct err *e);

/* The bytes under @key if they are there and at most @max_age_ms old; asks and waits for nobody. */
bool array_memo_peek(struct array_memo *m, const char *key, int max_age_ms, struct buf *ret);

/* What is under keys that begin with @prefix is asked anew. */
void array_memo_forget(struct array_memo *m, const char *prefix);
