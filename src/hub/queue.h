/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Where items wait for a thread: a line for each org, served in turn, so that a tenant that floods
 * waits for itself and not the others for it. Within a line the order stays. How much may wait is
 * the budget's matter (hub/budget.h). Safe for several threads.
 */

#include "hub/lines.h"

struct queue;
struct queue *queue_new(void);
void queue_free(struct queue *q); /* it has to be empty */

/* -ESHUTDOWN after queue_stop(). */
int queue_put(struct queue *q, struct queue_item *item);

/*
 * Waits until there is something, then takes up to @max items, one of each org in turn, and no more
 * than @max_bytes beyond the first. 0: stopped, and empty.
 */
size_t queue_take(struct queue *q, struct queue_item **ret, size_t max, size_t max_bytes);

/* No more is taken in; what waits is still handed out. */
void queue_stop(struct queue *q);

size_t queue_length(struct queue *q);
