/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * When tokens were used last. Requests only note it in memory, and of a token at most once an hour;
 * one thread writes what was noted, now and then, in one transaction.
 */

#include "hub/store.h"

enum { USED_EVERY_S = 3600 };

struct used;
struct used *used_new(void);
void used_free(struct used *u);

/* @t was shown and taken. Where there is no room it is left for its next use. */
void used_note(struct used *u, const struct store_token *t, int64_t now);

/* Writes what was noted; afterwards all that was noted before is in the store, also what another
 * thread was writing. What could not be written stays noted. */
int used_write(struct used *u, struct store *s, struct err *e);
