/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include "util/str.h"

static int take_node(void *ctx, const struct store_row *row)
{
	row_text(row, 0, ctx, STORE_NAME_MAX);
	return 0;
}

static int settle_node(struct store *s, const char *org, const char *cluster, const char *node,
		       struct err *e)
{
	int r = STORE_RUN(s, SQL_SAMPLES_SETTLE, NULL, NULL, NULL, e, val_text(org),
			  val_text(cluster), val_text(node));

	return r < 0 ? r
		     : STORE_RUN(s, SQL_SAMPLES_DROP, NULL, NULL, NULL, e, val_text(org),
				 val_text(cluster), val_text(node));
}

int store_settle_guests(struct store *s, const char *org, const char *cluster, enum sql which,
			struct slice ids, struct err *e)
{
	const struct store_value values[] = { val_text(org), val_text(cluster), val_slice(ids) };
	char node[STORE_NAME_MAX];
	int r;

	do {
		*node = '\0';
		r = s->ops->run(s, which, values, ids.p ? 3 : 2, take_node, node, NULL, e);
		if (r == 0 && *node)
			r = settle_node(s, org, cluster, node, e);
	} while (r == 0 && *node);
	return r;
}

/* The next lines of a digest's live, as many as a part has, with the line ends around them. */
static bool next_part(struct slice *rest, struct slice *ret)
{
	size_t n = 1;

	for (int i = 0; i < GUESTS_PER_PART && n < rest->n; i++)
		n += slice_find(slice_from(*rest, n), '\n') + 1;
	*ret = (struct slice){ rest->p, n };
	*rest = slice_from(*rest, n - 1);
	return n > 1;
}

/* @with each part; stops with 0 if the first one changed nothing, else returns 1. */
static int each_part(struct store *s, const struct store_document *d, const struct digest *g,
		     enum sql with, struct err *e)
{
	struct slice rest = buf_slice(&g->live), part;
	int64_t changed = 1;
	int r = 0;

	for (int i = 0; r == 0 && changed && next_part(&rest, &part); i++)
		r = STORE_RUN(s, with, NULL, NULL, &changed, e, KEY(d), val_text(d->node),
			      val_int(d->collected_at), val_int((int64_t)d->sequence),
			      val_int(i + 1), val_slice(part),
			      i ? val_text("[]") : val_buf(&g->known));
	return r < 0 ? r : changed > 0;
}

/* Everything that a guest's sighting may bring, for documents with news. */
static int put_sightings(struct store *s, const struct store_document *d, const struct digest *g,
			 struct err *e)
{
	struct store_value at = val_int(d->collected_at), node = val_text(d->node);
	struct store_value seq = val_int((int64_t)d->sequence);
	struct store_value guests = val_buf(&g->guests), ids = val_buf(&g->ids);
	int r = STORE_RUN(s, SQL_GUESTS_PUT, NULL, NULL, NULL, e, KEY(d), at, node, seq, guests);

	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_FIRST, NULL, NULL, NULL, e, KEY(d), at, ids);
	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_REOPEN, NULL, NULL, NULL, e, KEY(d), at, node, seq,
			      ids);
	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_REPLACE, NULL, NULL, NULL, e, KEY(d), at, ids);
	return r;
}

static int take_closing(void *ctx, const struct store_row *row)
{
	struct store_closing *c = ctx;

	row_text(row, 0, c->list, sizeof(c->list));
	c->at = row_int(row, 1);
	buf_reset(&c->members);
	buf_add(&c->members, row->col[2].p, row->col[2].n);
	return 0;
}

int store_closing(struct store *s, const struct store_document *d, struct store_closing *ret,
		  struct err *e)
{
	return STORE_RUN(s, SQL_CLUSTER_CLOSING, take_closing, ret, NULL, e, KEY(d));
}

static int close_guests(struct store *s, const struct store_document *d, const struct digest *g,
			struct err *e)
{
	int64_t strayed = 0;
	int r = store_settle_guests(s, d->org, d->cluster, SQL_SAMPLES_OF_OTHERS, g->vmids, e);

	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_CLOSE, NULL, NULL, NULL, e, KEY(d),
			      val_int(d->collected_at), val_slice(g->vmids));
	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_STRAYED, row_take_int, &strayed, NULL, e, KEY(d),
			      val_slice(g->vmids));
	if (r < 0)
		return r;
	return STORE_RUN(s, SQL_CLUSTER_LIST, NULL, NULL, NULL, e, KEY(d),
			 val_text(strayed ? NULL : g->list_hash), val_int(d->collected_at));
}

/* What is known of all its guests already goes into rows of its own from now on. */
static int sample_guests(struct store *s, const struct store_document *d, const struct digest *g,
			 struct err *e)
{
	int r = each_part(s, d, g, SQL_SAMPLES_ADD, e);

	return r < 0 ? r
		     : STORE_RUN(s, SQL_GUESTS_SAMPLED, NULL, NULL, NULL, e, KEY(d),
				 val_text(d->node), val_buf(&g->known));
}

static int see_guests(struct store *s, const struct store_document *d, const struct digest *g,
		      bool *ret_news, struct err *e)
{
	int64_t known = 0;
	int r = g->n_guests ? each_part(s, d, g, SQL_SAMPLES_PUT, e) : 1;

	*ret_news = false;
	if (r != 0)
		return r < 0 ? r : 0;
	r = settle_node(s, d->org, d->cluster, d->node, e);
	if (r == 0)
		r = store_settle_guests(s, d->org, d->cluster, SQL_SAMPLES_OF, buf_slice(&g->ids),
					e);
	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_KNOWN, row_take_int, &known, NULL, e, KEY(d),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_buf(&g->known));
	*ret_news = known != (int64_t)g->n_guests;
	if (r < 0)
		return r;
	return *ret_news ? put_sightings(s, d, g, e) : sample_guests(s, d, g, e);
}

/* While all open guests are in the list that a document shows once more, and nothing later has been
 * looked at, there is nothing to close. */
int store_put_guests(struct store *s, const struct store_document *d, const struct digest *g,
		     const struct store_closing *c, bool *ret_news, struct err *e)
{
	bool complete = g->complete == 1 && !g->empty_list;
	int r = see_guests(s, d, g, ret_news, e);

	if (r == 0 && complete &&
	    (*ret_news || strcmp(c->list, g->list_hash) || d->collected_at < c->at))
		return close_guests(s, d, g, e);
	if (r == 0 && *ret_news && *c->list)
		r = STORE_RUN(s, SQL_CLUSTER_LIST, NULL, NULL, NULL, e, KEY(d), val_text(NULL),
			      val_int(0));
	return r;
}
