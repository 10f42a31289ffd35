/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the pieces of store_ingest() offer one another. */

#include "hub/store_digest.h"
#include "hub/store_engine.h"

/* Makes the row of a cluster if need be and keeps other hubs away from it. */
int store_lock_cluster(struct store *s, const char *org, const char *cluster, struct err *e);

/* The rows of the guests that @which (SQL_SAMPLES_OF...) finds have all that is known of them, as
 * before anything is said of those again. @ids: its list; p is NULL if it has none. */
int store_settle_guests(struct store *s, const char *org, const char *cluster, enum sql which,
			struct slice ids, struct err *e);

/* What @host says of itself, for the minute of @at. */
int store_put_minute(struct store *s, const char *org, const char *cluster, const char *node,
		     int64_t at, int64_t seq, struct slice host, struct err *e);

/* Events between this document and its neighbours in each stream; what stood between those goes.
 * @views is called first, unless all of what the document says was said by its predecessors. */
int store_events(struct store *s, const struct store_document *d, const struct digest *g,
		 int (*views)(struct store *s, const struct store_document *d,
			      const struct digest *g, struct err *e),
		 struct err *e);
