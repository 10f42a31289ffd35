/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_ingest.h"

#include <errno.h>
#include <stdio.h>

#include "hub/store_old.h"
#include "util/clock.h"
#include "util/str.h"

/* What old agents say: each object as it came for their own lists, and into the tables of documents
 * (store_old.h). */

static const char *const kind_names[] = { "cluster", "node", "lxc", "qemu" };

static int take_text(void *ctx, const struct store_row *row)
{
	row_text(row, 0, ctx, STORE_NAME_MAX);
	return 0;
}

static int put(struct store *s, const struct old_object *o, const char *key, const char *cluster,
	       const char *node, struct err *e)
{
	CLEANUP(buf_done) struct buf name = {};

	/* A node is its agent's, whichever cluster the agent names later. */
	buf_addf(&name, "%s\n%s\n%s", kind_names[o->kind], key,
		 o->kind == STORE_NODE ? "" : cluster);
	digest_hash(buf_slice(&name), o->id);
	return STORE_RUN(s, SQL_NANNY_PUT, NULL, NULL, NULL, e, val_text(o->org), val_text(o->id),
			 val_text(kind_names[o->kind]), val_text(o->agent), val_text(cluster),
			 val_text(node), val_int(o->at), val_int(o->now), val_slice(o->body));
}

/* --- which cluster --- */

static void own_cluster(const struct old_object *o, char ret[STORE_NAME_MAX])
{
	(void)snprintf(ret, STORE_NAME_MAX, "agent:%.200s", o->agent);
}

/* What the agent's last cluster object named; "" before the first. */
static int joined_cluster(struct store *s, const struct old_object *o, char ret[STORE_NAME_MAX],
			  struct err *e)
{
	*ret = '\0';
	return STORE_RUN(s, SQL_NANNY_CLUSTER_OF, take_text, ret, NULL, e, val_text(o->org),
			 val_text(o->agent));
}

/* An agent's cluster: by the uuid that ours know, else as named by its last cluster object, else
 * its own. */
static int cluster_of(struct store *s, const struct old_object *o, char ret[STORE_NAME_MAX],
		      struct err *e)
{
	int r = 0;

	old_text(o->body, "cluster_uuid", ret, STORE_NAME_MAX);
	if (!*ret)
		r = joined_cluster(s, o, ret, e);
	if (!*ret)
		own_cluster(o, ret);
	return r;
}

/* The same, and locked: it may have got a name while this waited. */
static int lock_cluster_of(struct store *s, const struct old_object *o, char ret[STORE_NAME_MAX],
			   struct err *e)
{
	char again[STORE_NAME_MAX];
	int r = cluster_of(s, o, ret, e);

	if (r == 0)
		r = store_lock_cluster(s, o->org, ret, e);
	if (r == 0)
		r = cluster_of(s, o, again, e);
	if (r == 0 && strcmp(ret, again))
		return err_set(e, -ERESTART, "the agent has named its cluster meanwhile");
	return r;
}

/* --- the objects --- */

/* In the order in which documents take them. */
static int lock_both(struct store *s, const struct old_object *o, const char *a, const char *b,
		     struct err *e)
{
	bool in_order = strcmp(a, b) < 0;
	int r = store_lock_cluster(s, o->org, in_order ? a : b, e);

	return r < 0 ? r : store_lock_cluster(s, o->org, in_order ? b : a, e);
}

/* Its node and guests move from "agent:ID". */
static int join(struct store *s, const struct old_object *o, const char *key, struct err *e)
{
	char own[STORE_NAME_MAX];
	int r;

	own_cluster(o, own);
	r = lock_both(s, o, own, key, e);
	/* In NannyAPI's lists guests come again in a moment, as the cluster's. */
	if (r == 0)
		r = STORE_RUN(s, SQL_NANNY_FORGET, NULL, NULL, NULL, e, val_text(o->org),
			      val_text(o->agent), val_text(own));
	if (r == 0)
		r = STORE_RUN(s, SQL_NANNY_MOVE, NULL, NULL, NULL, e, val_text(o->org),
			      val_text(o->agent), val_text(own), val_text(key));
	return r < 0 ? r : old_move(s, o->org, own, key, e);
}

/* A name that is too long for a key is not cut, perhaps within a character. */
static void name_cluster(const char *name, char ret[STORE_NAME_MAX])
{
	char hash[DIGEST_HASH];

	digest_hash(slice_of(name), hash);
	(void)snprintf(ret, STORE_NAME_MAX, "name:%.200s", strlen(name) > 200 ? hash : name);
}

static int put_cluster(struct store *s, const struct old_object *o, struct err *e)
{
	char key[STORE_NAME_MAX], name[STORE_NAME_MAX], joined[STORE_NAME_MAX];
	int r;

	old_text(o->body, "uuid", key, sizeof(key));
	old_text(o->body, "name", name, sizeof(name));
	if (!*key)
		name_cluster(name, key);
	r = joined_cluster(s, o, joined, e);
	if (r == 0)
		r = strcmp(joined, key) ? join(s, o, key, e)
					: store_lock_cluster(s, o->org, key, e);
	if (r == 0)
		r = put(s, o, key, key, "", e);
	if (r == 0)
		r = STORE_RUN(s, SQL_NANNY_JOIN, NULL, NULL, NULL, e, val_text(o->org),
			      val_text(o->agent), val_text(key), val_int(o->at));
	return r < 0 ? r : old_put_cluster(s, o, key, e);
}

static int put_node(struct store *s, const struct old_object *o, struct err *e)
{
	char cluster[STORE_NAME_MAX], name[STORE_NAME_MAX], own[STORE_NAME_MAX];
	char key[2 * STORE_NAME_MAX];
	int r = lock_cluster_of(s, o, cluster, e);

	own_cluster(o, own);
	old_text(o->body, "name", name, sizeof(name));
	(void)snprintf(key, sizeof(key), "%s/%s", o->agent, name);
	if (r == 0)
		r = put(s, o, key, cluster, name, e);
	return r < 0 ? r : old_put_node(s, o, cluster, name, strcmp(cluster, own) == 0, e);
}

/* By cluster and number, never by node: one that moved is the same. */
static int put_guest(struct store *s, const struct old_object *o, struct err *e)
{
	char cluster[STORE_NAME_MAX], node[STORE_NAME_MAX], vmid[24], known[STORE_NAME_MAX] = "";
	int r = lock_cluster_of(s, o, cluster, e);

	old_text(o->body, "node", node, sizeof(node));
	old_text(o->body, "vmid", vmid, sizeof(vmid));
	if (r == 0)
		r = STORE_RUN(s, SQL_NANNY_NODE, take_text, known, NULL, e, val_text(o->org),
			      val_text(o->agent), val_text(node));
	if (r == 0 && !*known)
		return err_set(e, -ENOENT, "Node not found: %s", node);
	if (r == 0)
		r = put(s, o, vmid, cluster, node, e);
	return r < 0 ? r : old_put_guest(s, o, cluster, node, e);
}

static int store_one_object(struct store *s, void *ctx, struct err *e)
{
	const struct old_object *o = ctx;

	if (o->kind == STORE_CLUSTER)
		return put_cluster(s, o, e);
	return o->kind == STORE_NODE ? put_node(s, o, e) : put_guest(s, o, e);
}

int store_object(struct store *s, enum store_object kind, const char *org, const char *agent,
		 struct slice body, int64_t now, char ret_id[STORE_ID_MAX], struct err *e)
{
	static const char *const members[] = { "cluster", "node", "guest", "guest" };
	struct old_object o = {
		org, agent, kind,  kind_names[kind], digest_member(body, members[kind]),
		now, now,   ret_id
	};
	struct slice at = digest_plain(digest_member(body, "collected_at"));

	if (!o.body.p)
		return err_set(e, -EINVAL, "no %s", members[kind]);
	if (at.p && !clock_parse(at, &o.at))
		o.at = now;
	o.at = store_stamp(o.at, now);
	return store_transaction(s, store_one_object, &o, e);
}

struct nanny_list {
	struct buf *ret;
	size_t n;
};

static int add_item(void *ctx, const struct store_row *row)
{
	struct nanny_list *l = ctx;

	buf_adds(l->ret, l->n++ ? "," : "");
	buf_add(l->ret, row->col[0].p, row->col[0].n);
	return 0;
}

static int take_total(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

int store_nanny_list(struct store *s, const char *org, enum store_object kind,
		     const char *cluster_id, const char *node_id, unsigned int page,
		     unsigned int per_page, const char *id, struct buf *ret, struct err *e)
{
	static const enum sql items[] = { SQL_NANNY_CLUSTERS, SQL_NANNY_NODES, SQL_NANNY_LXC,
					  SQL_NANNY_QEMU };
	struct nanny_list l = { .ret = ret };
	struct store_value o = val_text(org), k = val_text(kind_names[kind]);
	struct store_value c = val_text(cluster_id), n = val_text(node_id), i = val_text(id);
	int64_t total = 0;
	int r = STORE_ONE(s, SQL_NANNY_COUNT, take_total, &total, NULL, e, o, k, c, n, i);

	page = page ? page : 1;
	per_page = per_page && per_page <= 500 ? per_page : 20;
	if (r == 0 && id && !total)
		return err_set(e, -ENOENT, "there is no such record");
	if (!id)
		buf_addf(ret,
			 "{\"page\":%u,\"perPage\":%u,\"totalItems\":%lld,\"totalPages\":%lld,"
			 "\"items\":[",
			 page, per_page, (long long)total,
			 (long long)((total + per_page - 1) / per_page));
	if (r == 0)
		r = STORE_RUN(s, items[kind], add_item, &l, NULL, e, o, k, c, n, i,
			      val_int(per_page), val_int((int64_t)(page - 1) * per_page));
	if (!id)
		buf_adds(ret, "]}");
	return r;
}

struct deletion {
	const char *org, *id;
	enum store_object kind;
};

static int delete_one(struct store *s, void *ctx, struct err *e)
{
	static const enum sql steps[] = { SQL_OLD_DELETE_NODE, SQL_OLD_DELETE_GUEST,
					  SQL_OLD_DELETE_CONFIG, SQL_NANNY_DELETE };
	const struct deletion *d = ctx;
	int64_t gone = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = STORE_RUN(s, steps[i], NULL, NULL, &gone, e, val_text(d->org), val_text(d->id),
			      val_text(kind_names[d->kind]));
	return r < 0 || gone ? r : err_set(e, -ENOENT, "there is no such record");
}

int store_nanny_delete(struct store *s, const char *org, enum store_object kind, const char *id,
		       struct err *e)
{
	struct deletion d = { org, id, kind };

	return store_transaction(s, delete_one, &d, e);
}
