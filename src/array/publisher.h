/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What arrayd does unasked, in two threads that no request waits for: it writes array.json every
 * 20 s, and when an array of a pod is back without connections for volumes that are in use here, or
 * a session without paths, it connects them again and looks for the paths, a few at a time, with a
 * look at everything before each few. What it sees to be another volume's name by now it believes
 * no more, and what a cut activation left open it verifies (array/doubt.h). Copies of snapshots
 * that were removed on another node it takes away when nobody has them open.
 */

#include "array/call.h"

enum {
	PUBLISH_S = 20,
	PUBLISH_DEADLINE_MS = 12000, /* for all that a survey asks */
	HEAL_AT_ONCE = 8,	     /* volumes a round; the next one follows at once */
};

struct publisher;

/* @ctx must outlive it. */
int publisher_start(struct publisher **ret, struct array_ctx *ctx, struct err *e);
/* False: a thread did not end in time, and @ctx must not be freed. */
bool publisher_stop(struct publisher *p);

/* Counts a request for the document; from any thread. */
void publisher_count(struct publisher *p, bool failed);
