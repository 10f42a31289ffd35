/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One thread's store, opened when it is first needed and opened anew after it failed, at once if
 * that was not tried within the last second: a database that is away for a while is no reason to
 * end.
 */

#include "hub/store.h"

struct hold {
	const char *where;
	struct store *store;
	int64_t tried_ms;
	bool told;     /* that it is away */
	bool refusing; /* the last write failed, and that was said */
};

/* The store, or NULL with the sentence: it is away. */
struct store *hold_get(struct hold *h, struct err *e);

/* What hold_get() gave has failed: it is opened anew next time. */
void hold_failed(struct hold *h, const char *why);

/* How writing into it went (0, or -errno with a sentence): a disk that is full is no lost
 * connection. What changes is said, once. */
void hold_wrote(struct hold *h, int error, const char *why);
void hold_done(struct hold *h);
