/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/clusterguests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "util/str.h"

/* Guests that moved while we read are looked for so often again. */
enum { RELIST_MAX = 3, BLIND_MAX = 100 };

#define READ_STEP ((size_t)128 * 1024)

struct listed {
	uint32_t vmid;
	enum guest_type type;
	const char *node;
};

struct reading {
	struct cluster *cluster;
	const struct root *root;
	struct blind_list *blind;
	bool last_pass;
	bool moved; /* a config was gone when we came to read it */
	VEC(struct listed) listed;
	VEC(struct guest) guests;
	struct buf text;
};

void blind_add(struct blind_list *b, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	if (b->n >= BLIND_MAX) {
		b->dropped++;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*vec_push(b) = arena_str(b->arena, slice_of(text));
}

static const char *folder_of(enum guest_type type)
{
	return type == GUEST_QEMU ? "qemu-server" : "lxc";
}

static void close_dir(DIR *const *d)
{
	if (*d)
		(void)closedir(*d);
}

static bool vmid_of_file(struct slice name, uint32_t *ret)
{
	if (!slice_ends(name, ".conf"))
		return false;
	name.n -= strlen(".conf");
	/* "0100.conf" is no guest to Proxmox either. */
	return name.n && name.p[0] != '0' && str_to_u32(name, ret) && *ret >= VMID_MIN &&
	       *ret <= VMID_MAX;
}

static void list_folder(struct reading *rd, const char *node, enum guest_type type)
{
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP(close_dir) DIR *d = NULL;
	const struct dirent *entry;
	uint32_t vmid;

	buf_addf(&path, "etc/pve/nodes/%s/%s", node, folder_of(type));
	d = root_opendir(rd->root, path.data);
	if (!d) {
		/* A node that has only containers need not have the other folder. */
		if (errno != ENOENT)
			blind_add(rd->blind, "%s cannot be listed: %s", path.data, strerror(errno));
		return;
	}
	for (errno = 0; (entry = readdir(d)); errno = 0)
		if (vmid_of_file(slice_of(entry->d_name), &vmid))
			*vec_push(&rd->listed) = (struct listed){ vmid, type, node };
	if (errno)
		blind_add(rd->blind, "%s cannot be listed: %s", path.data, strerror(errno));
}

static void list_folders(struct reading *rd)
{
	CLEANUP(close_dir) DIR *d = root_opendir(rd->root, "etc/pve/nodes");
	const struct dirent *entry;

	if (!d) {
		blind_add(rd->blind, "etc/pve/nodes cannot be listed: %s", strerror(errno));
		return;
	}
	for (errno = 0; (entry = readdir(d)); errno = 0) {
		const char *node;

		if (entry->d_name[0] == '.')
			continue;
		node = arena_str(&rd->cluster->arena, slice_of(entry->d_name));
		list_folder(rd, node, GUEST_QEMU);
		list_folder(rd, node, GUEST_LXC);
	}
	if (errno)
		blind_add(rd->blind, "etc/pve/nodes cannot be listed: %s", strerror(errno));
}

static void list_vmlist(struct reading *rd)
{
	struct vmlist list = {};
	struct err e = {};
	int code = vmlist_read(&list, rd->root, &rd->cluster->arena, &e);

	/* A tree made by hand, or by an old capture, may do without. */
	if (code == -ENOENT && !rd->root->live)
		return;
	if (code < 0)
		blind_add(rd->blind, "the list of guests cannot be read: %s", e.text);
	for (size_t i = 0; i < list.n; i++)
		*vec_push(&rd->listed) = (struct listed){ list.guests[i].vmid, list.guests[i].type,
							  list.guests[i].node };
}

/* By folder, so that each folder is opened once. */
static int cmp_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int r = strcmp(x->node, y->node);

	if (!r)
		r = (int)x->type - (int)y->type;
	if (r)
		return r;
	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

static void list_all(struct reading *rd)
{
	size_t n = 0;

	rd->listed.n = 0;
	list_vmlist(rd);
	list_folders(rd);
	if (rd->listed.n > 1)
		qsort(rd->listed.items, rd->listed.n, sizeof(*rd->listed.items), cmp_listed);
	for (size_t i = 0; i < rd->listed.n; i++)
		if (n == 0 || cmp_listed(&rd->listed.items[n - 1], &rd->listed.items[i]) != 0)
			rd->listed.items[n++] = rd->listed.items[i];
	rd->listed.n = n;
}

static const char *config_path(struct reading *rd, const struct listed *l)
{
	return arena_fmt(&rd->cluster->arena, "etc/pve/nodes/%s/%s/%u.conf", l->node,
			 folder_of(l->type), l->vmid);
}

static void parse_config(struct reading *rd, const struct listed *l, const char *file)
{
	struct guest *g = vec_push(&rd->guests);

	g->vmid = l->vmid;
	g->type = l->type;
	g->node = l->node;
	g->file = file;
	guest_parse(g, buf_slice(&rd->text), &rd->cluster->arena, &rd->cluster->diags);
}

/*
 * One open, one read, one close: each is a round trip to pmxcfs. A read that comes back short has
 * met the end; only a text that does not end in a newline is asked for more.
 */
static int read_file(int dirfd, const char *name, struct buf *ret)
{
	CLEANUP_FD int fd =
		openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	const size_t room = READ_STEP;
	ssize_t n;

	buf_reset(ret);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf_reserve(ret, room), room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ret->len += (size_t)n;
		if (ret->len > GUEST_CONFIG_MAX) {
			ret->len = GUEST_CONFIG_MAX;
			return -EFBIG;
		}
	} while (n < 0 || (size_t)n == room || (n > 0 && ret->data[ret->len - 1] != '\n'));
	return 0;
}

static void read_config(struct reading *rd, int dirfd, const struct listed *l)
{
	const char *file = config_path(rd, l);
	char name[32];
	int code = dirfd;

	if (dirfd >= 0) {
		(void)snprintf(name, sizeof(name), "%u.conf", l->vmid);
		code = read_file(dirfd, name, &rd->text);
	}
	if (code == -ENOENT && !rd->last_pass)
		rd->moved = true;
	else if (code == -EFBIG)
		blind_add(rd->blind, "%s is larger than %d bytes: expected at most 1 MiB", file,
			  GUEST_CONFIG_MAX);
	else if (code < 0)
		blind_add(rd->blind, "%s cannot be read: %s", file, strerror(-code));
	/* What was read of a large file is still worth its references. */
	if (code >= 0 || code == -EFBIG)
		parse_config(rd, l, file);
}

static bool same_folder(const struct listed *a, const struct listed *b)
{
	return a->type == b->type && strcmp(a->node, b->node) == 0;
}

static void read_configs(struct reading *rd)
{
	const struct listed *of = NULL;
	int dirfd = -1;

	for (size_t i = 0; i < rd->listed.n && !rd->moved; i++) {
		const struct listed *l = &rd->listed.items[i];

		if (!of || !same_folder(of, l)) {
			CLEANUP(buf_done) struct buf path = {};

			base_close_fd(&dirfd);
			buf_addf(&path, "etc/pve/nodes/%s/%s", l->node, folder_of(l->type));
			dirfd = root_openat(rd->root, path.data, O_RDONLY | O_DIRECTORY);
			of = l;
		}
		read_config(rd, dirfd, l);
	}
	base_close_fd(&dirfd);
}

static int cmp_guest(const void *a, const void *b)
{
	const struct guest *x = a, *y = b;
	int r;

	if (x->vmid != y->vmid)
		return x->vmid < y->vmid ? -1 : 1;
	r = strcmp(x->node, y->node);
	return r ? r : (int)x->type - (int)y->type;
}

static void say_twice(struct cluster *c)
{
	for (size_t i = 1; i < c->n_guests; i++)
		if (c->guests[i - 1].vmid == c->guests[i].vmid)
			diag_add(&c->diags, c->guests[i].file, 0,
				 "guest %u has a config in %s too: expected one in the cluster",
				 c->guests[i].vmid, c->guests[i - 1].file);
}

static void keep_guests(struct reading *rd)
{
	struct cluster *c = rd->cluster;

	if (rd->guests.n > 1)
		qsort(rd->guests.items, rd->guests.n, sizeof(*rd->guests.items), cmp_guest);
	c->n_guests = rd->guests.n;
	c->guests = arena_alloc(&c->arena, c->n_guests * sizeof(*c->guests));
	if (c->n_guests)
		memcpy(c->guests, rd->guests.items, c->n_guests * sizeof(*c->guests));
	say_twice(c);
}

/* Nothing of a pass that met a guest on its way may stay, or that guest would count twice. */
static void forget_pass(struct reading *rd, size_t diags, size_t dropped, size_t blind)
{
	rd->guests.n = 0;
	rd->moved = false;
	rd->cluster->diags.n = diags;
	rd->cluster->diags.dropped = dropped;
	rd->blind->n = blind;
}

void cluster_read_guests(struct cluster *c, const struct root *r, struct blind_list *blind)
{
	struct reading rd = { .cluster = c, .root = r, .blind = blind };
	size_t diags = c->diags.n, dropped = c->diags.dropped, said = blind->n;

	for (int pass = 0; pass <= RELIST_MAX; pass++) {
		forget_pass(&rd, diags, dropped, said);
		rd.last_pass = pass == RELIST_MAX;
		list_all(&rd);
		read_configs(&rd);
		if (!rd.moved)
			break;
	}
	keep_guests(&rd);
	vec_free(&rd.listed);
	vec_free(&rd.guests);
	buf_done(&rd.text);
}
