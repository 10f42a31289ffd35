/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/published.h"

#include <errno.h>
#include <fcntl.h>

#include "util/file.h"

int published_read(const struct root *r, const char *path, uid_t owner, size_t max, struct buf *ret,
		   uint64_t *ret_size)
{
	CLEANUP_FD int fd = root_openat(r, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fd == -ENOENT || fd == -EACCES ? fd : -EPERM;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EPERM;
	if (r->live && st.st_uid != 0 && st.st_uid != owner)
		return -EPERM;
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	return file_read_fd(fd, max, ret);
}
