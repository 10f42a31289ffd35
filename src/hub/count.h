/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The hub's own counters, for /metrics. Adding is an atomic increment, so that every thread may
 * count; what an org has sent is kept in a small table of its own.
 */

#include "hub/store.h"

enum count_what {
	COUNT_DOCUMENTS,  /* stored */
	COUNT_DUPLICATES, /* were there already */
	COUNT_OBJECTS,	  /* of NannyAPI's endpoints */
	COUNT_REFUSED,	  /* 4xx for what an agent sent */
	COUNT_LIMITED,	  /* 429 */
	COUNT_COMMITS,	  /* of documents */
	COUNT_COMMITS_FAILED,
	COUNT_REQUESTS,
	COUNT_CUT, /* slow or too large bodies, cut off */
	COUNT_MAX,
};

struct counts;
struct counts *counts_new(void);
void counts_free(struct counts *c);

void counts_add(struct counts *c, enum count_what what, uint64_t n);
uint64_t counts_get(const struct counts *c, enum count_what what);

/* How long a document waited for its answer. */
void counts_took(struct counts *c, int64_t us);

/* @org has sent @documents more. */
void counts_org(struct counts *c, const char *org, uint64_t documents);

struct counts_now {
	size_t waiting_bytes;
	unsigned int connections;
};

/* Prometheus' text: all of it, or with @org only what that org may know. */
void counts_write(struct counts *c, const char *org, const struct counts_now *now, struct buf *out);
