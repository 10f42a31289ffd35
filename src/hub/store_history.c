/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

enum { MINUTE = 60, GUEST_SLOT = 300, HOUR = 3600 };

static int put_storage_minutes(struct store *s, const struct store_document *d,
			       const struct digest *g, struct err *e)
{
	return STORE_RUN(s, SQL_STORAGE_MINUTE, NULL, NULL, NULL, e, KEY(d), val_text(d->node),
			 val_int(d->collected_at / MINUTE * MINUTE), val_int(d->collected_at),
			 val_int((int64_t)d->sequence), val_slice(g->storages));
}

static int sample_storages(struct store *s, const struct store_document *d, const struct digest *g,
			   enum sql with, int64_t *ret_changed, struct err *e)
{
	return STORE_RUN(s, with, NULL, NULL, ret_changed, e, KEY(d), val_text(d->node),
			 val_int(d->collected_at), val_int((int64_t)d->sequence), val_int(0),
			 val_buf(&g->storage_lines), val_buf(&g->storage_names));
}

static int replace_storages(struct store *s, const struct store_document *d, const struct digest *g,
			    struct err *e)
{
	struct store_value node = val_text(d->node), at = val_int(d->collected_at);
	struct store_value seq = val_int((int64_t)d->sequence);
	int r = STORE_RUN(s, SQL_STORAGES_PUT, NULL, NULL, NULL, e, KEY(d), node, at, seq,
			  val_slice(g->storages));

	if (r == 0)
		r = STORE_RUN(s, SQL_STORAGES_GONE, NULL, NULL, NULL, e, KEY(d), node, at, seq);
	return r < 0 ? r : sample_storages(s, d, g, SQL_SAMPLES_ADD, NULL, e);
}

int store_put_storages(struct store *s, const struct store_document *d, const struct digest *g,
		       struct err *e)
{
	int64_t newer = 0, same = 0;
	int r;

	if (!g->storages.p)
		return 0;
	r = put_storage_minutes(s, d, g, e);
	if (r == 0)
		r = STORE_RUN(s, SQL_STORAGES_NEWER, row_take_int, &newer, NULL, e, KEY(d),
			      val_text(d->node), val_int(d->collected_at),
			      val_int((int64_t)d->sequence), val_text(d->instance));
	if (r < 0 || newer)
		return r;
	r = sample_storages(s, d, g, SQL_SAMPLES_PUT, &same, e);
	return r < 0 || same ? r : replace_storages(s, d, g, e);
}

int store_put_minute(struct store *s, const char *org, const char *cluster, const char *node,
		     int64_t at, int64_t seq, struct slice host, struct err *e)
{
	struct slice v[DIGEST_MINUTE];

	digest_minute(host, v);
	return STORE_RUN(s, SQL_NODE_MINUTE, NULL, NULL, NULL, e, val_text(org), val_text(cluster),
			 val_text(node), val_int(at / MINUTE * MINUTE), val_int(at), val_int(seq),
			 val_slice(v[0]), val_slice(v[1]), val_slice(v[2]), val_slice(v[3]),
			 val_slice(v[4]), val_slice(v[5]), val_slice(v[6]), val_slice(v[7]));
}

static int put_minute(struct store *s, const struct store_document *d, const struct digest *g,
		      struct err *e)
{
	return g->host.p ? store_put_minute(s, d->org, d->cluster, d->node, d->collected_at,
					    (int64_t)d->sequence, g->host, e)
			 : 0;
}

/* The five minutes of an hour that @at is in. Those of one cluster begin in another minute than
 * those of the next, so that a fleet does not write all its guests in one minute and none in four.
 */
static int64_t guest_slot(const char *cluster, int64_t at)
{
	int64_t hour = at / HOUR * HOUR, slot;
	uint32_t sum = 0;

	for (const char *p = cluster; *p; p++)
		sum = sum * 31 + (unsigned char)*p;
	slot = at - (at - sum % (GUEST_SLOT / MINUTE) * MINUTE) % GUEST_SLOT;
	return slot > hour ? slot : hour;
}

int store_put_history(struct store *s, const struct store_document *d, const struct digest *g,
		      struct err *e)
{
	struct store_value node = val_text(d->node), at = val_int(d->collected_at);
	struct store_value seq = val_int((int64_t)d->sequence);
	int64_t taken = 0, slot = guest_slot(d->cluster, d->collected_at);
	int r = put_minute(s, d, g, e);

	if (r < 0 || !g->n_guests)
		return r;
	/* An earlier one of this slot with the same guests has all that this one could give. */
	r = STORE_RUN(s, SQL_SLOT_TAKEN, row_take_int, &taken, NULL, e, KEY(d), node, val_int(slot),
		      at, seq, val_text(d->instance), val_text(g->ids_hash));
	if (r < 0 || taken)
		return r;
	return STORE_RUN(s, SQL_GUEST_SLOT, NULL, NULL, NULL, e, KEY(d), val_int(slot), at, node,
			 seq, val_buf(&g->guests));
}

int store_put_late_history(struct store *s, const struct store_document *d, const struct digest *g,
			   struct err *e)
{
	int r = put_minute(s, d, g, e);

	if (r == 0 && g->n_guests)
		r = STORE_RUN(s, SQL_GUEST_SLOT_LATE, NULL, NULL, NULL, e, KEY(d),
			      val_int(guest_slot(d->cluster, d->collected_at)),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_buf(&g->guests));
	if (r == 0 && g->storages.p)
		r = put_storage_minutes(s, d, g, e);
	return r;
}
