/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The threads that look things up: whatever may wait for the database runs here, never in a thread
 * of the HTTP server. Each has its own store.
 */

#include "hub/store.h"

struct pool_job {
	struct pool_job *next;
	/* @s is NULL while the database is away. -EIO: it has failed, open it anew. */
	int (*run)(struct pool_job *job, struct store *s);
};

struct pool;
int pool_start(struct pool **ret, const char *where, size_t n, struct err *e);

/* -ESHUTDOWN after pool_end() has begun. */
int pool_put(struct pool *p, struct pool_job *job);

/* Runs what waits, then ends the threads. pool_put() may still be called until pool_free(). */
void pool_end(struct pool *p);
void pool_free(struct pool *p);
