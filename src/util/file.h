/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whole files: read to the end whatever their size claims (special files claim 0), written so that
 * a reader or a crash sees the old content or the new one, never a mixture.
 */

#include "util/buf.h"

/*
 * Reads all of @fd into @ret (emptied first) with reads of at least 128 KiB, so that generated
 * files are seen in one piece where the kernel allows it. -EFBIG when there are more than @max
 * bytes; @ret then holds the first @max.
 */
int file_read_fd(int fd, size_t max, struct buf *ret);

/* Opens @path under @dirfd without following a last symlink, and reads it. */
int file_read_at(int dirfd, const char *path, size_t max, struct buf *ret);

/* Writes @data beside @path, fsyncs, renames over @path, fsyncs the folder. Mode is exact. */
int file_write_atomic(int dirfd, const char *path, struct slice data, mode_t mode);

/* The same for a group to read; (gid_t)-1: the caller's own. */
int file_write_atomic_for(int dirfd, const char *path, struct slice data, mode_t mode, gid_t group);

/* All of @data to @fd, whatever write() takes at a time. */
int file_write_all(int fd, struct slice data);

/* mkdir -p below @dirfd. Existing folders are left as they are. */
int file_mkdirs(int dirfd, const char *path, mode_t mode);
