/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/vpd.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
	PAGE = 0x83,
	PAGE_MAX = 1024,
	HEAD = 4, /* of the page, and of each designator */
	BINARY = 1,
	OF_UNIT = 0,
	NAA = 3,
	NAA_LONG = 16,
	NAA_SHORT = 8,
	ASK_TIMEOUT_MS = 5000,
};

static void to_hex(const uint8_t *from, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", from[i]);
}

/* Byte 0: code set below; byte 1: association in bits 4 and 5, type below; byte 3: length. */
static bool is_naa_of_unit(const uint8_t *d)
{
	return (d[0] & 0x0f) == BINARY && (d[1] >> 4 & 3) == OF_UNIT && (d[1] & 0x0f) == NAA;
}

bool vpd_naa(const uint8_t *page, size_t n, char ret[VPD_ID_MAX])
{
	bool found = false;
	size_t end, at, length;

	if (n < HEAD || page[1] != PAGE)
		return false;
	end = HEAD + ((size_t)page[2] << 8 | page[3]);
	if (end > n)
		return false;
	for (at = HEAD; at + HEAD <= end; at += HEAD + length) {
		length = page[at + 3];
		if (at + HEAD + length > end)
			return false;
		if (!is_naa_of_unit(page + at))
			continue;
		if (length == NAA_LONG) {
			to_hex(page + at + HEAD, length, ret);
			return true;
		}
		if (length == NAA_SHORT && !found) {
			to_hex(page + at + HEAD, length, ret);
			found = true;
		}
	}
	return found;
}

static int open_disk(const char *name, struct devno dev, struct err *e)
{
	char path[64];
	struct stat st;
	int fd, r;

	(void)snprintf(path, sizeof(path), "/dev/%.31s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (!S_ISBLK(st.st_mode) || major(st.st_rdev) != dev.major ||
		       minor(st.st_rdev) != dev.minor))
		r = -ENXIO;
	if (r == 0)
		return fd;
	base_close_fd(&fd);
	return err_set(e, r, "%s is not the disk that /sys names", path);
}

int vpd_ask(const char *name, struct devno dev, char ret[VPD_ID_MAX], struct err *e)
{
	CLEANUP_FD int fd = open_disk(name, dev, e);
	uint8_t page[PAGE_MAX] = {}, sense[32] = {};
	uint8_t command[] = { 0x12, 1, PAGE, PAGE_MAX >> 8, PAGE_MAX & 0xff, 0 };
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(command),
		.cmdp = command,
		.dxfer_len = sizeof(page),
		.dxferp = page,
		.mx_sb_len = sizeof(sense),
		.sbp = sense,
		.timeout = ASK_TIMEOUT_MS,
	};

	if (fd < 0)
		return fd;
	if (ioctl(fd, SG_IO, &io) < 0)
		return err_set(e, -ENXIO, "/dev/%s does not answer: %s", name, strerror(errno));
	/* The upper bits of the first byte: whether a unit is there at all. */
	if (io.status || io.host_status || (page[0] >> 5) != 0)
		return err_set(e, -ENXIO, "/dev/%s does not answer: no disk is behind it any more",
			       name);
	if (!vpd_naa(page, sizeof(page) - (size_t)(io.resid > 0 ? io.resid : 0), ret))
		return err_set(e, -EIO, "/dev/%s does not say who it is", name);
	return 0;
}
