/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/users.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/str.h"

enum { NAMESPACES_MAX = 4096 };

struct search {
	const struct root *root;
	const struct dm_set *dm;
	const struct devno *devs;
	size_t n_devs;
	struct arena *arena;
	struct dm_users *found;
	struct {
		ino_t *items;
		size_t n, cap;
	} namespaces; /* mount namespaces whose mounts were read */
};

static int compare_devno(const void *a, const void *b)
{
	return devno_cmp(*(const struct devno *)a, *(const struct devno *)b);
}

static bool is_wanted(const struct search *s, struct devno dev)
{
	return bsearch(&dev, s->devs, s->n_devs, sizeof(dev), compare_devno) != NULL;
}

static struct devno devno_of(dev_t dev)
{
	return (struct devno){ major(dev), minor(dev) };
}

static void add(struct search *s, struct devno dev, pid_t pid, const char *command, const char *via)
{
	bool mount = strncmp(via, "mounted", 7) == 0;
	struct dm_user *u;

	/* A process may hold a device many times, and a mount is seen from many namespaces: say it
	 * once. */
	vec_each (old, s->found)
		if (devno_eq(old->dev, dev) && (old->pid == pid || mount) &&
		    strcmp(old->via, via) == 0)
			return;
	u = vec_push(s->found);
	u->dev = dev;
	u->pid = pid;
	u->command = command ? arena_str(s->arena, slice_of(command)) : NULL;
	u->via = arena_str(s->arena, slice_of(via));
}

/* The block device behind a path of the live machine. */
static bool device_at(const struct search *s, const char *path, struct devno *ret)
{
	struct stat st;

	/* Anything else may lie on a file system that does not answer. */
	if (strncmp(path, "/dev/", 5) != 0)
		return false;
	if (root_stat(s->root, path + strspn(path, "/"), &st) < 0 || !S_ISBLK(st.st_mode))
		return false;
	*ret = devno_of(st.st_rdev);
	return true;
}

static const char *command_of(struct search *s, pid_t pid)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%ld/comm", (long)pid);
	(void)root_read_line(s->root, path, &text);
	return arena_str(s->arena, buf_slice(&text));
}

/* To look into a process that has more rights than we takes CAP_SYS_PTRACE, also for root. Of one
 * that has just ended the kernel says the same, and its folder is empty then. */
static void note_refusal(struct search *s, int proc)
{
	if ((errno == EACCES || errno == EPERM) && faccessat(proc, "comm", F_OK, 0) == 0)
		s->found->blind = true;
}

static void search_fds(struct search *s, int proc, pid_t pid)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir)
		note_refusal(s, proc);
	while (dir && (entry = readdir(dir))) {
		char target[64];
		struct stat st;
		ssize_t n;

		if (entry->d_name[0] == '.')
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));
		if (n < 0)
			note_refusal(s, proc);
		if (n < 5 || memcmp(target, "/dev/", 5) != 0)
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISBLK(st.st_mode) &&
		    is_wanted(s, devno_of(st.st_rdev)))
			add(s, devno_of(st.st_rdev), pid, command_of(s, pid), "open file");
	}
	if (dir)
		(void)closedir(dir);
}

/* Octal escapes of mountinfo: blank, tab, newline and backslash. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] == '\\' && from[1] && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] - '0');
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* "36 35 253:7 / /mnt/x rw ..." of the mount namespace of @pid, said to be @owner's. */
static void search_mounts(struct search *s, pid_t pid, pid_t owner)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%ld/mountinfo", (long)pid);

	if (root_read(s->root, path, 16 * 1024 * 1024, &text) < 0)
		return;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		struct slice field[5] = {};
		struct devno dev;
		char *where, via[300];

		for (size_t i = 0; i < ARRAY_SIZE(field); i++)
			(void)slice_split(&line, ' ', &field[i]);
		if (!devno_parse(field[2], &dev) || !is_wanted(s, dev))
			continue;
		where = arena_str(s->arena, field[4]);
		unescape(where);
		(void)snprintf(via, sizeof(via), "mounted on %s", where);
		add(s, dev, owner, owner ? command_of(s, owner) : NULL, via);
	}
}

static bool new_namespace(struct search *s, int proc)
{
	struct stat st;

	if (fstatat(proc, "ns/mnt", &st, 0) < 0 || s->namespaces.n >= NAMESPACES_MAX)
		return false;
	vec_each (ino, &s->namespaces)
		if (*ino == st.st_ino)
			return false;
	*vec_push(&s->namespaces) = st.st_ino;
	return true;
}

static void search_process(struct search *s, pid_t pid)
{
	char path[64];
	CLEANUP_FD int proc = -1;

	(void)snprintf(path, sizeof(path), "proc/%ld", (long)pid);
	proc = root_openat(s->root, path, O_RDONLY | O_DIRECTORY);
	if (proc < 0)
		return;
	search_fds(s, proc, pid);
	/* The host's own mounts belong to nobody; another namespace's to its first process. */
	if (new_namespace(s, proc))
		search_mounts(s, pid, s->namespaces.n == 1 ? 0 : pid);
}

static void search_processes(struct search *s)
{
	DIR *dir = root_opendir(s->root, "proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			search_process(s, (pid_t)atol(entry->d_name));
	if (dir)
		(void)closedir(dir);
}

static void search_swap(struct search *s)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line, path;

	if (root_read(s->root, "proc/swaps", 1024 * 1024, &text) < 0)
		return;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		struct devno dev;

		if (!slice_starts(line, "/") || !slice_split(&line, ' ', &path))
			continue;
		if (device_at(s, arena_str(s->arena, path), &dev) && is_wanted(s, dev))
			add(s, dev, 0, NULL, "swap");
	}
}

static void search_loops(struct search *s)
{
	CLEANUP(buf_done) struct buf backing = {};
	DIR *dir = root_opendir(s->root, "sys/block");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct devno dev;
		char path[300];

		if (strncmp(entry->d_name, "loop", 4) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "sys/block/%s/loop/backing_file", entry->d_name);
		if (root_read_line(s->root, path, &backing) == 0 &&
		    device_at(s, buf_str(&backing), &dev) && is_wanted(s, dev))
			add(s, dev, 0, NULL, entry->d_name);
	}
	if (dir)
		(void)closedir(dir);
}

static void search_holders(struct search *s)
{
	for (size_t i = 0; i < s->dm->n; i++) {
		const struct dm_dev *d = &s->dm->items[i];

		for (size_t k = 0; k < d->n_deps; k++) {
			char via[160];

			if (!is_wanted(s, d->deps[k]))
				continue;
			(void)snprintf(via, sizeof(via), "device %s", d->name);
			add(s, d->deps[k], 0, NULL, via);
		}
	}
}

static void read_recorded(struct search *s)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;

	if (root_read(s->root, USERS_RECORD_PATH, 16 * 1024 * 1024, &text) < 0)
		return;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		struct slice dev_text = {}, pid_text = {}, command = {};
		struct devno dev;
		uint64_t pid;

		(void)slice_split(&line, ' ', &dev_text);
		(void)slice_split(&line, ' ', &pid_text);
		(void)slice_split(&line, ' ', &command);
		if (!devno_parse(dev_text, &dev) || !str_to_u64(pid_text, &pid) ||
		    !is_wanted(s, dev))
			continue;
		add(s, dev, (pid_t)pid,
		    slice_eq(command, "-") ? NULL : arena_str(s->arena, command),
		    arena_str(s->arena, line));
	}
}

static int by_device(const void *a, const void *b)
{
	const struct dm_user *x = a, *y = b;
	int r = devno_cmp(x->dev, y->dev);

	return r ? r : (x->pid > y->pid) - (x->pid < y->pid);
}

void users_read(struct dm_users *ret, const struct root *root, const struct dm_set *dm,
		const struct devno *devs, size_t n_devs, struct arena *a)
{
	struct search s = {
		.root = root, .dm = dm, .devs = devs, .n_devs = n_devs, .arena = a, .found = ret
	};

	*ret = (struct dm_users){};
	if (n_devs == 0)
		return;
	if (root->live) {
		search_processes(&s);
		search_swap(&s);
		search_loops(&s);
		search_holders(&s);
	} else {
		read_recorded(&s);
	}
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_device);
	vec_free(&s.namespaces);
}

void users_done(struct dm_users *u)
{
	vec_free(u);
}

void users_write(const struct dm_users *u, struct buf *out)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct dm_user *user = &u->items[i];
		CLEANUP(buf_done) struct buf command = {};

		/* One word: comm may hold blanks and newlines. */
		buf_adds(&command, user->command && *user->command ? user->command : "-");
		for (size_t k = 0; k < command.len; k++)
			if (isspace((unsigned char)command.data[k]))
				command.data[k] = '_';
		buf_addf(out, DEVNO_FMT " %ld %s %s\n", DEVNO_ARG(user->dev), (long)user->pid,
			 command.data, user->via);
	}
}
