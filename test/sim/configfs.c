/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "configfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/file.h"

enum { CONFIGFS_MAGIC = 0x62656570 };

static bool complain(const char *what, const char *path)
{
	fprintf(stderr, "arraysim: cannot %s %s: %s\n", what, path, strerror(errno));
	return false;
}

int configfs_open(struct configfs *c, const char *root, struct err *e)
{
	struct statfs fs;

	*c = (struct configfs){ .fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (c->fd < 0 || fstatfs(c->fd, &fs) < 0)
		return err_set(e, -errno, "cannot open %s: %s", root, strerror(errno));
	c->root = realpath(root, NULL);
	c->plain = fs.f_type != CONFIGFS_MAGIC;
	return 0;
}

void configfs_close(struct configfs *c)
{
	close(c->fd);
	free(c->root);
}

char *configfs_path(const char *fmt, ...)
{
	char *ret = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&ret, fmt, ap) < 0)
		abort();
	va_end(ap);
	return ret;
}

bool configfs_has(const struct configfs *c, const char *path)
{
	return faccessat(c->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make_parent(const struct configfs *c, const char *path)
{
	CLEANUP_FREE char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');

	if (!c->plain || !slash)
		return;
	*slash = '\0';
	(void)file_mkdirs(c->fd, parent, 0755);
}

bool configfs_folder(const struct configfs *c, const char *path)
{
	make_parent(c, path);
	if (mkdirat(c->fd, path, 0755) == 0 || errno == EEXIST)
		return true;
	return complain("make", path);
}

bool configfs_value(const struct configfs *c, const char *path, const char *value)
{
	ssize_t n;
	int fd;

	make_parent(c, path);
	fd = openat(c->fd, path, O_WRONLY | O_CLOEXEC | (c->plain ? O_CREAT | O_TRUNC : 0), 0644);
	if (fd < 0)
		return complain("open", path);
	n = write(fd, value, strlen(value));
	close(fd);
	return n == (ssize_t)strlen(value) || complain("write", path);
}

bool configfs_link(const struct configfs *c, const char *path, const char *target)
{
	CLEANUP_FREE char *to = configfs_path("%s/%s", c->root, target);

	make_parent(c, path);
	return symlinkat(to, c->fd, path) == 0 || errno == EEXIST || complain("link", path);
}

void configfs_unlink(const struct configfs *c, const char *path)
{
	if (unlinkat(c->fd, path, 0) < 0 && errno != ENOENT)
		(void)complain("unlink", path);
}

/* Of a plain folder: the values that a real one would take with it. */
static void empty(const struct configfs *c, const char *path)
{
	int fd = openat(c->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR) {
			CLEANUP_FREE char *below = configfs_path("%s/%s", path, entry->d_name);

			empty(c, below);
			(void)unlinkat(c->fd, below, AT_REMOVEDIR);
		} else if (entry->d_type == DT_REG) {
			(void)unlinkat(fd, entry->d_name, 0);
		}
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

void configfs_remove(const struct configfs *c, const char *path)
{
	if (c->plain)
		empty(c, path);
	if (unlinkat(c->fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		(void)complain("remove", path);
}
