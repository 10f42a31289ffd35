/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A node made of files for one test: a fresh folder under /tmp, gone with it. Any failure aborts.
 */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "pve/root.h"
#include "util/file.h"

struct tree {
	char path[64];
	struct root root;
};

static inline void tree_make(struct tree *t)
{
	struct err e;

	(void)snprintf(t->path, sizeof(t->path), "/tmp/pvewarden-test-XXXXXX");
	if (!mkdtemp(t->path) || root_open(&t->root, t->path, &e) < 0)
		abort();
}

static inline int tree_unlink(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void tree_done(struct tree *t)
{
	root_close(&t->root);
	(void)nftw(t->path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* The folder that @path stands in, made if need be; the descriptor of the tree's top. */
static inline int tree_parent(const struct tree *t, const char *path)
{
	char folder[512];
	int fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)snprintf(folder, sizeof(folder), "%s", path);
	if (fd < 0)
		abort();
	if (strrchr(folder, '/')) {
		*strrchr(folder, '/') = '\0';
		if (file_mkdirs(fd, folder, 0755) < 0)
			abort();
	}
	return fd;
}

static inline void tree_write_n(const struct tree *t, const char *path, const void *data, size_t n)
{
	int top = tree_parent(t, path);
	int fd = openat(top, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, (struct slice){ data, n }) < 0)
		abort();
	(void)close(fd);
	(void)close(top);
}

static inline void tree_write(const struct tree *t, const char *path, const char *text)
{
	tree_write_n(t, path, text, strlen(text));
}

static inline void tree_link(const struct tree *t, const char *path, const char *target)
{
	int top = tree_parent(t, path);

	if (symlinkat(target, top, path) < 0)
		abort();
	(void)close(top);
}

static inline void tree_remove(const struct tree *t, const char *path)
{
	char full[640];

	(void)snprintf(full, sizeof(full), "%s/%s", t->path, path);
	if (remove(full) < 0)
		abort();
}

static inline void tree_chmod(const struct tree *t, const char *path, mode_t mode)
{
	char full[640];

	(void)snprintf(full, sizeof(full), "%s/%s", t->path, path);
	if (chmod(full, mode) < 0)
		abort();
}
