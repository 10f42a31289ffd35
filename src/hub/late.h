/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Requests that have to be here by a time: headers and bodies that trickle in. A thread looks after
 * them and cuts off those that are late, with a last word where the connection is not encrypted.
 */

#include <pthread.h>

#include "hub/count.h"

struct late_item {
	struct late_item *next, **at; /* at: NULL while nobody waits for it */
	int fd;
	bool plain;
	int64_t until_ms;
};

struct late {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	pthread_t thread;
	struct late_item *first;
	struct counts *counts;
	bool stopped;
};

int late_start(struct late *l, struct counts *counts, struct err *e);
void late_stop(struct late *l);

/* @item has to be finished by @until_ms (boot time), or is cut off. */
void late_watch(struct late *l, struct late_item *item, int64_t until_ms);

/* It has until then now; nothing, if nobody waits for it. */
void late_extend(struct late *l, struct late_item *item, int64_t until_ms);

/* It is finished, or its connection is about to be closed. */
void late_forget(struct late *l, struct late_item *item);
