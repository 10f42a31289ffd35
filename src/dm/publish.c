/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dm/seen.h"
#include "dm/show.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

#define GROUP	   "www-data"
#define GROUP_FILE "etc/group"
#define GROUP_MAX  ((size_t)4 * 1024 * 1024)

/* Read from the file: the library's way may ask a directory server, and wait for it. */
static gid_t reading_group(const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line, field = {};
	uint32_t gid;

	if (root_read(root, GROUP_FILE, GROUP_MAX, &text) < 0)
		return (gid_t)-1;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_starts(line, GROUP ":"))
			continue;
		for (int i = 0; i < 3; i++)
			if (!slice_split(&line, ':', &field))
				return (gid_t)-1;
		return str_to_u32(field, &gid) ? gid : (gid_t)-1;
	}
	return (gid_t)-1;
}

/* A folder of ours below @at, made if need be. Somebody else's, or a symlink, is refused. */
static int enter(int at, const char *name)
{
	struct stat st;
	int fd, r;

	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0				    ? -errno
	    : st.st_uid != geteuid() || (st.st_mode & 0022) ? -EPERM
							    : 0;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

int dm_publish_at(const struct root *root, struct slice document)
{
	CLEANUP_FD int run = root_openat(root, "run", O_RDONLY | O_DIRECTORY), ours = -1, dm = -1;

	if (run < 0)
		return run;
	ours = enter(run, "pvewarden");
	if (ours < 0)
		return ours;
	dm = enter(ours, "dm");
	if (dm < 0)
		return dm;
	return file_write_atomic_for(dm, "dm.json", document, 0640, reading_group(root));
}

void dm_publish(const struct root *root, struct slice document)
{
	int r = root->live ? dm_publish_at(root, document) : 0;

	if (r < 0)
		log_warn("/run/pvewarden/dm/dm.json could not be written: %s", strerror(-r));
}

void dm_publish_check(const struct root *root, const struct dm_check *c)
{
	CLEANUP(dm_seen_done) struct dm_seen seen = {};
	CLEANUP(buf_done) struct buf out = {};
	const struct dm_view whole = {};

	if (!root->live)
		return;
	dm_show_json(c, &whole, &out);
	dm_publish(root, buf_slice(&out));
	dm_seen_read(&seen, root);
	dm_seen_update(&seen, c->look, root);
}
