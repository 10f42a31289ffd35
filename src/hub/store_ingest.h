/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the pieces of store_ingest() offer one another: store_ingest.c is the transaction of a
 * batch, store_document.c one document and what it says of its cluster and node, store_guests.c the
 * rows of guests, store_history.c those of minutes, slots and storages, store_events.c what
 * changed.
 */

#include "hub/store_digest.h"
#include "hub/store_engine.h"

#define KEY(d) val_text((d)->org), val_text((d)->cluster)

/* In a transaction that has locked its cluster. -ETIME: took longer than a document may. */
int store_ingest_one(struct store *s, struct store_document *d, struct err *e);

/* The complete list of guests that a cluster was compared with last. @members: to be freed. */
struct store_closing {
	char list[DIGEST_HASH]; /* "" if some may have to be closed */
	int64_t at;
	struct buf members;
};
int store_closing(struct store *s, const struct store_document *d, struct store_closing *ret,
		  struct err *e);

/* The guests that a document shows are seen, those that a complete list has not are closed.
 * @ret_news: a guest was not known as the document has it. */
int store_put_guests(struct store *s, const struct store_document *d, const struct digest *g,
		     const struct store_closing *c, bool *ret_news, struct err *e);

int store_put_storages(struct store *s, const struct store_document *d, const struct digest *g,
		       struct err *e);

/* The node's minute and its guests' slot of five. */
int store_put_history(struct store *s, const struct store_document *d, const struct digest *g,
		      struct err *e);

/* The same, and the storages' minute, of a document about which nothing else is remembered. */
int store_put_late_history(struct store *s, const struct store_document *d, const struct digest *g,
			   struct err *e);

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
