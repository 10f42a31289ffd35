/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "array/cmd_ctx.h"
#include "array/stream.h"
#include "cmd.h"
#include "util/log.h"
#include "util/str.h"

const struct cli_option array_import_options[] = {
	{ "sparse", NULL, "the device reads zeros: leave blocks of zeros out" },
	{ "size", "BYTES", "the header was read already, and this many bytes follow" },
	ARRAY_CTX_OPTIONS,
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

/* The volume whose device this is, by what the kernel shows: the name that it was called by may be
 * another's by now. */
static const char *serial_of(struct array_session *s, struct devno dev, struct err *e)
{
	struct map_list maps = {};

	if (workers_list(s->ctx.workers, &maps, &s->arena, e) < 0)
		return NULL;
	for (size_t i = 0; i < maps.n; i++)
		if (maps.items[i].state.present && devno_eq(maps.items[i].state.dev, dev))
			return maps.items[i].serial;
	err_set(e, -ENODEV, "it is no volume of a FlashArray");
	return NULL;
}

/* Activated in this boot, and nobody has it open: QEMU opens a disk so that O_EXCL does not see it.
 */
static int check_volume(struct array_session *s, struct devno dev, struct err *e)
{
	const char *serial = serial_of(s, dev, e);
	struct registry_entry entry;
	struct map_state here;
	int r;

	if (!serial)
		return -ENODEV;
	r = registry_find_serial(s->ctx.registry, serial, &s->arena, &entry);
	if (r < 0 || !entry.verified || entry.leaving)
		return err_set(e, -ENODEV, "it is a volume that is not active on this node");
	r = workers_look(s->ctx.workers, serial, entry.protocol, &here, e);
	if (r < 0)
		return r;
	if (!here.present || !devno_eq(here.dev, dev) || here.mismatched)
		return err_set(e, -ESTALE, "it is changed at this moment");
	return map_is_idle(&here) ? 0 : err_set(e, -EBUSY, "%s", here.why);
}

/* A stream overwrites everything, so that a name alone is not enough. A file is its owner's. */
static int check_target(const struct cli *cli, const struct stat *st, struct err *e)
{
	struct array_session s;
	int r;

	if (!S_ISBLK(st->st_mode))
		return 0;
	r = array_session_begin(&s, cli, e);
	if (r < 0)
		return r;
	r = check_volume(&s, (struct devno){ major(st->st_rdev), minor(st->st_rdev) }, e);
	array_session_end(&s);
	return r;
}

static int open_target(const struct cli *cli, const char *path, uint64_t *ret_size, struct err *e)
{
	CLEANUP_FD int fd = -1;
	struct stat asked, opened;
	int r;

	if (stat(path, &asked) < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	r = check_target(cli, &asked, e);
	if (r < 0)
		return r;
	fd = open_device(path, O_WRONLY | O_EXCL, ret_size, e);
	if (fd < 0)
		return fd;
	if (fstat(fd, &opened) < 0 || opened.st_rdev != asked.st_rdev ||
	    opened.st_mode != asked.st_mode)
		return err_set(e, -ESTALE, "it is changed at this moment");
	return take_fd(&fd);
}

int cmd_array_import(const struct cli *cli)
{
	const char *path = cli->operands[0];
	uint64_t size = 0, has = 0;
	struct err e = {};
	CLEANUP_FD int fd = open_target(cli, path, &has, &e);

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
