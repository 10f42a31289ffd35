/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/file.h"

enum {
	LINE_MAX_BYTES = 65536,
	WALK_TRIES = 1000,
};

int root_open(struct root *r, const char *path, struct err *e)
{
	if (!path || strcmp(path, "/") == 0) {
		*r = (struct root){ .live = true, .path = "/" };
		path = "/";
	} else {
		*r = (struct root){ .path = path };
	}
	r->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0) {
		int code = -errno;

		return err_set(e, code, "%s: %s", path, strerror(-code));
	}
	return 0;
}

void root_close(struct root *r)
{
	base_close_fd(&r->fd);
	r->fd = -1;
}

/* EAGAIN says nothing about the file: whenever anything was renamed or mounted anywhere on the
 * machine during a walk through "..", the kernel cannot vouch that it stayed inside (openat2(2)).
 */
static int open_inside(int top, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = -1;

	for (int i = 0; i < WALK_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, top, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int root_openat(const struct root *r, const char *path, int flags)
{
	int fd = r->live ? openat(r->fd, path, flags | O_CLOEXEC) : open_inside(r->fd, path, flags);

	return fd < 0 ? -errno : fd;
}

DIR *root_opendir(const struct root *r, const char *path)
{
	int fd = root_openat(r, path, O_RDONLY | O_DIRECTORY);
	DIR *d;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	d = fdopendir(fd);
	if (!d)
		base_close_fd(&fd);
	return d;
}

int root_read(const struct root *r, const char *path, size_t max, struct buf *ret)
{
	/* Never wait for a writer of a FIFO that somebody left in a folder of ours. */
	CLEANUP_FD int fd = root_openat(r, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		buf_reset(ret);
		return fd;
	}
	return file_read_fd(fd, max, ret);
}

int root_read_line(const struct root *r, const char *path, struct buf *ret)
{
	int code = root_read(r, path, LINE_MAX_BYTES, ret);

	if (code < 0)
		return code;
	ret->len = ret->len ? strcspn(ret->data, "\n") : 0;
	if (ret->data)
		ret->data[ret->len] = '\0';
	return 0;
}

int root_readlink(const struct root *r, const char *path, struct buf *ret)
{
	CLEANUP_FD int fd = root_openat(r, path, O_PATH | O_NOFOLLOW);
	ssize_t n;

	buf_reset(ret);
	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", buf_reserve(ret, 4096), 4096);
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno;
	ret->len = (size_t)n;
	ret->data[n] = '\0';
	return 0;
}

int root_lstat(const struct root *r, const char *path, struct stat *ret)
{
	CLEANUP_FD int fd = root_openat(r, path, O_PATH | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int root_stat(const struct root *r, const char *path, struct stat *ret)
{
	CLEANUP_FD int fd = root_openat(r, path, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}
