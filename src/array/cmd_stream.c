/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array/stream.h"
#include "cmd.h"
#include "util/log.h"
#include "util/str.h"

const struct cli_option array_import_options[] = {
	{ "sparse", NULL, "the device reads zeros: leave blocks of zeros out" },
	{ "size", "BYTES", "the header was read already, and this many bytes follow" },
	{},
};

/* stdout carries the volume: everything else, a mistake in the arguments too, goes to stderr. */
static int refused(const char *path, const struct err *e)
{
	log_error("%s: %s", path, e->text);
	return CLI_CRITICAL;
}

/* @flags: O_EXCL keeps away from a device that is mounted or mapped further. */
static int open_device(const char *path, int flags, uint64_t *ret_size, struct err *e)
{
	CLEANUP_FD int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0 && errno == EBUSY)
		return err_set(e, -EBUSY, "somebody has it open");
	if (fd < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	r = stream_size_of(fd, ret_size, e);
	return r < 0 ? r : take_fd(&fd);
}

int cmd_array_export(const struct cli *cli)
{
	const char *path = cli->operands[0];
	uint64_t size, has = 0;
	struct err e = {};

	if (!str_to_u64(slice_of(cli->operands[1]), &size) || !size)
		return cli_usage(cli, "SIZE is a number of bytes, not '%s'", cli->operands[1]);
	CLEANUP_FD int fd = open_device(path, O_RDONLY, &has, &e);

	if (fd >= 0 && has < size)
		err_set(&e, -ENODATA, "it has %llu bytes, and %llu were asked for",
			(unsigned long long)has, (unsigned long long)size);
	if (fd < 0 || has < size || stream_export(fd, size, STDOUT_FILENO, &e) < 0)
		return refused(path, &e);
	return CLI_OK;
}

static int wanted_size(const struct cli *cli, uint64_t *ret, struct err *e)
{
	const char *given = cli_value(cli, "size");

	if (!given)
		return stream_header_take(STDIN_FILENO, ret, e);
	if (!str_to_u64(slice_of(given), ret) || !*ret)
		return err_set(e, -EINVAL, "--size is a number of bytes, not '%s'", given);
	return 0;
}

int cmd_array_import(const struct cli *cli)
{
	const char *path = cli->operands[0];
	uint64_t size = 0, has = 0;
	struct err e = {};
	CLEANUP_FD int fd = open_device(path, O_WRONLY | O_EXCL, &has, &e);

	if (fd < 0 || wanted_size(cli, &size, &e) < 0)
		return refused(path, &e);
	if (has < size) {
		err_set(&e, -ENOSPC, "it has %llu bytes, and the input needs %llu",
			(unsigned long long)has, (unsigned long long)size);
		return refused(path, &e);
	}
	if (stream_import(STDIN_FILENO, size, fd, cli_has(cli, "sparse"), &e) < 0)
		return refused(path, &e);
	return CLI_OK;
}
