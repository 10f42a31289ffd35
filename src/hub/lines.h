/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Where items wait in turn: a line for each name, an org or a stranger's address, so that who sends
 * much waits for himself and not the others for him. Within a line the order stays. The owner has
 * the lock (hub/queue.h, hub/pool.h).
 */

#include "util/base.h"

enum { LINE_NAME_MAX = 80, LINES_CHAINS = 256 };

struct queue_item {
	struct queue_item *next;
	const char *org; /* in whose line; lives as long as the item */
	size_t bytes;
};

struct line;
struct lines {
	struct line *chains[LINES_CHAINS];
	struct line *turn, *last; /* whose turn it is, and who comes at the end */
	size_t n;
};

void lines_put(struct lines *l, struct queue_item *item);

/* The first one of the line whose turn it is; lines_peek() leaves it there. NULL: nobody waits. */
struct queue_item *lines_take(struct lines *l);
const struct queue_item *lines_peek(const struct lines *l);
