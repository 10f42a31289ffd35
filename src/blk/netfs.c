/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/netfs.h"

#include "util/str.h"

enum { MOUNTINFO_MAX = 16 * 1024 * 1024 };

void netfs_read(struct netfs *ret, const struct root *root)
{
	*ret = (struct netfs){};
	(void)root_read(root, "proc/self/mountinfo", MOUNTINFO_MAX, &ret->mountinfo);
}

void netfs_done(struct netfs *n)
{
	buf_done(&n->mountinfo);
}

static bool is_remote(struct slice type)
{
	static const char *const types[] = { "nfs", "nfs4", "cifs",  "smb3", "ceph",  "glusterfs",
					     "9p",  "afs",  "ocfs2", "gfs2", "lustre" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (slice_eq(type, types[i]))
			return true;
	return slice_starts(type, "fuse");
}

/* @path is @point or below it. Escaped blanks in a mount point match nothing: it is then judged by
 * the mount above. */
static bool is_below(struct slice path, struct slice point)
{
	if (slice_eq(point, "/"))
		return true;
	return path.n >= point.n && memcmp(path.p, point.p, point.n) == 0 &&
	       (path.n == point.n || path.p[point.n] == '/');
}

/* "36 35 98:0 /root /mnt/x rw,noatime master:1 - ext3 /dev/root rw": the mount point is the fifth
 * field, the type the one behind the hyphen (proc_pid_mountinfo(5)). */
static bool parse_line(struct slice line, struct slice *ret_point, struct slice *ret_type)
{
	struct slice word = {};

	for (int i = 0; i < 5; i++)
		if (!slice_split(&line, ' ', &word))
			return false;
	*ret_point = word;
	while (slice_split(&line, ' ', &word))
		if (slice_eq(word, "-"))
			return slice_split(&line, ' ', ret_type);
	return false;
}

bool netfs_holds(const struct netfs *n, const char *path)
{
	struct slice rest = buf_slice(&n->mountinfo), line, point, type;
	size_t longest = 0;
	bool remote = false;

	while (slice_split(&rest, '\n', &line)) {
		/* Of mounts on one point the last covers the others. */
		if (!parse_line(line, &point, &type) || point.n < longest ||
		    !is_below(slice_of(path), point))
			continue;
		longest = point.n;
		remote = is_remote(type);
	}
	return remote;
}
