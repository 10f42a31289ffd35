/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <stdio.h>

enum { HOUR = 3600, FINE_S = 48 * HOUR, HOURS_S = 400 * 24 * HOUR };

struct retain {
	int64_t now;
	bool any;
};

static int take_next(void *ctx, const struct store_row *row)
{
	struct store *s = ctx;

	row_text(row, 0, s->retain_org, sizeof(s->retain_org));
	row_text(row, 1, s->retain_cluster, sizeof(s->retain_cluster));
	s->retain_any = true;
	return 0;
}

/* Whole hours only: what is gathered once is never gathered again. */
static int retain_cluster(struct store *s, int64_t now, struct err *e)
{
	static const enum sql steps[] = { SQL_GATHER_NODES, SQL_GATHER_STORAGES, SQL_GATHER_GUESTS,
					  SQL_DROP_NODES,   SQL_DROP_STORAGES,	 SQL_DROP_GUESTS };
	struct store_value org = val_text(s->retain_org), cluster = val_text(s->retain_cluster);
	int64_t gone = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = STORE_RUN(s, steps[i], NULL, NULL, NULL, e, org, cluster,
			      val_int((now - FINE_S) / HOUR * HOUR));
	if (r == 0)
		r = STORE_RUN(s, SQL_DROP_HOURS, NULL, NULL, NULL, e, org, cluster,
			      val_int(now - HOURS_S));
	if (r == 0)
		r = STORE_RUN(s, SQL_DROP_DOCS, NULL, NULL, &gone, e, org, cluster,
			      val_int(now - FINE_S));
	if (r == 0 && gone)
		r = STORE_RUN(s, SQL_DROP_VIEWS, NULL, NULL, NULL, e, org, cluster);
	return r;
}

static int retain_step(struct store *s, void *ctx, struct err *e)
{
	struct retain *t = ctx;
	int r;

	s->retain_any = false;
	r = STORE_RUN(s, SQL_RETAIN_NEXT, take_next, s, NULL, e, val_text(s->retain_org),
		      val_text(s->retain_cluster));
	t->any = s->retain_any;
	if (r < 0 || t->any)
		return r < 0 ? r : retain_cluster(s, t->now, e);
	r = STORE_RUN(s, SQL_DROP_TOKENS, NULL, NULL, NULL, e, val_int(t->now - FINE_S));
	return r < 0 ? r : STORE_RUN(s, SQL_DEVICE_EXPIRE, NULL, NULL, NULL, e, val_int(t->now));
}

int store_retain(struct store *s, int64_t now, unsigned int rows, bool *ret_more, struct err *e)
{
	struct retain t = { .now = now };
	char org[STORE_ORG_MAX], cluster[STORE_NAME_MAX];
	int r;

	(void)rows;
	memcpy(org, s->retain_org, sizeof(org));
	memcpy(cluster, s->retain_cluster, sizeof(cluster));
	r = store_transaction(s, retain_step, &t, e);
	if (r < 0) {
		memcpy(s->retain_org, org, sizeof(org));
		memcpy(s->retain_cluster, cluster, sizeof(cluster));
	} else if (!t.any) {
		*s->retain_org = *s->retain_cluster = '\0';
	}
	*ret_more = r == 0 && t.any;
	return r;
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
