/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include <errno.h>
#include <stdio.h>

#include "agent/wire.h"
#include "hub/store_digest.h"
#include "util/clock.h"
#include "util/str.h"

enum { MINUTE = 60, GUEST_SLOT = 300, HOUR = 3600, TOUCH_MS = 1000 };

static struct store_value val_buf(const struct buf *b)
{
	return val_slice(buf_slice(b));
}

/* NULL for "". */
static struct store_value val_hash(const char *hash)
{
	return val_text(*hash ? hash : NULL);
}

static struct store_value val_truth(int t)
{
	return t < 0 ? val_no_int() : val_int(t);
}

#define KEY(d) val_text((d)->org), val_text((d)->cluster)

static int take_number(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

static int add_view(struct store *s, const struct store_document *d, const char *hash,
		    struct slice body, struct err *e)
{
	if (!*hash)
		return 0;
	return STORE_RUN(s, SQL_VIEW_ADD, NULL, NULL, NULL, e, KEY(d), val_text(hash),
			 val_slice(body));
}

/* The document's own line and what it compares with; 1 if it is there already. */
static int add_doc(struct store *s, const struct store_document *d, const struct digest *g,
		   struct err *e)
{
	bool listed = g->complete == 1 && !g->empty_list;
	int64_t added = 0;
	int r = STORE_RUN(s, SQL_DOC_ADD, NULL, NULL, &added, e, KEY(d), val_text(d->node),
			  val_text(d->instance), val_int((int64_t)d->sequence),
			  val_int(d->collected_at), val_int(d->received_at), val_text(g->ids_hash),
			  val_hash(listed ? g->list_hash : ""), val_hash(listed ? g->own_hash : ""),
			  val_hash(g->host_hash), val_hash(g->members_hash),
			  val_int(g->storages.p != NULL));

	return r < 0 ? r : !added;
}

/* Most are there since the document before: asked for only where a neighbour does not have them. */
static int add_views(struct store *s, const struct store_document *d, const struct digest *g,
		     struct err *e)
{
	const struct {
		const char *hash;
		struct slice body;
	} views[] = {
		{ g->ids_hash, buf_slice(&g->ids) },
		{ g->list_hash, g->vmids },
		{ g->own_hash, buf_slice(&g->own) },
		{ g->host_hash, buf_slice(&g->host_id) },
		{ g->members_hash, buf_slice(&g->members) },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(views); i++)
		r = add_view(s, d, views[i].hash, views[i].body, e);
	return r;
}

static int put_cluster(struct store *s, const struct store_document *d, const struct digest *g,
		       struct err *e)
{
	int r;

	if (!*g->members_hash)
		return 0;
	r = STORE_RUN(s, SQL_CLUSTER_PUT, NULL, NULL, NULL, e, KEY(d), val_int(d->collected_at),
		      val_text(d->node), val_int((int64_t)d->sequence), val_slice(g->cluster_name),
		      val_slice(g->config_version), val_truth(g->clustered), val_truth(g->quorate),
		      val_slice(g->nodes));
	return r < 0 ? r
		     : STORE_RUN(s, SQL_CLUSTER_MEMBERS, NULL, NULL, NULL, e, KEY(d),
				 val_slice(g->nodes));
}

static int put_findings(struct store *s, const struct store_document *d, const struct digest *g,
			struct err *e)
{
	int r = STORE_RUN(s, SQL_FINDINGS_CLEAR, NULL, NULL, NULL, e, KEY(d), val_text(d->node));

	if (r == 0 && g->dm_findings.p)
		r = STORE_RUN(s, SQL_FINDINGS_DM, NULL, NULL, NULL, e, KEY(d), val_text(d->node),
			      val_int(d->collected_at), val_slice(g->dm_findings));
	if (r == 0 && g->watch_guests.p)
		r = STORE_RUN(s, SQL_FINDINGS_WATCH, NULL, NULL, NULL, e, KEY(d), val_text(d->node),
			      val_int(d->collected_at), val_slice(g->watch_guests));
	return r;
}

struct before {
	char findings[DIGEST_HASH];
	bool wanted;
};

static int take_before(void *ctx, const struct store_row *row)
{
	struct before *b = ctx;

	row_text(row, 0, b->findings, sizeof(b->findings));
	b->wanted = row_int(row, 1);
	return 0;
}

static int put_node(struct store *s, const struct store_document *d, const struct digest *g,
		    const struct before *before, struct err *e)
{
	int64_t newest = 0;
	int r = STORE_RUN(s, SQL_NODE_PUT, NULL, NULL, &newest, e, KEY(d), val_text(d->node),
			  val_int(d->collected_at), val_int((int64_t)d->sequence),
			  val_text(d->instance), val_int(d->received_at), val_text(d->agent),
			  val_slice(g->version), val_buf(&g->data), val_text(g->findings_hash),
			  val_slice(g->parts));

	if (r < 0)
		return r;
	if (!newest)
		return STORE_RUN(s, SQL_NODE_HEARD, NULL, NULL, NULL, e, KEY(d), val_text(d->node),
				 val_int(d->received_at));
	return strcmp(before->findings, g->findings_hash) ? put_findings(s, d, g, e) : 0;
}

/* --- guests --- */

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
static int put_guests(struct store *s, const struct store_document *d, const struct digest *g,
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

struct closing {
	char list[DIGEST_HASH];
	int64_t at;
	struct buf members;
};

static int take_closing(void *ctx, const struct store_row *row)
{
	struct closing *c = ctx;

	row_text(row, 0, c->list, sizeof(c->list));
	c->at = row_int(row, 1);
	buf_reset(&c->members);
	buf_add(&c->members, row->col[2].p, row->col[2].n);
	return 0;
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
		r = STORE_RUN(s, SQL_GUESTS_STRAYED, take_number, &strayed, NULL, e, KEY(d),
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
		r = STORE_RUN(s, SQL_GUESTS_KNOWN, take_number, &known, NULL, e, KEY(d),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_buf(&g->known));
	*ret_news = known != (int64_t)g->n_guests;
	if (r < 0)
		return r;
	return *ret_news ? put_guests(s, d, g, e) : sample_guests(s, d, g, e);
}

/* While all open guests are in the list that a document shows once more, and nothing later has been
 * looked at, there is nothing to close. */
static int keep_guests(struct store *s, const struct store_document *d, const struct digest *g,
		       const struct closing *c, bool *ret_news, struct err *e)
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

/* --- storages, history --- */

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

static int put_storages(struct store *s, const struct store_document *d, const struct digest *g,
			struct err *e)
{
	int64_t newer = 0, same = 0;
	int r;

	if (!g->storages.p)
		return 0;
	r = put_storage_minutes(s, d, g, e);
	if (r == 0)
		r = STORE_RUN(s, SQL_STORAGES_NEWER, take_number, &newer, NULL, e, KEY(d),
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

static int put_history(struct store *s, const struct store_document *d, const struct digest *g,
		       struct err *e)
{
	struct store_value node = val_text(d->node), at = val_int(d->collected_at);
	struct store_value seq = val_int((int64_t)d->sequence);
	int64_t taken = 0, slot = guest_slot(d->cluster, d->collected_at);
	int r = put_minute(s, d, g, e);

	if (r < 0 || !g->n_guests)
		return r;
	/* An earlier one of this slot with the same guests has all that this one could give. */
	r = STORE_RUN(s, SQL_SLOT_TAKEN, take_number, &taken, NULL, e, KEY(d), node, val_int(slot),
		      at, seq, val_text(d->instance), val_text(g->ids_hash));
	if (r < 0 || taken)
		return r;
	return STORE_RUN(s, SQL_GUEST_SLOT, NULL, NULL, NULL, e, KEY(d), val_int(slot), at, node,
			 seq, val_buf(&g->guests));
}

/* --- one document --- */

struct answer {
	struct store_document *d;
	bool any;
};

static int take_member(void *ctx, const struct store_row *row)
{
	struct answer *a = ctx;
	struct store_document *d = a->d;

	if (row_int(row, 1)) {
		if (!*d->reporter)
			row_text(row, 0, d->reporter, sizeof(d->reporter));
		return 0;
	}
	buf_adds(&d->unheard, a->any ? ",\"" : "\"");
	for (size_t i = 0; i < row->col[0].n; i++) {
		char c = row->col[0].p[i];

		if (c == '"' || c == '\\')
			buf_addc(&d->unheard, '\\');
		if ((uint8_t)c < ' ')
			buf_addf(&d->unheard, "\\u%04x", (uint8_t)c);
		else
			buf_addc(&d->unheard, c);
	}
	buf_addc(&d->unheard, '"');
	a->any = true;
	return 0;
}

static int answer(struct store *s, struct store_document *d, const struct digest *g,
		  const struct buf *members, struct err *e)
{
	struct slice list = g->nodes.p ? g->nodes : buf_slice(members);
	int64_t interval = g->interval > 0 && g->interval < 86400 ? g->interval : WIRE_INTERVAL_S;
	struct answer a = { .d = d };
	int r = 0;

	*d->reporter = '\0';
	buf_reset(&d->unheard);
	buf_addc(&d->unheard, '[');
	if (list.n)
		r = STORE_RUN(s, SQL_ANSWER, take_member, &a, NULL, e, KEY(d), val_slice(list),
			      val_int(d->received_at - WIRE_HEARD_INTERVALS * interval),
			      val_int(d->received_at));
	buf_addc(&d->unheard, ']');
	if (!*d->reporter)
		(void)snprintf(d->reporter, sizeof(d->reporter), "%s", d->node);
	return r;
}

/* Deterministic, so that nothing has to be kept for it. */
static void make_id(struct store_document *d)
{
	CLEANUP(buf_done) struct buf key = {};

	buf_addf(&key, "%s\n%s\n%s\n%llu", d->cluster, d->node, d->instance,
		 (unsigned long long)d->sequence);
	digest_hash(buf_slice(&key), d->id);
}

static int store_new(struct store *s, const struct store_document *d, const struct digest *g,
		     const struct closing *closing, const struct before *before, bool *ret_wanted,
		     struct err *e)
{
	bool news = false;
	int r = store_events(s, d, g, add_views, e);

	if (r == 0)
		r = put_cluster(s, d, g, e);
	if (r == 0)
		r = put_node(s, d, g, before, e);
	if (r == 0)
		r = keep_guests(s, d, g, closing, &news, e);
	if (r == 0 && g->configs.n > 2)
		r = STORE_RUN(s, SQL_CONFIGS_PUT, NULL, NULL, NULL, e, KEY(d),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_slice(g->configs));
	if (r == 0 && (news || g->configs.n > 2))
		r = STORE_RUN(s, SQL_NODE_WANTED, NULL, NULL, NULL, e, KEY(d), val_text(d->node));
	if (r == 0)
		r = put_storages(s, d, g, e);
	*ret_wanted = news || g->configs.n > 2;
	return r < 0 ? r : put_history(s, d, g, e);
}

static int ingest_digested(struct store *s, struct store_document *d, const struct digest *g,
			   struct err *e)
{
	CLEANUP(buf_done) struct buf members = {};
	struct closing closing = {};
	struct before before = {};
	bool looked = false;
	int r = STORE_RUN(s, SQL_CLUSTER_CLOSING, take_closing, &closing, NULL, e, KEY(d));

	members = closing.members;
	if (r == 0)
		r = STORE_RUN(s, SQL_NODE_BEFORE, take_before, &before, NULL, e, KEY(d),
			      val_text(d->node));
	if (r == 0)
		r = add_doc(s, d, g, e);
	if (r < 0)
		return r;
	d->duplicate = r > 0;
	r = d->duplicate ? STORE_RUN(s, SQL_NODE_HEARD, NULL, NULL, NULL, e, KEY(d),
				     val_text(d->node), val_int(d->received_at))
			 : store_new(s, d, g, &closing, &before, &looked, e);
	if (r == 0 && looked)
		r = STORE_RUN(s, SQL_NODE_BEFORE, take_before, &before, NULL, e, KEY(d),
			      val_text(d->node));
	d->configs_wanted = before.wanted;
	return r < 0 ? r : answer(s, d, g, &members, e);
}

void store_prepare(struct store_document *d)
{
	d->digest = xcalloc(1, sizeof(*d->digest));
	digest_document(d->body, d->node, d->digest);
}

void store_document_done(struct store_document *d)
{
	if (d->digest)
		digest_done(d->digest);
	free(take_ptr(d->digest));
	buf_done(&d->unheard);
}

/* Older than what is remembered of documents: nobody can say any more whether it came before, what
 * stood beside it, or what later ones said of its guests. History takes it, as often as it comes,
 * and its node if that has said nothing later. */
static int ingest_forgotten(struct store *s, struct store_document *d, const struct digest *g,
			    struct err *e)
{
	CLEANUP(buf_done) struct buf members = {};
	struct closing closing = {};
	struct before before = {};
	int r = STORE_RUN(s, SQL_CLUSTER_CLOSING, take_closing, &closing, NULL, e, KEY(d));

	members = closing.members;
	if (r == 0)
		r = STORE_RUN(s, SQL_NODE_BEFORE, take_before, &before, NULL, e, KEY(d),
			      val_text(d->node));
	if (r == 0)
		r = put_node(s, d, g, &before, e);
	if (r == 0)
		r = put_minute(s, d, g, e);
	if (r == 0 && g->n_guests)
		r = STORE_RUN(s, SQL_GUEST_SLOT_LATE, NULL, NULL, NULL, e, KEY(d),
			      val_int(guest_slot(d->cluster, d->collected_at)),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_buf(&g->guests));
	if (r == 0 && g->storages.p)
		r = put_storage_minutes(s, d, g, e);
	d->duplicate = false;
	d->configs_wanted = before.wanted;
	return r < 0 ? r : answer(s, d, g, &members, e);
}

static int ingest_one(struct store *s, struct store_document *d, struct err *e)
{
	CLEANUP(digest_done) struct digest own = {};
	const struct digest *g;

	make_id(d);
	d->error = 0;
	if (!d->digest)
		digest_document(d->body, d->node, &own);
	g = d->digest ? d->digest : &own;
	if (d->collected_at < d->received_at - STORE_MEMORY_S)
		return ingest_forgotten(s, d, g, e);
	return ingest_digested(s, d, g, e);
}

/* --- all of them --- */

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
	int r = STORE_RUN(s, SQL_CLUSTER_LOCK, take_number, &at, NULL, e, val_text(org),
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
	r = ingest_one(s, d, &why);
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
		r = b->careful ? ingest_carefully(s, d, e) : ingest_one(s, d, e);
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
