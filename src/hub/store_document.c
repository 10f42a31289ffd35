/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include <stdio.h>

#include "agent/wire.h"

/* NULL for "". */
static struct store_value val_hash(const char *hash)
{
	return val_text(*hash ? hash : NULL);
}

static struct store_value val_truth(int t)
{
	return t < 0 ? val_no_int() : val_int(t);
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

/* What is known already, of the cluster and of the node. */
struct before {
	struct store_closing cluster;
	char findings[DIGEST_HASH];
	bool wanted;
};

static void before_done(struct before *b)
{
	buf_done(&b->cluster.members);
}

static int take_before(void *ctx, const struct store_row *row)
{
	struct before *b = ctx;

	row_text(row, 0, b->findings, sizeof(b->findings));
	b->wanted = row_int(row, 1);
	return 0;
}

static int look_at_node(struct store *s, const struct store_document *d, struct before *ret,
			struct err *e)
{
	return STORE_RUN(s, SQL_NODE_BEFORE, take_before, ret, NULL, e, KEY(d), val_text(d->node));
}

static int look_before(struct store *s, const struct store_document *d, struct before *ret,
		       struct err *e)
{
	int r = store_closing(s, d, &ret->cluster, e);

	return r < 0 ? r : look_at_node(s, d, ret, e);
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
		     const struct before *before, bool *ret_wanted, struct err *e)
{
	bool news = false;
	int r = store_events(s, d, g, add_views, e);

	if (r == 0)
		r = put_cluster(s, d, g, e);
	if (r == 0)
		r = put_node(s, d, g, before, e);
	if (r == 0)
		r = store_put_guests(s, d, g, &before->cluster, &news, e);
	if (r == 0 && g->configs.n > 2)
		r = STORE_RUN(s, SQL_CONFIGS_PUT, NULL, NULL, NULL, e, KEY(d),
			      val_int(d->collected_at), val_text(d->node),
			      val_int((int64_t)d->sequence), val_slice(g->configs));
	if (r == 0 && (news || g->configs.n > 2))
		r = STORE_RUN(s, SQL_NODE_WANTED, NULL, NULL, NULL, e, KEY(d), val_text(d->node));
	if (r == 0)
		r = store_put_storages(s, d, g, e);
	*ret_wanted = news || g->configs.n > 2;
	return r < 0 ? r : store_put_history(s, d, g, e);
}

static int ingest_digested(struct store *s, struct store_document *d, const struct digest *g,
			   struct err *e)
{
	CLEANUP(before_done) struct before before = {};
	bool looked = false;
	int r = look_before(s, d, &before, e);

	if (r == 0)
		r = add_doc(s, d, g, e);
	if (r < 0)
		return r;
	d->duplicate = r > 0;
	r = d->duplicate ? STORE_RUN(s, SQL_NODE_HEARD, NULL, NULL, NULL, e, KEY(d),
				     val_text(d->node), val_int(d->received_at))
			 : store_new(s, d, g, &before, &looked, e);
	if (r == 0 && looked)
		r = look_at_node(s, d, &before, e);
	d->configs_wanted = before.wanted;
	return r < 0 ? r : answer(s, d, g, &before.cluster.members, e);
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
	CLEANUP(before_done) struct before before = {};
	int r = look_before(s, d, &before, e);

	if (r == 0)
		r = put_node(s, d, g, &before, e);
	if (r == 0)
		r = store_put_late_history(s, d, g, e);
	d->duplicate = false;
	d->configs_wanted = before.wanted;
	return r < 0 ? r : answer(s, d, g, &before.cluster.members, e);
}

int store_ingest_one(struct store *s, struct store_document *d, struct err *e)
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
