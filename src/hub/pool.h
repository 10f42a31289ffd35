/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The threads that look things up: whatever may wait for the database runs here, never in a thread
 * of the HTTP server. Each has its own store. Who speaks is found out by threads of their own, and
 * by others that have nothing else to do, so that no body waits for somebody's question. Within a
 * kind everybody has a line of his own (hub/lines.h).
 */

#include "hub/lines.h"
#include "hub/store.h"

enum pool_kind {
	POOL_WORK,
	POOL_READ,  /* questions: one thread at least is left for the others */
	POOL_LOGIN, /* passwords, made to take long: one at a time */
	POOL_ADMIT, /* who speaks */
	POOL_KINDS
};

struct pool_job {
	struct queue_item queue; /* first; org: in whose line it waits */
	enum pool_kind kind;
	/* @s is NULL while the database is away. Afterwards the job may be gone. */
	void (*run)(struct pool_job *job, struct store *s);
};

struct pool;

/* @n threads, and those that find out who speaks. */
int pool_start(struct pool **ret, const char *where, size_t n, struct err *e);

/* -ESHUTDOWN after pool_end() has begun. */
int pool_put(struct pool *p, struct pool_job *job);

/* Runs what waits, then ends the threads. pool_put() may still be called until pool_free(). */
void pool_end(struct pool *p);
void pool_free(struct pool *p);
