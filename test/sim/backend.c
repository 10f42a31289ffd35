/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

struct sim_backend {
	int dir;
	char *path;
	struct target *target; /* NULL: files only */
};

static void complain(const char *what, const char *serial)
{
	fprintf(stderr, "arraysim: %s %s: %s\n", what, serial, strerror(errno));
}

int sim_backend_open(struct sim *s, const struct sim_backend_options *o, struct err *e)
{
	struct sim_backend *b;
	int dir, r;

	(void)mkdir(o->dir, 0700);
	dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, -errno, "cannot open %s: %s", o->dir, strerror(errno));
	b = xcalloc(1, sizeof(*b));
	*b = (struct sim_backend){ .dir = dir, .path = realpath(o->dir, NULL) };
	s->backend = b;
	if (strcmp(o->kind, "files") == 0)
		return 0;
	r = target_open(o->kind, o->configfs, s, &b->target, e);
	if (r < 0)
		sim_backend_close(s);
	return r;
}

void sim_backend_close(struct sim *s)
{
	if (!s->backend)
		return;
	target_close(s->backend->target);
	close(s->backend->dir);
	free(s->backend->path);
	free(s->backend);
	s->backend = NULL;
}

static void file_name(const char *serial, char ret[static 40])
{
	(void)snprintf(ret, 40, "%.24s.img", serial);
}

static int open_file(const struct sim_backend *b, const char *serial, int flags)
{
	char name[40];

	file_name(serial, name);
	return openat(b->dir, name, flags | O_CLOEXEC, 0600);
}

static char *whole_path(const struct sim_backend *b, const struct sim_volume *v)
{
	struct buf path = {};

	buf_addf(&path, "%s/%s.img", b->path, v->serial);
	return path.data;
}

static void set_size(const struct sim *s, const struct sim_volume *v)
{
	int fd = open_file(s->backend, v->serial, O_RDWR | O_CREAT);

	if (fd < 0 || ftruncate(fd, (off_t)v->size) < 0)
		complain("cannot size", v->serial);
	if (fd >= 0)
		close(fd);
}

void sim_backend_create(const struct sim *s, const struct sim_volume *v)
{
	if (s->backend)
		set_size(s, v);
}

void sim_backend_resize(const struct sim *s, const struct sim_volume *v)
{
	CLEANUP_FREE char *file = NULL;

	if (!s->backend)
		return;
	set_size(s, v);
	file = whole_path(s->backend, v);
	target_resize(s->backend->target, v, file);
}

static int copy_run(int from, int to, off_t at, off_t end)
{
	static char room[1 << 16]; /* with the lock held */

	while (at < end) {
		size_t n = sizeof(room);
		ssize_t got;

		if ((off_t)n > end - at)
			n = (size_t)(end - at);
		got = pread(from, room, n, at);
		if (got <= 0 || pwrite(to, room, (size_t)got, at) != got)
			return -1;
		at += got;
	}
	return 0;
}

/* Only what is data: a volume of a terabyte with a file system on it is a few megabytes. */
static int copy_data(int from, int to)
{
	off_t at = 0, end;

	for (;;) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -1;
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || copy_run(from, to, at, end) < 0)
			return -1;
		at = end;
	}
}

void sim_backend_copy(const struct sim *s, const char *from, const char *to, uint64_t size)
{
	int source, target;

	if (!s->backend)
		return;
	source = open_file(s->backend, from, O_RDONLY);
	/* In place: a target that shows the file has it open. */
	target = open_file(s->backend, to, O_RDWR | O_CREAT);
	if (source < 0 || target < 0 || ftruncate(target, 0) < 0 ||
	    ftruncate(target, (off_t)size) < 0 || copy_data(source, target) < 0)
		complain("cannot copy to", to);
	if (source >= 0)
		close(source);
	if (target >= 0)
		close(target);
}

void sim_backend_remove(const struct sim *s, const char *serial)
{
	char name[40];

	if (!s->backend)
		return;
	file_name(serial, name);
	if (unlinkat(s->backend->dir, name, 0) < 0 && errno != ENOENT)
		complain("cannot remove", serial);
}

uint64_t sim_backend_used(const struct sim *s, const char *serial)
{
	struct stat st;
	char name[40];

	if (!s->backend)
		return 0;
	file_name(serial, name);
	return fstatat(s->backend->dir, name, &st, 0) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

/* Calls @fn for each host that a connection gives its volume to. */
static void each_host(const struct sim *s, const struct sim_connection *c,
		      void (*fn)(const struct sim *s, const struct sim_host *h,
				 const struct sim_connection *c))
{
	if (!s->backend || !s->backend->target)
		return;
	if (c->host)
		fn(s, c->host, c);
	vec_each (h, &s->hosts)
		if (c->group && (*h)->group == c->group)
			fn(s, *h, c);
}

static void show(const struct sim *s, const struct sim_host *h, const struct sim_connection *c)
{
	CLEANUP_FREE char *file = whole_path(s->backend, c->volume);

	target_connect(s->backend->target, h, c, file);
}

static void hide(const struct sim *s, const struct sim_host *h, const struct sim_connection *c)
{
	target_disconnect(s->backend->target, h, c);
}

void sim_backend_connect(const struct sim *s, const struct sim_connection *c)
{
	each_host(s, c, show);
}

void sim_backend_disconnect(const struct sim *s, const struct sim_connection *c)
{
	each_host(s, c, hide);
}

/* What @h sees through its own connections and its group's. */
static void each_connection(const struct sim *s, const struct sim_host *h,
			    void (*fn)(const struct sim *s, const struct sim_host *h,
				       const struct sim_connection *c))
{
	vec_each (c, &s->connections)
		if ((*c)->host == h || ((*c)->group && (*c)->group == h->group))
			fn(s, h, *c);
}

void sim_backend_host_leaves(const struct sim *s, const struct sim_host *h)
{
	if (!s->backend || !s->backend->target)
		return;
	each_connection(s, h, hide);
	target_host_gone(s->backend->target, h);
}

void sim_backend_host_comes(const struct sim *s, const struct sim_host *h)
{
	if (!s->backend || !s->backend->target)
		return;
	target_host(s->backend->target, h);
	each_connection(s, h, show);
}
