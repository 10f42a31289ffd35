/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A node is a directory. Every outside path is opened below one root: "/" on a live node, a
 * recorded node or a test tree otherwise. Below a root that is not "/", no path and no symlink
 * leads out of it (openat2 with RESOLVE_IN_ROOT). Paths are written without the leading slash:
 * "etc/pve/.members".
 */

#include <dirent.h>
#include <sys/stat.h>

#include "util/buf.h"
#include "util/err.h"

struct root {
	int fd;
	bool live;	  /* this is the running machine itself */
	const char *path; /* as the user gave it; "/" when live */
};

/* @path NULL or "/" is the live machine. Errors: what open() says, with a sentence. */
int root_open(struct root *r, const char *path, struct err *e);
void root_close(struct root *r);

/* The descriptor (O_CLOEXEC is added) or -errno. */
int root_openat(const struct root *r, const char *path, int flags);

/* A stream of a folder's entries for readdir(), or NULL with errno set. The caller closes it. */
DIR *root_opendir(const struct root *r, const char *path);

/* Whole file into @ret; -EFBIG when it has more than @max bytes (the first @max are there). */
int root_read(const struct root *r, const char *path, size_t max, struct buf *ret);

/* First line of a small file such as a sysfs attribute, without its newline; 0 or -errno. */
int root_read_line(const struct root *r, const char *path, struct buf *ret);

/* Target text of a symlink, not resolved. */
int root_readlink(const struct root *r, const char *path, struct buf *ret);

/* lstat() and a stat() that follows symlinks inside the root. 0 or -errno. */
int root_lstat(const struct root *r, const char *path, struct stat *ret);
int root_stat(const struct root *r, const char *path, struct stat *ret);
