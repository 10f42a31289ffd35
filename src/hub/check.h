/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A document from outside before it reaches the store: is it JSON, is it within its limits, has
 * every member that the statements use its type. One pass over the bytes without a tree; nothing is
 * allocated. The store's SQL relies on it.
 */

#include "agent/wire.h"
#include "hub/store.h"

struct check_fault {
	unsigned int status; /* 400 (no JSON), 413 or 422 */
	char path[256];	     /* "$.guests[3].vmid" */
	char why[256];
};

/* A clock so far ahead is wrong, and its owner should hear of it. */
enum { CHECK_AHEAD_MAX_S = 86400 };
#define CHECK_AHEAD "more than a day ahead of this clock"

/* Fills the envelope of @ret (cluster, node, instance, sequence, collected_at) into @texts; body is
 * @body itself. -EBADMSG with the fault. Times of the far future are refused (more than @now + a
 * day); those of the near one become store_stamp(). */
struct check_texts {
	char cluster[STORE_NAME_MAX], node[STORE_NAME_MAX], instance[64];
};
int check_document(struct slice body, int64_t now, struct check_texts *texts,
		   struct store_document *ret, struct check_fault *fault);

/* Any JSON object within depth, array and string limits (NannyAPI's posts, small requests). */
int check_object(struct slice body, struct check_fault *fault);
