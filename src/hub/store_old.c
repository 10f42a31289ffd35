/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_old.h"

#include <errno.h>
#include <stdio.h>

#include "hub/store_ingest.h"
#include "util/str.h"

enum { MIB = 1 << 20, OLD_SEQ = -1 };

void old_text(struct slice object, const char *key, char *ret, size_t size)
{
	struct slice v = digest_member(object, key);

	v = slice_eq(v, "null") ? SLICE("") : digest_plain(v);
	(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(v));
}

/* --- clusters and nodes --- */

static int put_members(struct store *s, const struct old_object *o, const char *cluster,
		       struct err *e)
{
	return STORE_RUN(s, SQL_OLD_MEMBERS, NULL, NULL, NULL, e, val_text(o->org),
			 val_text(cluster));
}

int old_put_cluster(struct store *s, const struct old_object *o, const char *cluster, struct err *e)
{
	int r = STORE_RUN(s, SQL_OLD_CLUSTER, NULL, NULL, NULL, e, val_text(o->org),
			  val_text(cluster), val_int(o->at), val_slice(o->body));

	return r < 0 ? r : put_members(s, o, cluster, e);
}

static void copy_member(struct buf *b, struct slice object, const char *key, const char *as)
{
	struct slice v = digest_member(object, key);

	if (!v.n || slice_eq(v, "null"))
		return;
	buf_addf(b, "%s\"%s\":", b->len > 1 ? "," : "", as);
	buf_add(b, v.p, v.n);
}

int old_put_node(struct store *s, const struct old_object *o, const char *cluster, const char *node,
		 bool alone, struct err *e)
{
	struct slice host = digest_member(o->body, "host");
	CLEANUP(buf_done) struct buf data = {};
	int64_t changed = 0;
	int r;

	buf_addc(&data, '{');
	copy_member(&data, o->body, "host", "host");
	copy_member(&data, o->body, "ip", "ip");
	copy_member(&data, o->body, "level", "level");
	buf_addc(&data, '}');
	r = STORE_RUN(s, SQL_OLD_NODE, NULL, NULL, &changed, e, val_text(o->org), val_text(cluster),
		      val_text(node), val_int(o->at), val_int(o->now), val_text(o->agent),
		      val_slice(o->body), val_buf(&data));
	if (r == 0 && alone)
		r = STORE_RUN(s, SQL_OLD_ALONE, NULL, NULL, NULL, e, val_text(o->org),
			      val_text(cluster), val_int(o->at));
	if (r == 0)
		r = put_members(s, o, cluster, e);
	if (r == 0 && changed && host.p)
		r = store_put_minute(s, o->org, cluster, node, o->at, OLD_SEQ, host, e);
	return r;
}

/* --- guests --- */

struct old_guest {
	int64_t vmid;
	char identity[STORE_NAME_MAX];
	bool known; /* there is a row of this number */
	struct {
		char identity[STORE_NAME_MAX], node[STORE_NAME_MAX], status[64];
		int64_t at;
		bool open;
	} before;
};

static int take_before(void *ctx, const struct store_row *row)
{
	struct old_guest *g = ctx;

	g->known = true;
	row_text(row, 0, g->before.identity, sizeof(g->before.identity));
	row_text(row, 1, g->before.node, sizeof(g->before.node));
	row_text(row, 2, g->before.status, sizeof(g->before.status));
	g->before.at = row_int(row, 3);
	g->before.open = row_int(row, 4);
	return 0;
}

static bool is_plain(const char *s)
{
	return s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_./")] ==
	       '\0';
}

/* As documents write it ("made/vmgenid"), if the config says when it was made: else the guest of
 * that number is the one that was known before. */
static void identify(const struct old_object *o, struct old_guest *g)
{
	struct slice config = digest_member(o->body, "config");
	char meta[256], vmgenid[65];
	const char *made;

	old_text(config, "meta", meta, sizeof(meta));
	old_text(config, "vmgenid", vmgenid, sizeof(vmgenid));
	made = strstr(meta, "ctime=");
	if (made && is_plain(vmgenid))
		(void)snprintf(g->identity, sizeof(g->identity), "%.*s/%s",
			       (int)strspn(made + 6, "0123456789"), made + 6, vmgenid);
	else
		(void)snprintf(g->identity, sizeof(g->identity), "%s",
			       g->known && is_plain(g->before.identity) ? g->before.identity : "/");
}

static void write_data(const struct old_object *o, struct buf *data, struct buf *live)
{
	struct slice mb = digest_member(o->body, "memory_mb");
	uint64_t n;

	buf_addc(data, '{');
	copy_member(data, o->body, "cpu_cores", "cpus");
	if (str_to_u64(mb, &n) && n < INT64_MAX / MIB)
		buf_addf(data, "%s\"maxmem\":%llu", data->len > 1 ? "," : "",
			 (unsigned long long)n * MIB);
	buf_addc(data, '}');
	buf_addc(live, '{');
	copy_member(live, o->body, "uptime", "uptime");
	buf_addc(live, '}');
}

static void write_config(const struct old_object *o, struct buf *b)
{
	static const char *const same[] = {
		"vmid",	      "type",	      "name",	    "memory_mb", "swap_mb",
		"rootfs",     "ostype",	      "arch",	    "hostname",	 "searchdomain",
		"nameserver", "unprivileged", "protection", "tags",	 "timezone",
		"vmgenid",    "config",	      "features",   "net0",
	};

	buf_addc(b, '{');
	copy_member(b, o->body, "cpu_cores", "cores");
	copy_member(b, o->body, "cpu", "cpu_type");
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		copy_member(b, o->body, same[i], same[i]);
	buf_addc(b, '}');
}

static int add_event(struct store *s, const struct old_object *o, const char *cluster,
		     const struct old_guest *g, const char *kind, const char *was, const char *now,
		     struct err *e)
{
	char id[3 * STORE_NAME_MAX];

	(void)snprintf(id, sizeof(id), "n/%s/%lld/%s/%s", kind, (long long)g->vmid, g->identity,
		       now);
	return STORE_RUN(s, SQL_OLD_EVENT, NULL, NULL, NULL, e, val_text(o->org), val_text(cluster),
			 val_int(o->at), val_text(id), val_text(kind), val_int(g->vmid),
			 val_slice(o->body), val_text(g->identity), val_text(was));
}

/* One of Proxmox' words: they are short. */
static bool is_known_status(const char *status)
{
	return *status && strlen(status) < 32 && strcmp(status, "unknown") != 0;
}

static int add_events(struct store *s, const struct old_object *o, const char *cluster,
		      const char *node, const struct old_guest *g, struct err *e)
{
	const char *was = g->before.status;
	char status[64];
	bool stopped;
	int r = 0;

	if (!g->known || !g->before.open || strcmp(g->before.identity, g->identity))
		return 0;
	if (strcmp(g->before.node, node))
		r = add_event(s, o, cluster, g, "guest.moved", g->before.node, node, e);
	old_text(o->body, "status", status, sizeof(status));
	stopped = strcmp(status, "stopped") == 0;
	if (r < 0 || strcmp(was, status) == 0 || !is_known_status(was) ||
	    !is_known_status(status) || (!stopped && strcmp(was, "stopped")))
		return r;
	return add_event(s, o, cluster, g, stopped ? "guest.stopped" : "guest.started", was, status,
			 e);
}

/* What stands in its row now has consequences as a sighting in a document has. */
static int settle(struct store *s, const struct old_object *o, const char *cluster,
		  const struct old_guest *g, struct err *e)
{
	struct store_value org = val_text(o->org), key = val_text(cluster), at = val_int(o->at);
	CLEANUP(buf_done) struct buf ids = {};
	int r;

	buf_addf(&ids, "[[%lld,\"%s\"]]", (long long)g->vmid, g->identity);
	r = STORE_RUN(s, SQL_GUESTS_REOPEN, NULL, NULL, NULL, e, org, key, at, val_text(""),
		      val_int(OLD_SEQ), val_buf(&ids));
	if (r == 0)
		r = STORE_RUN(s, SQL_GUESTS_REPLACE, NULL, NULL, NULL, e, org, key, at,
			      val_buf(&ids));
	/* A list in which all open guests were need not have this one. */
	if (r == 0 && (!g->known || !g->before.open))
		r = STORE_RUN(s, SQL_CLUSTER_LIST, NULL, NULL, NULL, e, org, key, val_text(NULL),
			      val_int(0));
	return r;
}

static int put_row(struct store *s, const struct old_object *o, const char *cluster,
		   const struct old_guest *g, int64_t *ret_changed, struct err *e)
{
	CLEANUP(buf_done) struct buf data = {}, live = {};

	write_data(o, &data, &live);
	return STORE_RUN(s, SQL_OLD_GUEST, NULL, NULL, ret_changed, e, val_text(o->org),
			 val_text(cluster), val_int(g->vmid), val_text(g->identity),
			 val_text(o->type), val_int(o->at), val_slice(o->body), val_buf(&data),
			 val_buf(&live));
}

static int put_config(struct store *s, const struct old_object *o, const char *cluster,
		      const struct old_guest *g, struct err *e)
{
	CLEANUP(buf_done) struct buf body = {};

	write_config(o, &body);
	return STORE_RUN(s, SQL_OLD_CONFIG, NULL, NULL, NULL, e, val_text(o->org),
			 val_text(cluster), val_int(g->vmid), val_int(o->at), val_buf(&body));
}

int old_put_guest(struct store *s, const struct old_object *o, const char *cluster,
		  const char *node, struct err *e)
{
	CLEANUP(buf_done) struct buf ids = {};
	struct old_guest g = {};
	int64_t spoken_for = 0, changed = 0;
	uint64_t vmid;
	int r = STORE_RUN(s, SQL_OLD_SPOKEN_FOR, row_take_int, &spoken_for, NULL, e,
			  val_text(o->org), val_text(cluster), val_text(node), val_int(o->at));

	if (r < 0 || spoken_for || !str_to_u64(digest_member(o->body, "vmid"), &vmid))
		return r;
	g.vmid = (int64_t)vmid;
	buf_addf(&ids, "[[%lld]]", (long long)g.vmid);
	r = store_settle_guests(s, o->org, cluster, SQL_SAMPLES_OF, buf_slice(&ids), e);
	if (r == 0)
		r = STORE_RUN(s, SQL_OLD_GUEST_BEFORE, take_before, &g, NULL, e, val_text(o->org),
			      val_text(cluster), val_int(g.vmid));
	identify(o, &g);
	if (r == 0)
		r = put_row(s, o, cluster, &g, &changed, e);
	if (r < 0 || !changed)
		return r;
	r = settle(s, o, cluster, &g, e);
	if (r == 0)
		r = put_config(s, o, cluster, &g, e);
	return r < 0 ? r : add_events(s, o, cluster, node, &g, e);
}

/* --- an agent names its cluster --- */

int old_move(struct store *s, const char *org, const char *from, const char *to, struct err *e)
{
	static const enum sql moves[] = {
		SQL_OLD_DROP_PLACEHOLDERS, SQL_OLD_MOVE_NODES,	SQL_OLD_MOVE_GUESTS,
		SQL_OLD_MOVE_CONFIGS,	   SQL_OLD_MOVE_EVENTS, SQL_OLD_MOVE_MINUTES,
		SQL_OLD_MOVE_HOURS,
	};
	static const enum sql drops[] = {
		SQL_OLD_DROP_NODES,   SQL_OLD_DROP_GUESTS,  SQL_OLD_DROP_CONFIGS,
		SQL_OLD_DROP_EVENTS,  SQL_OLD_DROP_MINUTES, SQL_OLD_DROP_HOURS,
		SQL_OLD_DROP_CLUSTER,
	};
	int r = store_settle_guests(s, org, from, SQL_SAMPLES_OF_CLUSTER, (struct slice){}, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(moves); i++)
		r = STORE_RUN(s, moves[i], NULL, NULL, NULL, e, val_text(org), val_text(from),
			      val_text(to));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(drops); i++)
		r = STORE_RUN(s, drops[i], NULL, NULL, NULL, e, val_text(org), val_text(from));
	return r < 0 ? r
		     : STORE_RUN(s, SQL_CLUSTER_LIST, NULL, NULL, NULL, e, val_text(org),
				 val_text(to), val_text(NULL), val_int(0));
}
