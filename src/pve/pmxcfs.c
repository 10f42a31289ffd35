/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/pmxcfs.h"

#include <errno.h>
#include <time.h>

#include "pve/guest.h"
#include "util/json.h"
#include "util/str.h"

/* A file of 10,000 guests has less than 1 MiB. */
#define SPECIAL_FILE_MAX ((size_t)64 * 1024 * 1024)

/* A torn read is mended by the next one, since every open generates the text anew. */
#define READ_TRIES    5
#define READ_PAUSE_NS (5 * 1000 * 1000)

static void free_json(json_t *const *doc)
{
	json_decref(*doc);
}

static int not_whole(struct err *e, const char *file, const char *expected)
{
	return err_set(e, -EBADMSG, "%s: expected %s", file, expected);
}

static int cmp_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void read_member(struct member *m, const char *name, const json_t *v, struct arena *a)
{
	const char *ip = json_str(v, "ip");
	uint64_t n = 0;

	*m = (struct member){ .name = arena_str(a, slice_of(name)) };
	if (json_u64(v, "id", &n) && n <= UINT32_MAX)
		m->id = (uint32_t)n;
	m->online = json_u64(v, "online", &n) && n == 1;
	m->ip = ip ? arena_str(a, slice_of(ip)) : NULL;
}

static void read_nodelist(struct members *m, json_t *list, struct arena *a)
{
	const char *name;
	json_t *v;

	m->nodes = arena_alloc(a, json_object_size(list) * sizeof(*m->nodes));
	json_object_foreach(list, name, v) read_member(&m->nodes[m->n_nodes++], name, v, a);
	if (m->n_nodes > 1)
		qsort(m->nodes, m->n_nodes, sizeof(*m->nodes), cmp_member);
}

/* A node that never joined a cluster has nobody to ask: it is its own quorum. */
static void read_cluster(struct members *m, const json_t *cluster, struct arena *a)
{
	const char *name = json_str(cluster, "name");
	uint64_t n = 0;

	m->clustered = cluster != NULL;
	m->cluster_name = name ? arena_str(a, slice_of(name)) : NULL;
	(void)json_u64(cluster, "version", &m->config_version);
	m->quorate = !cluster || (json_u64(cluster, "quorate", &n) && n == 1);
}

int members_parse(struct members *ret, struct slice text, const char *file, struct arena *a,
		  struct err *e)
{
	CLEANUP(free_json) json_t *doc = NULL;
	struct members m = {};
	const char *nodename;
	int code = json_parse(text, file, &doc, e);

	if (code < 0)
		return code;
	nodename = json_str(doc, "nodename");
	if (!nodename || !*nodename)
		return not_whole(e, file, "an object with \"nodename\"");
	if (json_object_get(doc, "cluster") && !json_obj(doc, "cluster"))
		return not_whole(e, file, "\"cluster\" to be an object");
	m.nodename = arena_str(a, slice_of(nodename));
	read_cluster(&m, json_obj(doc, "cluster"), a);
	read_nodelist(&m, json_obj(doc, "nodelist"), a);
	*ret = m;
	return 0;
}

static bool type_of(const char *name, enum guest_type *ret)
{
	if (!name)
		return false;
	*ret = strcmp(name, "qemu") == 0 ? GUEST_QEMU : GUEST_LXC;
	return *ret == GUEST_QEMU || strcmp(name, "lxc") == 0;
}

static bool read_entry(struct vmlist_entry *g, const char *id, const json_t *v, struct arena *a)
{
	const char *node = json_str(v, "node");

	if (!str_to_u32(slice_of(id), &g->vmid) || g->vmid < VMID_MIN || g->vmid > VMID_MAX)
		return false;
	if (!node || !*node || !type_of(json_str(v, "type"), &g->type))
		return false;
	g->node = arena_str(a, slice_of(node));
	(void)json_u64(v, "version", &g->version);
	return true;
}

static int cmp_entry(const void *a, const void *b)
{
	const struct vmlist_entry *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

static int bad_entry(struct err *e, const char *file, const char *id)
{
	char shown[64];

	str_printable(shown, sizeof(shown), slice_of(id));
	return err_set(e, -EBADMSG,
		       "%s: guest \"%s\": expected an id from %d to %d with node and type", file,
		       shown, VMID_MIN, VMID_MAX);
}

int vmlist_parse(struct vmlist *ret, struct slice text, const char *file, struct arena *a,
		 struct err *e)
{
	CLEANUP(free_json) json_t *doc = NULL;
	struct vmlist list = {};
	const char *id;
	json_t *ids, *v;
	int code = json_parse(text, file, &doc, e);

	if (code < 0)
		return code;
	ids = json_object_get(doc, "ids");
	if (!json_is_object(doc) || (ids && !json_is_object(ids)))
		return not_whole(e, file, "an object with \"ids\"");
	/* An empty cluster has no ids, and says so with a version. */
	if (!ids && !json_object_get(doc, "version"))
		return not_whole(e, file, "\"version\" or \"ids\"");
	list.guests = arena_alloc(a, json_object_size(ids) * sizeof(*list.guests));
	json_object_foreach(ids, id, v) if (!read_entry(&list.guests[list.n++], id, v,
							a)) return bad_entry(e, file, id);
	if (list.n > 1)
		qsort(list.guests, list.n, sizeof(*list.guests), cmp_entry);
	*ret = list;
	return 0;
}

int cfs_version_parse(struct cfs_version *ret, struct slice text, const char *file, struct arena *a,
		      struct err *e)
{
	CLEANUP(free_json) json_t *doc = NULL;
	struct cfs_version v = {};
	const char *key;
	json_t *value;
	int code = json_parse(text, file, &doc, e);

	if (code < 0)
		return code;
	if (!json_u64(doc, "starttime", &v.starttime))
		return not_whole(e, file, "an object with \"starttime\"");
	v.counters = arena_alloc(a, json_object_size(doc) * sizeof(*v.counters));
	json_object_foreach(doc, key, value)
	{
		if (!json_u64(doc, key, &v.counters[v.n].value) || json_is_string(value))
			continue;
		v.counters[v.n++].file = arena_str(a, slice_of(key));
	}
	*ret = v;
	return 0;
}

bool cfs_version_of(const struct cfs_version *v, const char *file, uint64_t *ret)
{
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->counters[i].file, file) == 0) {
			*ret = v->counters[i].value;
			return true;
		}
	}
	return false;
}

static void pause_briefly(void)
{
	const struct timespec ts = { .tv_nsec = READ_PAUSE_NS };

	(void)nanosleep(&ts, NULL);
}

/* One attempt; -EBADMSG asks for the next one. */
typedef int (*parse_fn)(void *ret, struct slice text, const char *file, struct arena *a,
			struct err *e);

static int read_special(const struct root *r, const char *file, parse_fn parse, void *ret,
			struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	/* A recording does not get better by waiting. */
	int tries = r->live ? READ_TRIES : 1, code;

	for (;;) {
		code = root_read(r, file, SPECIAL_FILE_MAX, &text);
		if (code < 0)
			return err_set(e, code, "%s: %s", file, strerror(-code));
		code = parse(ret, buf_slice(&text), file, a, e);
		if (code != -EBADMSG || --tries <= 0)
			return code;
		pause_briefly();
	}
}

static int parse_members(void *ret, struct slice text, const char *file, struct arena *a,
			 struct err *e)
{
	return members_parse(ret, text, file, a, e);
}

static int parse_vmlist(void *ret, struct slice text, const char *file, struct arena *a,
			struct err *e)
{
	return vmlist_parse(ret, text, file, a, e);
}

static int parse_version(void *ret, struct slice text, const char *file, struct arena *a,
			 struct err *e)
{
	return cfs_version_parse(ret, text, file, a, e);
}

int cfs_version_read(struct cfs_version *ret, const struct root *r, struct arena *a, struct err *e)
{
	return read_special(r, "etc/pve/.version", parse_version, ret, a, e);
}

int members_read(struct members *ret, const struct root *r, struct arena *a, struct err *e)
{
	return read_special(r, "etc/pve/.members", parse_members, ret, a, e);
}

int vmlist_read(struct vmlist *ret, const struct root *r, struct arena *a, struct err *e)
{
	return read_special(r, "etc/pve/.vmlist", parse_vmlist, ret, a, e);
}

enum tri pmxcfs_quorate(const struct root *r)
{
	struct stat st;

	if (root_lstat(r, "etc/pve/local", &st) < 0)
		return TRI_UNKNOWN;
	return tri_of(st.st_mode & S_IWUSR);
}
