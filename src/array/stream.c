/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"

/* What a FlashArray can hold: 4 PiB. */
#define SIZE_MAX_BYTES (UINT64_C(1) << 52)

void stream_header_write(uint64_t size, uint8_t ret[STREAM_HEADER])
{
	for (int i = 0; i < STREAM_HEADER; i++)
		ret[i] = (uint8_t)(size >> (8 * i));
}

uint64_t stream_header_read(const uint8_t header[STREAM_HEADER])
{
	uint64_t size = 0;

	for (int i = 0; i < STREAM_HEADER; i++)
		size |= (uint64_t)header[i] << (8 * i);
	return size;
}

/* Until @n bytes are there or the input ends; how many, or -errno. */
static ssize_t read_full(int fd, uint8_t *data, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, data + have, n - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static int write_full_at(int fd, const uint8_t *data, size_t n, uint64_t at)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = pwrite(fd, data + done, n - done, (off_t)(at + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -ENOSPC;
		done += (size_t)put;
	}
	return 0;
}

static int put(int out, const void *data, size_t n, struct err *e)
{
	int r = file_write_all(out, (struct slice){ data, n });

	return r < 0 ? err_set(e, r, "the receiver takes no more: %s", strerror(-r)) : 0;
}

int stream_export(int in, uint64_t size, int out, struct err *e)
{
	CLEANUP_FREE uint8_t *block = xmalloc(STREAM_BLOCK);
	uint8_t header[STREAM_HEADER];
	int r;

	stream_header_write(size, header);
	(void)posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL);
	r = put(out, header, sizeof(header), e);
	for (uint64_t at = 0; !r && at < size;) {
		size_t want = size - at < STREAM_BLOCK ? (size_t)(size - at) : STREAM_BLOCK;
		ssize_t got = read_full(in, block, want);

		if (got < 0)
			return err_set(e, (int)got, "cannot read the device at byte %llu: %s",
				       (unsigned long long)at, strerror((int)-got));
		if ((size_t)got < want)
			return err_set(e, -ENODATA, "the device has only %llu of %llu bytes",
				       (unsigned long long)(at + (size_t)got),
				       (unsigned long long)size);
		r = put(out, block, want, e);
		at += want;
	}
	return r;
}

int stream_header_take(int in, uint64_t *ret, struct err *e)
{
	uint8_t header[STREAM_HEADER];
	ssize_t got = read_full(in, header, sizeof(header));
	uint64_t size;

	if (got < 0)
		return err_set(e, (int)got, "cannot read the input: %s", strerror((int)-got));
	if (got < STREAM_HEADER)
		return err_set(e, -ENODATA,
			       "the input ended before its 8-byte header with the size");
	size = stream_header_read(header);
	if (!size || size > SIZE_MAX_BYTES)
		return err_set(
			e, -EINVAL,
			"the header says %llu bytes, which no volume has: is this the format "
			"raw+size?",
			(unsigned long long)size);
	*ret = size;
	return 0;
}

static bool all_zero(const uint8_t *data, size_t n)
{
	return n == 0 || (data[0] == 0 && memcmp(data, data + 1, n - 1) == 0);
}

/* The parts of @block that are not zeros, or all of it. */
static int put_block(int out, const uint8_t *block, size_t n, uint64_t at, bool sparse)
{
	int r = 0;

	if (!sparse)
		return write_full_at(out, block, n, at);
	for (size_t from = 0; !r && from < n; from += STREAM_HOLE) {
		size_t len = n - from < STREAM_HOLE ? n - from : STREAM_HOLE;

		if (!all_zero(block + from, len))
			r = write_full_at(out, block + from, len, at + from);
	}
	return r;
}

static int expect_end(int in, uint64_t size, struct err *e)
{
	uint8_t more;
	ssize_t got = read_full(in, &more, 1);

	if (got < 0)
		return err_set(e, (int)got, "cannot read the input: %s", strerror((int)-got));
	if (got)
		return err_set(e, -EFBIG, "the input goes on behind the %llu bytes it announced",
			       (unsigned long long)size);
	return 0;
}

int stream_import(int in, uint64_t size, int out, bool sparse, struct err *e)
{
	CLEANUP_FREE uint8_t *block = xmalloc(STREAM_BLOCK);
	int r;

	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < STREAM_BLOCK ? (size_t)(size - at) : STREAM_BLOCK;
		ssize_t got = read_full(in, block, want);

		if (got < 0)
			return err_set(e, (int)got, "cannot read the input: %s",
				       strerror((int)-got));
		if ((size_t)got < want)
			return err_set(e, -ENODATA, "the input ended after %llu of %llu bytes",
				       (unsigned long long)(at + (size_t)got),
				       (unsigned long long)size);
		r = put_block(out, block, want, at, sparse);
		if (r < 0)
			return err_set(e, r, "cannot write the device at byte %llu: %s",
				       (unsigned long long)at, strerror(-r));
		at += want;
	}
	r = expect_end(in, size, e);
	if (!r && fsync(out) < 0)
		return err_set(e, -errno, "the device does not take what was written: %s",
			       strerror(errno));
	return r;
}

int stream_size_of(int fd, uint64_t *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	if (S_ISREG(st.st_mode)) {
		*ret = (uint64_t)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(e, -ENOTBLK, "neither a block device nor a file");
	if (ioctl(fd, BLKGETSIZE64, ret) < 0)
		return err_set(e, -errno, "its size cannot be read: %s", strerror(errno));
	return 0;
}
