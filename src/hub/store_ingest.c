/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include <errno.h>
#include <stdio.h>

#include "util/clock.h"

enum { TOUCH_MS = 1000 };

struct batch {
	struct store_document *const *docs;
	size_t n;
	bool careful;		     /* each behind a savepoint */
	struct store_document *late; /* that took too long, and ended the transaction */
};

static int by_cluster(const void *a, const void *b)
{
	const struct store_document *x = *(struct store_document *const *)a;
	const struct store_document *y = *(struct store_document *const *)b;
	int r = strcmp(x->org, y->org);

	return r ? r : strcmp(x->cluster, y->cluster);
}

/* In one order everywhere, so that two hubs never wait for each other. */
static int lock_clusters(struct store *s, const struct batch *b, struct err *e)
{
	CLEANUP_FREE struct store_document **sorted =
		xcalloc(b->n, sizeof(struct store_document *));
	int r = 0;

	memcpy(sorted, b->docs, b->n * sizeof(*sorted));
	qsort(sorted, b->n, sizeof(*sorted), by_cluster);
	for (size_t i = 0; r == 0 && i < b->n; i++) {
		if (i && by_cluster(&sorted[i], &sorted[i - 1]) == 0)
			continue;
		r = store_lock_cluster(s, sorted[i]->org, sorted[i]->cluster, e);
	}
	return r;
}

int store_lock_cluster(struct store *s, const char *org, const char *cluster, struct err *e)
{
	int64_t at = -1;
	int r = STORE_RUN(s, SQL_CLUSTER_LOCK, row_take_int, &at, NULL, e, val_text(org),
			  val_text(cluster));

	if (r < 0 || at >= 0)
		return r;
	r = STORE_RUN(s, SQL_CLUSTER_ADD, NULL, NULL, NULL, e, val_text(org), val_text(cluster));
	return r < 0 ? r
		     : STORE_RUN(s, SQL_CLUSTER_LOCK, NULL, NULL, NULL, e, val_text(org),
				 val_text(cluster));
}

/* What is wrong with the whole, not with this document. */
static bool is_general(int r)
{
	return r == -EBUSY || r == -EIO || r == -ERESTART || r == -ENOSPC || r == -ENOTUNIQ;
}

static int ingest_carefully(struct store *s, struct store_document *d, struct err *e)
{
	struct err why = {};
	int r = s->ops->script(s, "SAVEPOINT document", e), back;

	if (r < 0)
		return r;
	r = store_ingest_one(s, d, &why);
	if (is_general(r) || r == -ETIME)
		return err_set(e, r, "%s", why.text);
	back = s->ops->script(s, r < 0 ? "ROLLBACK TO document" : "RELEASE document", e);
	d->error = r;
	(void)snprintf(d->why, sizeof(d->why), "%.255s", r < 0 ? why.text : "");
	return back;
}

/* One that took too long is tried once more: perhaps the database, or this program, stood still for
 * a while, and all that it was about then would be refused. With it all of the transaction is gone.
 */
static int ingest_in_time(struct store *s, struct batch *b, struct store_document *d, struct err *e)
{
	int r;

	if (d->late && d->error)
		return 0;
	r = s->ops->limit(s, s->document_ms, e);
	if (r == 0)
		r = b->careful ? ingest_carefully(s, d, e) : store_ingest_one(s, d, e);
	if (r == -ETIME)
		b->late = d;
	if (r == -ETIME && !d->late) {
		d->late = true;
	} else if (r == -ETIME) {
		d->error = r;
		(void)snprintf(d->why, sizeof(d->why), "took the database longer than %lld s",
			       (long long)s->document_ms / 1000);
	}
	return r;
}

static int ingest_batch(struct store *s, void *ctx, struct err *e)
{
	struct batch *b = ctx;
	int r = lock_clusters(s, b, e);

	for (size_t i = 0; r == 0 && i < b->n; i++)
		r = ingest_in_time(s, b, b->docs[i], e);
	return r;
}

static int touch_cluster(struct store *s, void *ctx, struct err *e)
{
	const struct store_document *d = ctx;

	return STORE_RUN(s, SQL_CLUSTER_TOUCH, NULL, NULL, NULL, e, KEY(d));
}

/* A disk that stalls makes everything late, also what is written and committed in a moment else: no
 * document is refused for that. */
static void judge_late(struct store *s, struct store_document *d)
{
	int64_t began = clock_boot_ms();

	if (store_transaction(s, touch_cluster, d, NULL) < 0 || clock_boot_ms() - began > TOUCH_MS)
		d->stalled = true;
	if (d->error != -ETIME || !d->stalled)
		return;
	d->error = -EREMOTEIO;
	(void)snprintf(d->why, sizeof(d->why), "the database stands still");
}

/* Once more without the one that took too long, or with a savepoint for each. */
static bool again(struct batch *b, int r)
{
	bool careful = b->careful;

	if (r == 0 || is_general(r))
		return false;
	b->careful = careful || r != -ETIME;
	return r == -ETIME || !careful;
}

/* First all in a row; only if one of them is refused, again with a savepoint for each. */
int store_ingest(struct store *s, struct store_document *const *docs, size_t n, struct err *e)
{
	struct batch b = { .docs = docs, .n = n };
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		docs[i]->error = 0;
		docs[i]->late = docs[i]->stalled = false;
	}
	if (!n)
		return 0;
	do {
		r = store_transaction(s, ingest_batch, &b, e);
		if (r == -ETIME)
			judge_late(s, b.late);
	} while (again(&b, r));
	return r == -ENOSPC ? -EIO : r;
}
