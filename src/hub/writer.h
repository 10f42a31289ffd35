/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The threads that write. Each takes what waits for it, up to 64 documents, into one transaction,
 * and calls done() of every item after the commit. A transaction that takes long makes the next
 * ones smaller, so that nobody waits long behind a flood of others. Items of one node always go to
 * the same thread, so they are stored in the order in which they came.
 */

#include "hub/count.h"
#include "hub/queue.h"

enum { WRITER_BATCH = 64 };

struct write_item {
	struct queue_item queue;
	bool is_object;
	struct store_document document;
	struct {
		enum store_object kind;
		const char *org, *agent;
		struct slice body;
		int64_t now;
		char id[STORE_ID_MAX];
	} object;
	/* The answer: 0, or -errno and the sentence. -EIO and -EBUSY: try again later. */
	int error;
	struct err why;
	void *owner;			       /* of whoever waits for done() */
	void (*done)(struct write_item *item); /* from a writer's thread */
};

struct writers;

/* Starts @n threads; each opens its own store at @where. */
int writers_start(struct writers **ret, const char *where, size_t n, struct counts *counts,
		  struct err *e);

/* -ESHUTDOWN: it is over, done() will not be called. */
int writers_put(struct writers *w, struct write_item *item);

/* Finishes what waits, then ends the threads. writers_put() may be called until writers_free(). */
void writers_end(struct writers *w);
void writers_free(struct writers *w);
