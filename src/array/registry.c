/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "array/registry_file.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

#define FILE_NAME "registry.json"
#define BAD_NAME  "registry.json.bad"
#define LOCK_NAME "registry.lock"

/* A file of many thousand volumes is a few MB. */
enum { FILE_SIZE_MAX = 64 * 1024 * 1024, LOCK_STEP_MAX_MS = 20, FILE_LOCK_MS = 10000 };

struct registry {
	pthread_mutex_t lock; /* what is below */
	int lib, locks;	      /* folders */
	char *boot_id;
	char *file, *lock_dir; /* paths, for sentences */
	struct stat seen;      /* of the file that `entries` is; st_ino 0: none was read */
	struct arena arena;
	struct registry_entries entries;
	int error; /* of reading it */
	struct err why;
};

/* Root's alone; what stands above it is other parts' too. */
static int open_folder(const char *path, int *ret, struct err *e)
{
	CLEANUP_FREE char *above = xstrdup(path);
	char *slash = strrchr(above, '/');
	int error = 0;

	if (slash && slash != above) {
		*slash = '\0';
		error = file_mkdirs(AT_FDCWD, above, 0755);
	}
	if (error == 0)
		error = file_mkdirs(AT_FDCWD, path, 0700);
	if (error == 0) {
		*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = *ret < 0 ? -errno : 0;
	}
	return error ? err_set(e, error, "%s: %s", path, strerror(-error)) : 0;
}

int registry_open(struct registry **ret, const struct registry_dir *dir, struct err *e)
{
	struct registry *r = xcalloc(1, sizeof(*r));
	int error;

	r->lib = r->locks = -1;
	r->boot_id = xstrdup(dir->boot_id);
	r->file = xmalloc(strlen(dir->lib) + sizeof("/" FILE_NAME));
	(void)sprintf(r->file, "%s/" FILE_NAME, dir->lib);
	r->lock_dir = xmalloc(strlen(dir->run) + sizeof("/lock"));
	(void)sprintf(r->lock_dir, "%s/lock", dir->run);
	(void)pthread_mutex_init(&r->lock, NULL);
	error = open_folder(dir->lib, &r->lib, e);
	if (error == 0)
		error = open_folder(r->lock_dir, &r->locks, e);
	if (error)
		registry_close(r);
	else
		*ret = r;
	return error;
}

static void forget(struct registry *r)
{
	vec_free(&r->entries);
	arena_done(&r->arena);
	r->seen = (struct stat){};
	r->error = 0;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	forget(r);
	base_close_fd(&r->lib);
	base_close_fd(&r->locks);
	(void)pthread_mutex_destroy(&r->lock);
	free(r->boot_id);
	free(r->file);
	free(r->lock_dir);
	free(r);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int failed(const struct registry *r, int error, struct err *e)
{
	return err_set(e, error, "%s: %s", r->file, strerror(-error));
}

static int read_file(struct registry *r, int fd)
{
	CLEANUP(buf_done) struct buf text = {};
	int error = file_read_fd(fd, FILE_SIZE_MAX, &text);

	if (error)
		return failed(r, error, &r->why);
	return registry_parse(&r->entries, buf_slice(&text), r->boot_id, &r->arena, &r->why);
}

/* What the file holds now. The file is replaced, never written into, so that an open one is whole.
 * A file that was never made is an empty registry. */
static int refresh(struct registry *r, struct err *e)
{
	CLEANUP_FD int fd = openat(r->lib, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0) {
		int error = -errno;

		forget(r);
		return error == -ENOENT ? 0 : failed(r, error, e);
	}
	if (!same_file(&now, &r->seen)) {
		forget(r);
		r->error = read_file(r, fd);
		r->seen = now;
	}
	return r->error ? err_set(e, r->error, "%s", r->why.text) : 0;
}

static void copy_entry(struct registry_entry *ret, const struct registry_entry *from,
		       struct arena *a)
{
	*ret = *from;
	ret->storage = arena_str(a, slice_of(from->storage));
	ret->volname = arena_str(a, slice_of(from->volname));
	ret->snap = arena_str(a, slice_of(from->snap));
	ret->array_volume = arena_str(a, slice_of(from->array_volume));
	ret->volume_id = arena_str(a, slice_of(from->volume_id));
	ret->serial = arena_str(a, slice_of(from->serial));
	ret->origin = arena_str(a, slice_of(from->origin));
}

static struct registry_entry *entry_of(struct registry *r, const char *storage, const char *volname,
				       const char *snap)
{
	vec_each (it, &r->entries)
		if (registry_entry_is(it, storage, volname, snap))
			return it;
	return NULL;
}

static int give(struct registry *r, const struct registry_entry *found, int error, struct arena *a,
		struct registry_entry *ret)
{
	if (error == 0 && !found)
		error = -ENOENT;
	if (error == 0)
		copy_entry(ret, found, a);
	(void)pthread_mutex_unlock(&r->lock);
	return error;
}

int registry_find(struct registry *r, const char *storage, const char *volname, const char *snap,
		  struct arena *a, struct registry_entry *ret)
{
	const struct registry_entry *found = NULL;
	int error;

	(void)pthread_mutex_lock(&r->lock);
	error = refresh(r, NULL);
	if (error == 0)
		found = entry_of(r, storage, volname, snap);
	return give(r, found, error, a, ret);
}

int registry_find_serial(struct registry *r, const char *serial, struct arena *a,
			 struct registry_entry *ret)
{
	const struct registry_entry *found = NULL;
	int error;

	(void)pthread_mutex_lock(&r->lock);
	error = refresh(r, NULL);
	vec_each (it, &r->entries)
		if (error == 0 && strcmp(it->serial, serial) == 0)
			found = it;
	return give(r, found, error, a, ret);
}

int registry_list(struct registry *r, struct arena *a, struct registry_entry **ret, size_t *n,
		  struct err *e)
{
	int error;

	(void)pthread_mutex_lock(&r->lock);
	error = refresh(r, e);
	if (error == 0) {
		*ret = arena_alloc(a, r->entries.n * sizeof(**ret));
		*n = r->entries.n;
		for (size_t i = 0; i < *n; i++)
			copy_entry(&(*ret)[i], &r->entries.items[i], a);
	}
	(void)pthread_mutex_unlock(&r->lock);
	return error;
}

/* ---- locks ---- */

static void name_holder(int fd, char ret[64])
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice line;

	(void)snprintf(ret, 64, "somebody");
	if (lseek(fd, 0, SEEK_SET) < 0 || file_read_fd(fd, 32, &text))
		return;
	line = slice_trim(buf_slice(&text));
	if (!slice_empty(line))
		(void)snprintf(ret, 64, "process %.*s", SLICE_ARG(line));
}

/* Who holds it stands in the file, for the sentence of the one who waits in vain. */
static void leave_card(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		(void)file_write_all(fd, (struct slice){ text, (size_t)n });
}

/* flock() has no time limit of its own: tried in steps that grow to LOCK_STEP_MAX_MS. */
static int lock_fd(const struct registry *r, int fd, const char *name, int64_t deadline,
		   struct err *e)
{
	char holder[64];

	for (int step = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; step *= 2) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, -errno, "%s/%s: %s", r->lock_dir, name, strerror(errno));
		if (clock_mono_ms() >= deadline) {
			name_holder(fd, holder);
			return err_set(e, -ETIMEDOUT, "%s: busy, %s works on it", name, holder);
		}
		if (step > LOCK_STEP_MAX_MS)
			step = LOCK_STEP_MAX_MS;
		(void)usleep((useconds_t)step * 1000);
	}
	return 0;
}

/* Files of names that were not used for long are deleted: one that is gone locks out nobody. */
static bool has_name(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static int lock_file(const struct registry *r, const char *name, int64_t deadline, struct err *e)
{
	for (;;) {
		CLEANUP_FD int fd =
			openat(r->locks, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int error;

		if (fd < 0)
			return err_set(e, -errno, "%s/%s: %s", r->lock_dir, name, strerror(errno));
		error = lock_fd(r, fd, name, deadline, e);
		if (error)
			return error;
		if (!has_name(fd))
			continue;
		leave_card(fd);
		return take_fd(&fd);
	}
}

int registry_lock_volume(struct registry *r, const char *storage, const char *volname,
			 int64_t deadline, struct err *e)
{
	char name[256];

	if (strchr(storage, '/') || strchr(volname, '/') ||
	    snprintf(name, sizeof(name), "%s:%s", storage, volname) >= (int)sizeof(name))
		return err_set(e, -EINVAL, "no name of a volume to lock");
	return lock_file(r, name, deadline, e);
}

/* ---- changes ---- */

static int write_file(struct registry *r, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int error;

	registry_print(&r->entries, r->boot_id, &text);
	error = file_write_atomic(r->lib, FILE_NAME, buf_slice(&text), 0600);
	/* Read again before it is believed: memory and file are never two things. */
	r->seen = (struct stat){};
	return error ? failed(r, error, e) : 0;
}

static int set_aside(struct registry *r, struct err *e)
{
	if (renameat(r->lib, FILE_NAME, r->lib, BAD_NAME) < 0)
		return failed(r, -errno, e);
	forget(r);
	return 1;
}

/* The clock's, so that it differs from those of entries that are no longer there; never one that is
 * there, whatever the clock does. */
static int64_t next_put(const struct registry_entries *entries)
{
	struct timespec now = {};
	int64_t ret;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	ret = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	vec_each (it, entries)
		if (it->put >= ret)
			ret = it->put + 1;
	return ret;
}

static int put_locked(struct registry *r, const struct registry_entry *entry, struct err *e)
{
	int aside = 0, error = refresh(r, e);
	struct registry_entry *at;
	int64_t put;

	/* Only what is no registry is set aside; a disk that fails is an error. */
	if (error == -EBADMSG)
		error = aside = set_aside(r, e);
	if (error < 0)
		return error;
	put = next_put(&r->entries);
	at = entry_of(r, entry->storage, entry->volname, entry->snap);
	if (!at)
		at = vec_push(&r->entries);
	copy_entry(at, entry, &r->arena);
	at->put = put;
	error = write_file(r, e);
	return error ? error : aside;
}

static int drop_locked(struct registry *r, const char *storage, const char *volname,
		       const char *snap, struct err *e)
{
	int error = refresh(r, e);
	struct registry_entry *at;

	if (error)
		return error;
	at = entry_of(r, storage, volname, snap);
	if (!at)
		return 0;
	*at = r->entries.items[--r->entries.n];
	return write_file(r, e);
}

int registry_put(struct registry *r, const struct registry_entry *entry, struct err *e)
{
	CLEANUP_FD int fd = lock_file(r, LOCK_NAME, clock_mono_ms() + FILE_LOCK_MS, e);
	int error;

	if (fd < 0)
		return fd;
	(void)pthread_mutex_lock(&r->lock);
	error = put_locked(r, entry, e);
	(void)pthread_mutex_unlock(&r->lock);
	return error;
}

static int checked_locked(struct registry *r, const struct registry_entry *entry, struct err *e)
{
	int error = refresh(r, e);
	struct registry_entry *at;

	if (error)
		return error;
	at = entry_of(r, entry->storage, entry->volname, entry->snap);
	if (!at || at->put != entry->put)
		return 0;
	at->checked = clock_boot_ms();
	return write_file(r, e);
}

int registry_checked(struct registry *r, const struct registry_entry *entry, struct err *e)
{
	CLEANUP_FD int fd = lock_file(r, LOCK_NAME, clock_mono_ms() + FILE_LOCK_MS, e);
	int error;

	if (fd < 0)
		return fd;
	(void)pthread_mutex_lock(&r->lock);
	error = checked_locked(r, entry, e);
	(void)pthread_mutex_unlock(&r->lock);
	return error;
}

int registry_drop(struct registry *r, const char *storage, const char *volname, const char *snap,
		  struct err *e)
{
	CLEANUP_FD int fd = lock_file(r, LOCK_NAME, clock_mono_ms() + FILE_LOCK_MS, e);
	int error;

	if (fd < 0)
		return fd;
	(void)pthread_mutex_lock(&r->lock);
	error = drop_locked(r, storage, volname, snap, e);
	(void)pthread_mutex_unlock(&r->lock);
	return error;
}
