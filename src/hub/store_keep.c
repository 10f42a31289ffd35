/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <stdio.h>

#include "hub/store_ingest.h"

enum { HOUR = 3600, HOURS_S = 400 * 24 * HOUR };

struct retain {
	int64_t now;
	char org[STORE_ORG_MAX], cluster[STORE_NAME_MAX]; /* whose turn it is */
	bool any, more; /* there is one; it has older hours still */
	bool gone;	/* documents of it went, in this step or an earlier one */
};

static int take_next(void *ctx, const struct store_row *row)
{
	struct retain *t = ctx;

	row_text(row, 0, t->org, sizeof(t->org));
	row_text(row, 1, t->cluster, sizeof(t->cluster));
	t->any = true;
	return 0;
}

static int take_oldest(void *ctx, const struct store_row *row)
{
	if (row->col[0].p)
		*(int64_t *)ctx = row_int(row, 0) / HOUR * HOUR;
	return 0;
}

/* Minutes before @slot, of whole hours. An hour knows which of its minutes it has. */
static int retain_minutes(struct store *s, const struct retain *t, int64_t slot, struct err *e)
{
	static const enum sql steps[] = { SQL_GATHER_NODES, SQL_GATHER_STORAGES, SQL_GATHER_GUESTS,
					  SQL_DROP_NODES,   SQL_DROP_STORAGES,	 SQL_DROP_GUESTS };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = STORE_RUN(s, steps[i], NULL, NULL, NULL, e, val_text(t->org),
			      val_text(t->cluster), val_int(slot));
	return r;
}

/* With the cluster locked, as for its documents: no minute comes between gathering and dropping,
 * and no other hub gathers the same ones. */
static int retain_cluster(struct store *s, struct retain *t, struct err *e)
{
	struct store_value org = val_text(t->org), cluster = val_text(t->cluster);
	int64_t until = t->now - STORE_MEMORY_S, oldest = until, gone = 0;
	int r = store_lock_cluster(s, t->org, t->cluster, e);

	if (r == 0)
		r = STORE_RUN(s, SQL_RETAIN_OLDEST, take_oldest, &oldest, NULL, e, org, cluster);
	t->more = oldest + HOUR < until / HOUR * HOUR;
	if (t->more)
		until = oldest + HOUR;
	if (r == 0)
		r = retain_minutes(s, t, until / HOUR * HOUR, e);
	if (r == 0)
		r = STORE_RUN(s, SQL_DROP_DOCS, NULL, NULL, &gone, e, org, cluster, val_int(until));
	t->gone = s->retain_gone || gone;
	if (r == 0 && !t->more)
		r = STORE_RUN(s, SQL_DROP_HOURS, NULL, NULL, NULL, e, org, cluster,
			      val_int(t->now - HOURS_S));
	if (r == 0 && !t->more && t->gone)
		r = STORE_RUN(s, SQL_DROP_VIEWS, NULL, NULL, NULL, e, org, cluster);
	return r;
}

static int retain_step(struct store *s, void *ctx, struct err *e)
{
	struct retain *t = ctx;
	int r;

	t->any = t->more = false;
	r = STORE_RUN(s, SQL_RETAIN_NEXT, take_next, t, NULL, e, val_text(s->retain_org),
		      val_text(s->retain_cluster));
	if (r < 0 || t->any)
		return r < 0 ? r : retain_cluster(s, t, e);
	r = STORE_RUN(s, SQL_DROP_TOKENS, NULL, NULL, NULL, e, val_int(t->now - STORE_MEMORY_S));
	if (r == 0)
		r = STORE_RUN(s, SQL_DROP_AGENTS, NULL, NULL, NULL, e,
			      val_int(t->now - STORE_MEMORY_S), val_int(t->now));
	return r < 0 ? r : STORE_RUN(s, SQL_DEVICE_EXPIRE, NULL, NULL, NULL, e, val_int(t->now));
}

/* A cluster that fails must not keep the others, and tokens, from their turn. */
static void go_past(struct store *s, struct retain *t, int error, const struct err *why)
{
	t->more = false;
	s->retain_error = error;
	(void)err_set(&s->retain_why, error, "cluster %s: %s", t->cluster, why->text);
}

static int end_round(struct store *s, struct err *e)
{
	int r = s->retain_error;

	*s->retain_org = *s->retain_cluster = '\0';
	s->retain_error = 0;
	return r < 0 ? err_set(e, r, "%s", s->retain_why.text) : 0;
}

int store_retain(struct store *s, int64_t now, bool *ret_more, struct err *e)
{
	struct retain t = { .now = now };
	struct err why = {};
	int r = store_transaction(s, retain_step, &t, &why);

	*ret_more = false;
	if (r < 0 && (!t.any || r == -EBUSY))
		return err_set(e, r, "%s", why.text);
	if (r < 0)
		go_past(s, &t, r, &why);
	s->retain_gone = t.more && t.gone;
	*ret_more = t.any;
	if (!t.any)
		return end_round(s, e);
	if (!t.more) {
		memcpy(s->retain_org, t.org, sizeof(t.org));
		memcpy(s->retain_cluster, t.cluster, sizeof(t.cluster));
	}
	return 0;
}

static int take_counts(void *ctx, const struct store_row *row)
{
	static const char *const names[] = { "documents", "clusters", "nodes", "guests", "events" };
	struct buf *ret = ctx;

	for (int i = 0; i < (int)ARRAY_SIZE(names); i++)
		buf_addf(ret, "%s\"%s\":%lld", i ? "," : "{", names[i], (long long)row_int(row, i));
	return 0;
}

int store_counts(struct store *s, struct buf *ret, struct err *e)
{
	int r = s->ops->ready(s, e);

	if (r == 0)
		r = s->ops->run(s, SQL_COUNTS, NULL, 0, take_counts, ret, NULL, e);
	if (r == 0)
		buf_addf(ret, ",\"bytes\":%lld}", (long long)s->ops->bytes(s));
	return r;
}
