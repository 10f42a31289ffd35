/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Who has a map open: udev's probes, each of their open files counted once, and anybody else. */

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "array/map_see.h"
#include "util/str.h"

struct open_file {
	pid_t pid;
	int fd;
};

struct open_files {
	struct open_file *items; /* VEC() */
	size_t n, cap;
};

static const char *line_of(const struct root *root, pid_t pid, const char *what, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%ld/%s", (long)pid, what);
	(void)root_read_line(root, path, &text);
	return arena_str(a, buf_slice(&text));
}

static struct map_process process_of(const struct root *root, pid_t pid, struct arena *a)
{
	CLEANUP(buf_done) struct buf target = {};
	struct map_process ret = { .command = line_of(root, pid, "comm", a) };
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%ld/exe", (long)pid);
	(void)root_readlink(root, path, &target);
	ret.exe = arena_str(a, buf_slice(&target));
	return ret;
}

/* 0 when it cannot be told. */
static pid_t parent_of(const struct root *root, pid_t pid)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;
	char path[64];
	uint32_t n;

	(void)snprintf(path, sizeof(path), "proc/%ld/status", (long)pid);
	if (root_read(root, path, 64 * 1024, &text) < 0)
		return 0;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		if (slice_starts(line, "PPid:"))
			return str_to_u32(slice_trim(slice_from(line, 5)), &n) ? (pid_t)n : 0;
	return 0;
}

static bool is_probe(const struct root *root, pid_t pid, struct arena *a)
{
	struct map_process p = process_of(root, pid, a), parent = { "", "" };
	pid_t above = parent_of(root, pid);

	if (above)
		parent = process_of(root, above, a);
	return map_plan_is_probe(&p, &parent);
}

/* Two descriptors, of one process or of two, may be one open file. What cannot be told is one, so
 * that too few are counted rather than too many. */
static bool is_known(const struct open_files *known, const struct open_file *f)
{
	vec_each (k, known)
		if (syscall(SYS_kcmp, k->pid, f->pid, KCMP_FILE, k->fd, f->fd) <= 0)
			return true;
	return false;
}

static void add_files(struct open_files *ret, const struct root *root, pid_t pid, struct devno dev)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "proc/%ld/fd", (long)pid);
	dir = root_opendir(root, path);
	while (dir && (entry = readdir(dir))) {
		struct open_file f = { .pid = pid };
		char target[64];
		struct stat st;
		uint32_t fd;
		ssize_t n;

		if (!str_to_u32(slice_of(entry->d_name), &fd))
			continue;
		f.fd = (int)fd;
		/* Anything else may lie on a file system that does not answer. */
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (n < 5 || memcmp(target, "/dev/", 5) != 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode))
			continue;
		if (major(st.st_rdev) == dev.major && minor(st.st_rdev) == dev.minor &&
		    !is_known(ret, &f))
			*vec_push(ret) = f;
	}
	if (dir)
		(void)closedir(dir);
}

static void name_user(struct map_openers *ret, const struct dm_user *u)
{
	ret->user = true;
	if (u->pid)
		(void)snprintf(ret->who, sizeof(ret->who), "process %ld (%.30s) holds it: %.50s",
			       (long)u->pid, u->command ? u->command : "?", u->via);
	else
		(void)snprintf(ret->who, sizeof(ret->who), "it is %.100s", u->via);
}

/* --- a file system that was unmounted lazily ---------------------------------------------------
 */

/* Without asking a server or a daemon that may not answer. */
static bool is_file_on(int dir, const char *name, struct devno dev)
{
	struct statx st;

	return statx(dir, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	       st.stx_dev_major == dev.major && st.stx_dev_minor == dev.minor;
}

static bool has_file_on(const struct root *root, pid_t pid, struct devno dev, char path[64])
{
	static const char *const links[] = { "cwd", "root", "exe" };
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, 64, "proc/%ld", (long)pid);
	dir = root_opendir(root, path);
	for (size_t i = 0; dir && i < ARRAY_SIZE(links) && !found; i++)
		found = is_file_on(dirfd(dir), links[i], dev);
	if (dir)
		(void)closedir(dir);
	(void)snprintf(path, 64, "proc/%ld/fd", (long)pid);
	dir = found ? NULL : root_opendir(root, path);
	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.' && is_file_on(dirfd(dir), entry->d_name, dev);
	if (dir)
		(void)closedir(dir);
	return found;
}

/* As vzdump leaves one: no namespace has the mount any more, and the device stays open until the
 * last of its files is closed. */
static void look_for_files(const struct root *root, struct devno dev, struct map_openers *ret)
{
	DIR *dir = root_opendir(root, "proc");
	struct dirent *entry;
	char path[64];
	uint32_t pid;

	while (dir && !ret->user && (entry = readdir(dir))) {
		CLEANUP(arena_done) struct arena a = {};

		if (!str_to_u32(slice_of(entry->d_name), &pid) ||
		    !has_file_on(root, (pid_t)pid, dev, path))
			continue;
		ret->user = true;
		(void)snprintf(ret->who, sizeof(ret->who),
			       "process %u (%.30s) has a file open on it, unmounted though it is",
			       pid, line_of(root, (pid_t)pid, "comm", &a));
	}
	if (dir)
		(void)closedir(dir);
}

void map_see_openers(const struct root *root, struct devno dev, const struct dm_users *known,
		     struct map_openers *ret)
{
	CLEANUP(users_done) struct dm_users users = {};
	CLEANUP(arena_done) struct arena a = {};
	struct open_files files = {};
	struct dm_set none = {};

	*ret = (struct map_openers){};
	if (!known)
		users_read(&users, root, &none, &dev, 1, &a);
	vec_each (u, known ? known : &users) {
		if (!devno_eq(u->dev, dev))
			continue;
		if (!u->pid || strcmp(u->via, "open file") != 0 || !is_probe(root, u->pid, &a))
			name_user(ret, u);
		else
			add_files(&files, root, u->pid, dev);
		if (ret->user)
			break;
	}
	ret->probes = files.n;
	vec_free(&files);
	if (!ret->user && !ret->probes && root->live)
		look_for_files(root, dev, ret);
}

bool map_see_may_look(const struct root *root)
{
	CLEANUP(buf_done) struct buf target = {};

	return !root->live || root_readlink(root, "proc/1/exe", &target) == 0;
}
