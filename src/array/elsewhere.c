/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/elsewhere.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "array/name.h"

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool is_own(const struct array_conf *c, const struct fa_connection *connection)
{
	return connection->host && strcmp(connection->host, c->host) == 0;
}

static bool is_own_group(const struct array_conf *c, const struct fa_connection *connection)
{
	return connection->host_group && c->host_group &&
	       strcmp(connection->host_group, c->host_group) == 0;
}

/* Another section of storage.cfg can be the same volumes: addresses are not compared, because one
 * array has several. */
static bool is_same_space(const struct elsewhere *w, const struct storage *s)
{
	return s->section && strcmp(s->type, "purestorage") == 0 &&
	       same_text(section_get(s->section, "vgname"), w->conf->vgname) &&
	       same_text(section_get(s->section, "podname"), w->conf->podname) &&
	       same_text(section_get(s->section, "vnprefix"), w->conf->vnprefix);
}

/* "" of NODE, "-x" of NODE-x: as this storage has it, or another section of the same volumes. */
static bool is_our_suffix(const struct elsewhere *w, const struct cluster *cluster,
			  const char *suffix)
{
	size_t n = strlen(w->node);

	if (strncmp(w->conf->host, w->node, n) == 0 && strcmp(w->conf->host + n, suffix) == 0)
		return true;
	for (size_t i = 0; i < cluster->storages.n; i++) {
		const struct storage *s = &cluster->storages.storages[i];

		if (is_same_space(w, s) &&
		    same_text(section_get(s->section, "hgsuffix"), suffix + (*suffix == '-')))
			return true;
	}
	return false;
}

/* Exactly: two clusters on one array may have nodes of one name, and differ by the suffix alone. */
static bool is_nodes(const struct elsewhere *w, const struct cluster *cluster, const char *host)
{
	for (size_t i = 0; i < w->n_nodes; i++) {
		size_t n = strlen(w->nodes[i]);

		if (strncmp(host, w->nodes[i], n) == 0 && (host[n] == '\0' || host[n] == '-') &&
		    is_our_suffix(w, cluster, host + n))
			return true;
	}
	return false;
}

static int refuse_stranger(const struct elsewhere *w, const struct fa_connection *connection,
			   struct err *e)
{
	bool group = !connection->host;
	const char *name = group ? connection->host_group : connection->host;

	return err_set(
		e, -EBUSY,
		"%s is connected to %s %s, which belongs to no node of this cluster, so it may be in "
		"use there. If it is not: purevol disconnect --%s %s %s",
		w->volname, group ? "host group" : "host", name ? name : "?",
		group ? "hgroup" : "host", name ? name : "?", connection->volume);
}

int elsewhere_hosts(const struct elsewhere *w, const struct cluster *cluster,
		    const struct fa_connection *items, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct fa_connection *it = &items[i];

		if (is_own(w->conf, it) || is_own_group(w->conf, it))
			continue;
		if (!it->host || !is_nodes(w, cluster, it->host))
			return refuse_stranger(w, it, e);
	}
	return 0;
}

static bool is_in_same_space(const struct elsewhere *w, const struct cluster *cluster,
			     const char *id)
{
	const struct storage *s = storage_find(&cluster->storages, slice_of(id));

	return strcmp(id, w->conf->storage) == 0 || (s && is_same_space(w, s));
}

static bool refers(const struct elsewhere *w, const struct cluster *cluster, const struct guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		if (v->storage && strcmp(v->volname, w->volname) == 0 &&
		    is_in_same_space(w, cluster, v->storage))
			return true;
	}
	return false;
}

int elsewhere_guests(const struct elsewhere *w, const struct cluster *cluster, struct err *e)
{
	for (size_t i = 0; i < cluster->n_guests; i++) {
		const struct guest *g = &cluster->guests[i];
		bool here = strcmp(g->node, w->node) == 0;
		bool leaves = g->lock && strcmp(g->lock, "migrate") == 0;

		if ((here && !leaves) || !refers(w, cluster, g))
			continue;
		return err_set(
			e, -EBUSY,
			"%s is connected to another node, and guest %" PRIu32 " on node %s "
			"refers to it%s: %s",
			w->volname, g->vmid, g->node, leaves ? " and is being migrated" : "",
			leaves ? "ask again when the migration is over" : "do it on that node");
	}
	return 0;
}

/* --- what /etc/pve says ------------------------------------------------------------------------
 */

struct reading {
	struct arena arena;
	const char **nodes;
	size_t n_nodes;
	struct cluster cluster;
};

static int read_nodes(const struct root *root, struct reading *q, struct err *e)
{
	VEC(const char *) names = {};
	DIR *dir = root_opendir(root, "etc/pve/nodes");
	struct dirent *entry;

	if (!dir)
		return err_set(e, -EAGAIN, "/etc/pve/nodes cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			*vec_push(&names) = arena_str(&q->arena, slice_of(entry->d_name));
	(void)closedir(dir);
	q->nodes = arena_alloc(&q->arena, (names.n + 1) * sizeof(*q->nodes));
	if (names.n)
		memcpy(q->nodes, names.items, names.n * sizeof(*q->nodes));
	q->n_nodes = names.n;
	vec_free(&names);
	return 0;
}

static int read_all(void *arg, const struct root *root, struct err *e)
{
	struct reading *q = arg;
	int r = read_nodes(root, q, e);

	return r == 0 ? cluster_read(&q->cluster, root, e) : r;
}

static void drop(void *arg)
{
	struct reading *q = arg;

	cluster_done(&q->cluster);
	arena_done(&q->arena);
	free(q);
}

/* Who is asked for says so itself; drop() when done. */
static int read_cluster(struct pvefs *p, int wait_ms, struct elsewhere *w, struct reading **ret,
			struct err *e)
{
	struct reading *q = xcalloc(1, sizeof(*q));
	void *job = q;
	int r = pvefs_run(p, read_all, drop, &job, wait_ms, e);

	if (job && r < 0)
		drop(q);
	if (r < 0)
		return r;
	w->nodes = q->nodes;
	w->n_nodes = q->n_nodes;
	*ret = q;
	return 0;
}

static int ask_cluster(const struct elsewhere *w, const struct cluster *cluster,
		       const struct fa_connection *items, size_t n, struct err *e)
{
	int r;

	if (cluster->n_blind)
		return err_set(e, -EAGAIN, "who else uses %s is not known: %s", w->volname,
			       cluster->blind[0]);
	r = elsewhere_hosts(w, cluster, items, n, e);
	return r == 0 ? elsewhere_guests(w, cluster, e) : r;
}

static bool only_own(const struct array_conf *c, const struct fa_connection *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_own(c, &items[i]))
			return false;
	return true;
}

int elsewhere_idle(const struct array_conf *conf, struct pvefs *p, int wait_ms, const char *node,
		   const char *volname, const struct fa_connection *items, size_t n, bool all_known,
		   struct err *e)
{
	struct elsewhere w = { .conf = conf, .node = node, .volname = volname };
	struct reading *seen;
	int r;

	if (all_known && only_own(conf, items, n))
		return 0;
	r = read_cluster(p, wait_ms, &w, &seen, e);
	if (r < 0)
		return err_wrap(e, -EAGAIN, "who else uses %s is not known", volname);
	r = ask_cluster(&w, &seen->cluster, items, n, e);
	drop(seen);
	return r;
}

int elsewhere_shared(const struct array_conf *conf, struct pvefs *p, int wait_ms, const char *node,
		     const char *volname, uint32_t vmid, struct err *e)
{
	struct elsewhere w = { .conf = conf, .node = node, .volname = volname };
	struct reading *seen;
	int r = read_cluster(p, wait_ms, &w, &seen, e);

	if (r == 0 && seen->cluster.n_blind)
		r = err_set(e, -EAGAIN, "%s", seen->cluster.blind[0]);
	else if (r < 0)
		return err_wrap(e, -EAGAIN, "who else uses %s is not known", volname);
	for (size_t i = 0; i < seen->cluster.n_guests && r == 0; i++)
		r = seen->cluster.guests[i].vmid != vmid &&
		    refers(&w, &seen->cluster, &seen->cluster.guests[i]);
	drop(seen);
	return r < 0 ? err_wrap(e, r, "who else uses %s is not known", volname) : r;
}

/* --- who else uses the same names ------------------------------------------------------------- */

/* Once, and some of many. */
static void add_name(struct buf *ret, size_t *n, const char *name)
{
	enum { SHOWN_MAX = 5 };
	const char *there = strstr(buf_str(ret), name);

	if (there && strcspn(there, ",") == strlen(name))
		return;
	if (++*n <= SHOWN_MAX)
		buf_addf(ret, "%s%s", *n > 1 ? ", " : "", name);
	else if (*n == SHOWN_MAX + 1)
		buf_adds(ret, ", ...");
}

static void name_strangers(const struct elsewhere *w, const struct cluster *cluster,
			   const struct fa_connection *items, size_t n, struct buf *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct fa_connection *it = &items[i];
		const char *name = it->host ? it->host : it->host_group;

		if (!name || !array_volname_of(w->conf, it->volume) || is_own_group(w->conf, it) ||
		    (it->host && (is_own(w->conf, it) || is_nodes(w, cluster, it->host))))
			continue;
		add_name(ret, &found, name);
	}
}

int elsewhere_strangers(const struct array_conf *conf, struct pvefs *p, int wait_ms,
			const char *node, const struct fa_connection *items, size_t n,
			struct buf *ret, struct err *e)
{
	struct elsewhere w = { .conf = conf, .node = node };
	struct reading *seen;
	int r = read_cluster(p, wait_ms, &w, &seen, e);

	if (r < 0)
		return r;
	name_strangers(&w, &seen->cluster, items, n, ret);
	drop(seen);
	return 0;
}
