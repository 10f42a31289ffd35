/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/scout.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pve/cluster.h"
#include "pve/prop.h"
#include "pve/running.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"
#include "watch/maintenance.h"
#include "watch/scout_runs.h"

#define MVMM_DIR	 "etc/pve/mvmm"
#define VMLIST		 "etc/pve/.vmlist"
#define VMLIST_BYTES_MAX ((size_t)64 << 20)

enum {
	FILES_MAX = 10000,
	MVMM_EVERY = 10, /* looks: a walk through /proc */
};

/* A file as it was told last. */
struct known_file {
	uint32_t id;
	struct timespec mtime, ctime;
	off_t size;
	ino_t inode;
	bool bad;
	bool there; /* seen in this look */
};

struct known_guest {
	uint32_t vmid;
	uint64_t version;
	bool told, there;
};

struct scout {
	int fd;
	struct root root;
	const char *tag;
	bool told_all; /* the first look is complete */
	unsigned int looks;
	bool mvmm;
	VEC(struct known_file) files;
	VEC(struct known_guest) guests;
	struct running running;
	struct scout_runs_seen runs;
	size_t containers; /* of this node, running or not */
	struct buf vmlist, text;
};

static void tell(const struct scout *s, enum scout_kind kind, uint32_t id, uint32_t serial,
		 const void *body, size_t n)
{
	struct scout_head head = { .kind = kind, .vmid = id, .serial = serial };
	struct iovec parts[2] = { { &head, sizeof(head) }, { (void *)body, n } };

	if (writev(s->fd, parts, n ? 2 : 1) < 0)
		_exit(0); /* nobody listens any more */
}

/* --- the configuration's files --------------------------------------------------------------- */

/*
 * Where the element of @id stands in a sorted array, or would stand. Elements of @size bytes begin
 * with their id.
 */
static size_t place_of(const void *items, size_t n, size_t size, uint32_t id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t there;

		memcpy(&there, (const char *)items + middle * size, sizeof(there));
		if (there < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known_file *file_of(struct scout *s, uint32_t id)
{
	size_t i = place_of(s->files.items, s->files.n, sizeof(s->files.items[0]), id);

	if (i < s->files.n && s->files.items[i].id == id)
		return &s->files.items[i];
	if (s->files.n == FILES_MAX)
		return NULL;
	(void)vec_push(&s->files);
	memmove(s->files.items + i + 1, s->files.items + i,
		(s->files.n - 1 - i) * sizeof(s->files.items[0]));
	s->files.items[i] = (struct known_file){ .id = id };
	return &s->files.items[i];
}

static bool is_same(const struct known_file *f, const struct stat *st)
{
	return f->inode == st->st_ino && f->size == st->st_size &&
	       f->mtime.tv_sec == st->st_mtim.tv_sec && f->mtime.tv_nsec == st->st_mtim.tv_nsec &&
	       f->ctime.tv_sec == st->st_ctim.tv_sec && f->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

static void tell_bad(const struct scout *s, struct known_file *f, const char *path, int code)
{
	char sentence[300];

	if (!f->bad)
		tell(s, SCOUT_CONF_BAD, f->id, 0, sentence,
		     (size_t)snprintf(sentence, sizeof(sentence), "%s: %s", path,
				      code == -EFBIG ? "larger than 128 KiB" : strerror(-code)));
	f->bad = true;
	f->inode = 0;
}

/* @dir: the open folder it stands in, or -1. A thousand files are asked for each second. */
static void look_at_file(struct scout *s, int dir, uint32_t id, const char *path)
{
	struct known_file *f;
	struct stat st;
	int r;

	if (dir < 0 ? root_stat(&s->root, path, &st) < 0
		    : fstatat(dir, strrchr(path, '/') + 1, &st, 0) < 0)
		return;
	f = file_of(s, id);
	if (!f)
		return;
	f->there = true;
	/* An empty inode number stands for "not told yet". */
	if (f->inode != 0 && is_same(f, &st))
		return;
	r = root_read(&s->root, path, SCOUT_CONF_MAX - 1, &s->text);
	if (r < 0) {
		tell_bad(s, f, path, r);
		return;
	}
	f->inode = st.st_ino;
	f->size = st.st_size;
	f->mtime = st.st_mtim;
	f->ctime = st.st_ctim;
	f->bad = false;
	tell(s, SCOUT_CONF, id, 0, s->text.data, s->text.len);
}

/* "100.conf" is guest 100's. */
static bool guest_file(const char *name, uint32_t *ret)
{
	struct slice n = slice_of(name);

	if (!slice_ends(n, ".conf"))
		return false;
	n.n -= strlen(".conf");
	return str_to_u32(n, ret) && *ret >= VMID_MIN && *ret <= VMID_MAX;
}

static void close_dir(DIR *const *d)
{
	if (*d)
		(void)closedir(*d);
}

/* A file that was told already has its turn in every second look. */
static bool is_turn(struct scout *s, uint32_t vmid)
{
	struct known_file *f = file_of(s, vmid);

	if (!f || f->inode == 0 || (vmid + s->looks) % 2 == 0)
		return true;
	f->there = true;
	return false;
}

static bool look_at_folder(struct scout *s)
{
	CLEANUP(close_dir) DIR *d = root_opendir(&s->root, MVMM_DIR);
	char path[64];
	uint32_t vmid;

	if (!d)
		return errno == ENOENT;
	for (struct dirent *entry; (errno = 0, entry = readdir(d));) {
		if (!guest_file(entry->d_name, &vmid))
			continue;
		(void)snprintf(path, sizeof(path), MVMM_DIR "/%u.conf", vmid);
		/* Asking pmxcfs is what a look costs: half of the files each time. */
		if (!is_turn(s, vmid))
			continue;
		look_at_file(s, dirfd(d), vmid, path);
	}
	return errno == 0;
}

/* What was not seen is gone only if all could be seen. */
static void look_at_files(struct scout *s)
{
	bool whole;

	vec_each (f, &s->files)
		f->there = false;
	look_at_file(s, -1, SCOUT_GLOBAL, MVMM_DIR "/mvmm.conf");
	look_at_file(s, -1, SCOUT_CLUSTER_CONF, "etc/pve/pvewarden/pvewarden.conf");
	look_at_file(s, -1, SCOUT_NODE_CONF, "etc/pvewarden/pvewarden.conf");
	whole = look_at_folder(s);
	for (size_t i = s->files.n; whole && i-- > 0;) {
		if (s->files.items[i].there)
			continue;
		tell(s, SCOUT_CONF_GONE, s->files.items[i].id, 0, NULL, 0);
		memmove(s->files.items + i, s->files.items + i + 1,
			(--s->files.n - i) * sizeof(s->files.items[0]));
	}
}

/* --- the guests of this node ----------------------------------------------------------------- */

static bool read_guest(struct scout *s, const struct vmlist_entry *v, struct arena *a,
		       struct guest *ret)
{
	struct diags diags = { .arena = a };
	char path[160];

	(void)snprintf(path, sizeof(path), "etc/pve/nodes/%s/%s/%u.conf", v->node,
		       v->type == GUEST_QEMU ? "qemu-server" : "lxc", v->vmid);
	if (root_read(&s->root, path, GUEST_CONFIG_MAX, &s->text) < 0)
		return false;
	*ret = (struct guest){ .vmid = v->vmid, .type = v->type, .node = v->node, .file = path };
	guest_parse(ret, buf_slice(&s->text), a, &diags);
	diags_done(&diags);
	return true;
}

static bool tell_guest(struct scout *s, const struct vmlist_entry *v)
{
	CLEANUP(arena_done) struct arena a = {};
	struct scout_guest told = {};
	struct guest g;

	if (!read_guest(s, v, &a, &g))
		return false;
	(void)snprintf(told.name, sizeof(told.name), "%s", g.name);
	watch_optin_read(&told.optin, &g, s->tag);
	told.coming = g.lock && strcmp(g.lock, "migrate") == 0;
	tell(s, SCOUT_GUEST, v->vmid, 0, &told, sizeof(told));
	return true;
}

static struct known_guest *guest_of(struct scout *s, uint32_t vmid)
{
	size_t i = place_of(s->guests.items, s->guests.n, sizeof(s->guests.items[0]), vmid);

	if (i < s->guests.n && s->guests.items[i].vmid == vmid)
		return &s->guests.items[i];
	(void)vec_push(&s->guests);
	memmove(s->guests.items + i + 1, s->guests.items + i,
		(s->guests.n - 1 - i) * sizeof(s->guests.items[0]));
	s->guests.items[i] = (struct known_guest){ .vmid = vmid };
	return &s->guests.items[i];
}

static void drop_guests(struct scout *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->guests.n; i++) {
		if (s->guests.items[i].there)
			s->guests.items[kept++] = s->guests.items[i];
		else
			tell(s, SCOUT_GUEST_GONE, s->guests.items[i].vmid, 0, NULL, 0);
	}
	s->guests.n = kept;
}

/* False: some guest could not be told, and is to be tried again. */
static bool look_at_vmlist(struct scout *s, const struct vmlist *list, const char *node)
{
	bool all = true;

	s->containers = 0;
	vec_each (g, &s->guests)
		g->there = false;
	for (size_t i = 0; i < list->n; i++) {
		const struct vmlist_entry *v = &list->guests[i];
		struct known_guest *g;

		if (strcmp(v->node, node) != 0)
			continue;
		g = guest_of(s, v->vmid);
		g->there = true;
		if (!g->told || g->version != v->version)
			g->told = tell_guest(s, v);
		g->version = v->version;
		all = all && g->told;
		s->containers += v->type == GUEST_LXC;
	}
	drop_guests(s);
	return all;
}

/*
 * The list is compared as a text first: mostly it is the one of the last look. It is the very text
 * that was understood, so that a change between two reads is not missed; one that was torn, or
 * whose guests could not all be read, is kept as none.
 */
static bool look_at_guests(struct scout *s, const char *node, bool *ret_whole, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf text = {};
	struct vmlist list;
	bool plain = root_read(&s->root, VMLIST, VMLIST_BYTES_MAX, &text) >= 0;

	*ret_whole = true;
	if (plain && s->told_all && slice_eq2(buf_slice(&text), buf_slice(&s->vmlist)))
		return true;
	plain = plain && vmlist_parse(&list, buf_slice(&text), VMLIST, &a, NULL) == 0;
	if (!plain && vmlist_read(&list, &s->root, &a, e) < 0)
		return false;
	*ret_whole = look_at_vmlist(s, &list, node);
	buf_reset(&s->vmlist);
	if (plain && *ret_whole)
		buf_add(&s->vmlist, text.data, text.len);
	return true;
}

/* --- what runs ------------------------------------------------------------------------------- */

static void look_at_running(struct scout *s)
{
	struct running now = {};

	if (scout_runs_unmoved(&s->runs, &s->root, s->containers > 0, clock_boot_ms()) ||
	    running_read(&now, &s->root, NULL) < 0)
		return;
	scout_runs_drop_pretenders(&now, &s->root);
	vec_each (g, &now) {
		const struct running_guest *was = running_find(&s->running, g->vmid);
		struct scout_runs told = {
			.type = g->type,
			.incoming = g->incoming,
			.started = scout_runs_started(g),
		};

		if (!was || !scout_runs_same(was, g))
			tell(s, SCOUT_RUNS, g->vmid, 0, &told, sizeof(told));
	}
	vec_each (g, &s->running)
		if (!running_find(&now, g->vmid))
			tell(s, SCOUT_RUNS_NOT, g->vmid, 0, NULL, 0);
	running_done(&s->running);
	s->running = now;
	scout_runs_remember(&s->runs, &s->root, &s->running, clock_boot_ms());
}

/* --- the whole ------------------------------------------------------------------------------- */

static void look_at_maintenance(struct scout *s, struct scout_round *round)
{
	CLEANUP(arena_done) struct arena a = {};
	struct maintenance m = {};
	const struct maintenance_switch *all;

	(void)maintenance_read(&m, &s->root, MAINTENANCE_CLUSTER_FILE, &a, NULL);
	all = maintenance_find(&m, MAINTENANCE_NODE, clock_now());
	round->maintenance_cluster = all != NULL;
	if (all) {
		round->maintenance_since = all->since;
		round->maintenance_until = all->until;
		(void)snprintf(round->maintenance_by, sizeof(round->maintenance_by), "%s", all->by);
	}
	maintenance_done(&m);
}

static void look(struct scout *s)
{
	CLEANUP(arena_done) struct arena a = {};
	struct scout_round round = {};
	struct err e = {};
	struct node node;

	if (s->looks++ % MVMM_EVERY == 0)
		s->mvmm = scout_mvmm_lives(&s->root);
	round.mvmm = s->mvmm;
	round.readable = node_read(&node, &s->root, &a, &e) == 0;
	if (round.readable) {
		(void)snprintf(round.node, sizeof(round.node), "%s", node.name);
		round.quorate = pmxcfs_quorate(&s->root);
		round.readable = look_at_guests(s, node.name, &round.whole, &e);
		look_at_files(s);
		look_at_maintenance(s, &round);
	}
	look_at_running(s);
	(void)snprintf(round.problem, sizeof(round.problem), "%.199s", e.text);
	s->told_all = round.readable && round.whole;
	tell(s, SCOUT_ROUND, 0, 0, &round, sizeof(round));
}

static void answer(struct scout *s)
{
	struct scout_question q;
	struct scout_facts facts;
	ssize_t n = recv(s->fd, &q, sizeof(q), MSG_DONTWAIT);

	if (n == 0)
		_exit(0);
	if (n != (ssize_t)sizeof(q))
		return;
	scout_facts_read(&facts, &s->root, &q, clock_now());
	tell(s, SCOUT_FACTS, q.vmid, q.serial, &facts, sizeof(facts));
}

static NORETURN void scout_main(int fd, void *arg)
{
	const struct scout_options *o = arg;
	struct scout s = { .fd = fd, .tag = o->tag };
	int64_t next = 0;

	if (root_open(&s.root, o->root->path, NULL) < 0)
		_exit(1);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = next - clock_boot_ms();

		if (left <= 0) {
			look(&s);
			next = clock_boot_ms() + SCOUT_PERIOD_MS;
			continue;
		}
		if (poll(&p, 1, (int)left) > 0)
			answer(&s);
	}
}

static void scout_role(int fd, void *arg)
{
	scout_main(fd, arg);
}

int scout_start(struct role *ret, const struct scout_options *o, struct err *e)
{
	return role_start(ret, "pvewarden-scout", scout_role, (void *)o, e);
}

int scout_ask(const struct role *r, const struct scout_question *q)
{
	return send(r->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*q)
		       ? 0
		       : -errno;
}

/* Messages of one kind have one size; texts have any. */
static size_t body_size(uint32_t kind)
{
	switch ((enum scout_kind)kind) {
	case SCOUT_ROUND:
		return sizeof(struct scout_round);
	case SCOUT_GUEST:
		return sizeof(struct scout_guest);
	case SCOUT_RUNS:
		return sizeof(struct scout_runs);
	case SCOUT_FACTS:
		return sizeof(struct scout_facts);
	case SCOUT_CONF:
	case SCOUT_CONF_BAD:
	case SCOUT_CONF_GONE:
	case SCOUT_GUEST_GONE:
	case SCOUT_RUNS_NOT:
	case SCOUT_KIND_MAX:
		break;
	}
	return 0;
}

static bool is_text(uint32_t kind)
{
	return kind == SCOUT_CONF || kind == SCOUT_CONF_BAD;
}

int scout_receive(const struct role *r, struct scout_message *ret, size_t *ret_len)
{
	struct iovec parts[2] = { { &ret->head, sizeof(ret->head) },
				  { ret->text, sizeof(ret->text) - 1 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n = recvmsg(r->fd, &m, MSG_DONTWAIT);
	size_t body;

	if (n < 0)
		return -errno;
	if (n == 0)
		return -EPIPE;
	if ((size_t)n < sizeof(ret->head) || (m.msg_flags & MSG_TRUNC) ||
	    ret->head.kind >= SCOUT_KIND_MAX)
		return -EPROTO;
	body = (size_t)n - sizeof(ret->head);
	if (!is_text(ret->head.kind) && body != body_size(ret->head.kind))
		return -EPROTO;
	if (is_text(ret->head.kind))
		ret->text[body] = '\0';
	*ret_len = body;
	return 0;
}
