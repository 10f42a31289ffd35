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

static int read_nodes(const struct root *root, struct arena *a, struct elsewhere *w, struct err *e)
{
	VEC(const char *) names = {};
	DIR *dir = root_opendir(root, "etc/pve/nodes");
	struct dirent *entry;

	if (!dir)
		return err_set(e, -EAGAIN, "/etc/pve/nodes cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			*vec_push(&names) = arena_str(a, slice_of(entry->d_name));
	(void)closedir(dir);
	w->nodes =
		memcpy(arena_alloc(a, (names.n + 1) * sizeof(*names.items)),
		       names.items ? names.items : (void *)&names, names.n * sizeof(*names.items));
	w->n_nodes = names.n;
	vec_free(&names);
	return 0;
}

static int ask_cluster(const struct elsewhere *w, const struct root *root,
		       const struct fa_connection *items, size_t n, struct err *e)
{
	struct cluster cluster = {};
	int r = cluster_read(&cluster, root, e);

	if (r < 0)
		return err_wrap(e, -EAGAIN, "who else uses %s is not known", w->volname);
	if (cluster.n_blind)
		r = err_set(e, -EAGAIN, "who else uses %s is not known: %s", w->volname,
			    cluster.blind[0]);
	else
		r = elsewhere_hosts(w, &cluster, items, n, e);
	if (r == 0)
		r = elsewhere_guests(w, &cluster, e);
	cluster_done(&cluster);
	return r;
}

static bool only_own(const struct array_conf *c, const struct fa_connection *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_own(c, &items[i]))
			return false;
	return true;
}

static int idle_with(struct elsewhere *w, const struct root *root,
		     const struct fa_connection *items, size_t n, struct arena *a, struct err *e)
{
	int r = read_nodes(root, a, w, e);

	return r == 0 ? ask_cluster(w, root, items, n, e) : r;
}

int elsewhere_idle(const struct array_conf *conf, const struct root *root, const char *node,
		   const char *volname, const struct fa_connection *items, size_t n, bool all_known,
		   struct err *e)
{
	struct elsewhere w = { .conf = conf, .node = node, .volname = volname };
	struct arena arena = {};
	int r;

	if (all_known && only_own(conf, items, n))
		return 0;
	r = idle_with(&w, root, items, n, &arena, e);
	arena_done(&arena);
	return r;
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

int elsewhere_strangers(const struct array_conf *conf, const struct root *root, const char *node,
			const struct fa_connection *items, size_t n, struct buf *ret, struct err *e)
{
	struct elsewhere w = { .conf = conf, .node = node };
	CLEANUP(arena_done) struct arena arena = {};
	struct cluster cluster = {};
	int r = read_nodes(root, &arena, &w, e);

	if (r == 0)
		r = cluster_read(&cluster, root, e);
	if (r < 0)
		return r;
	name_strangers(&w, &cluster, items, n, ret);
	cluster_done(&cluster);
	return 0;
}
