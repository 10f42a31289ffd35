/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include <stdio.h>

struct neighbour {
	bool there;
	char node[STORE_NAME_MAX], instance[64];
	int64_t seq, at;
	char hash[DIGEST_HASH], list[DIGEST_HASH], ids[DIGEST_HASH];
};

struct stream {
	enum sql near, events;
	char letter;
	const char *hash, *list, *ids; /* what the document says; "": it is not in this stream */
	struct neighbour before, after;
};

static int take_neighbour(void *ctx, const struct store_row *row)
{
	struct stream *st = ctx;
	struct neighbour *n = row_int(row, 0) ? &st->after : &st->before;

	n->there = true;
	row_text(row, 1, n->node, sizeof(n->node));
	row_text(row, 2, n->instance, sizeof(n->instance));
	n->seq = row_int(row, 3);
	n->at = row_int(row, 4);
	row_text(row, 5, n->hash, sizeof(n->hash));
	row_text(row, 6, n->list, sizeof(n->list));
	row_text(row, 7, n->ids, sizeof(n->ids));
	return 0;
}

static void key_of(const struct stream *st, const struct neighbour *n, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%c/%s/%s/%lld", st->letter, n->node, n->instance,
		       (long long)n->seq);
}

static int compare(struct store *s, const struct store_document *d, const struct stream *st,
		   const struct neighbour *before, const struct neighbour *now, struct err *e)
{
	char key[STORE_NAME_MAX + 128];

	if (!before->there || strcmp(before->hash, now->hash) == 0)
		return 0;
	key_of(st, now, key, sizeof(key));
	return STORE_RUN(s, st->events, NULL, NULL, NULL, e, val_text(d->org), val_text(d->cluster),
			 val_int(now->at), val_text(key), val_text(now->node),
			 val_text(before->hash), val_text(before->list), val_text(now->hash),
			 val_text(now->list));
}

/* What the next one differed in from the one before is now two steps. */
static int insert(struct store *s, const struct store_document *d, const struct stream *st,
		  struct err *e)
{
	struct neighbour self = { .there = true,
				  .seq = (int64_t)d->sequence,
				  .at = d->collected_at };
	char key[STORE_NAME_MAX + 128];
	int r;

	(void)snprintf(self.node, sizeof(self.node), "%s", d->node);
	(void)snprintf(self.instance, sizeof(self.instance), "%s", d->instance);
	(void)snprintf(self.hash, sizeof(self.hash), "%s", st->hash);
	(void)snprintf(self.list, sizeof(self.list), "%s", st->list);
	r = compare(s, d, st, &st->before, &self, e);
	if (r < 0 || !st->after.there)
		return r;
	key_of(st, &st->after, key, sizeof(key));
	r = STORE_RUN(s, SQL_EVENTS_DROP, NULL, NULL, NULL, e, val_text(d->org),
		      val_text(d->cluster), val_int(st->after.at), val_text(key));
	return r < 0 ? r : compare(s, d, st, &self, &st->after, e);
}

static int find_neighbours(struct store *s, const struct store_document *d, struct stream *st,
			   struct err *e)
{
	return STORE_RUN(s, st->near, take_neighbour, st, NULL, e, val_text(d->org),
			 val_text(d->cluster), val_text(d->node), val_int(d->collected_at),
			 val_int((int64_t)d->sequence), val_text(d->instance));
}

/* The same as the one before, and its list too: that is so for nearly all. */
static bool is_known(const struct stream *st)
{
	return !*st->hash ||
	       (st->before.there && strcmp(st->before.hash, st->hash) == 0 &&
		strcmp(st->before.list, st->list) == 0 && strcmp(st->before.ids, st->ids) == 0);
}

int store_events(struct store *s, const struct store_document *d, const struct digest *g,
		 int (*views)(struct store *s, const struct store_document *d,
			      const struct digest *g, struct err *e),
		 struct err *e)
{
	/* Without a list nobody has gone, so that nobody comes with the next one. */
	bool listed = g->complete == 1 && !g->empty_list;
	struct stream streams[] = {
		{ SQL_NEAR_OWN, SQL_EVENTS_OWN, 'g', listed ? g->own_hash : "", g->list_hash,
		  g->ids_hash },
		{ SQL_NEAR_HOST, SQL_EVENTS_HOST, 'h', g->host_hash, "", "" },
		{ SQL_NEAR_MEMBERS, SQL_EVENTS_MEMBERS, 'c', g->members_hash, "", "" },
	};
	bool known = listed;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(streams); i++) {
		if (*streams[i].hash)
			r = find_neighbours(s, d, &streams[i], e);
		known = known && is_known(&streams[i]);
	}
	if (r == 0 && !known)
		r = views(s, d, g, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(streams); i++)
		if (*streams[i].hash)
			r = insert(s, d, &streams[i], e);
	return r;
}
