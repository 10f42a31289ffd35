/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)128 * 1024)

int file_read_fd(int fd, size_t max, struct buf *ret)
{
	/* Most files are small: one 4 KiB room first, large steps only for what needs them. */
	struct stat st;
	size_t step = READ_SIZE;

	buf_reset(ret);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (size_t)st.st_size < READ_SIZE)
		step = (size_t)st.st_size + 1;

	for (;;) {
		size_t room = ret->len > max ? 1 : max - ret->len + 1;
		ssize_t n;

		if (room > step)
			room = step;
		n = read(fd, buf_reserve(ret, room), room);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
		if (ret->len > max) {
			ret->len = max;
			ret->data[max] = '\0';
			return -EFBIG;
		}
		step = READ_SIZE;
	}
}

int file_read_at(int dirfd, const char *path, size_t max, struct buf *ret)
{
	CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	return file_read_fd(fd, max, ret);
}

int file_write_all(int fd, struct slice data)
{
	while (data.n) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		data = (struct slice){ data.p + n, data.n - (size_t)n };
	}
	return 0;
}

static int sync_folder_of(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *folder = NULL;
	CLEANUP_FD int fd = -1;

	folder = xstrdup(slash ? path : ".");
	if (slash)
		folder[slash - path] = '\0';
	fd = openat(dirfd, *folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_and_sync(int dirfd, const char *path, struct slice data, mode_t mode, gid_t group)
{
	CLEANUP_FD int fd = -1;
	int r;

	fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, data);
	if (r < 0)
		return r;
	if (group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0)
		return -errno;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int file_write_atomic_for(int dirfd, const char *path, struct slice data, mode_t mode, gid_t group)
{
	CLEANUP(buf_done) struct buf temp = {};
	int r;

	buf_addf(&temp, "%s.%ld.tmp", path, (long)getpid());
	(void)unlinkat(dirfd, temp.data, 0);
	r = write_and_sync(dirfd, temp.data, data, mode, group);
	if (r == 0 && renameat(dirfd, temp.data, dirfd, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temp.data, 0);
		return r;
	}
	return sync_folder_of(dirfd, path);
}

int file_write_atomic(int dirfd, const char *path, struct slice data, mode_t mode)
{
	return file_write_atomic_for(dirfd, path, data, mode, (gid_t)-1);
}

int file_mkdirs(int dirfd, const char *path, mode_t mode)
{
	CLEANUP_FREE char *copy = xstrdup(path);

	for (char *p = copy + 1; *copy; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST)
			return -errno;
		if (c == '\0')
			return 0;
		*p = c;
	}
	return 0;
}
