/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "dm/undo_record.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

#define SUFFIX ".jsonl"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What names of this folder may look like: nothing that leads out of it. */
static bool is_id(const char *id)
{
	return *id && strlen(id) < sizeof(((struct dm_undo_writer *)0)->id) &&
	       strspn(id, "0123456789TZ-") == strlen(id);
}

int dm_undo_list(struct dm_undo_ids *ret, const struct root *root, struct err *e)
{
	DIR *dir = root_opendir(root, DM_UNDO_DIR);
	struct dirent *entry;

	*ret = (struct dm_undo_ids){};
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return err_set(e, -errno, "/" DM_UNDO_DIR ": %s", strerror(errno));
	while ((entry = readdir(dir))) {
		struct slice name = slice_of(entry->d_name);
		const char *id;

		if (!slice_ends(name, SUFFIX))
			continue;
		name.n -= strlen(SUFFIX);
		id = arena_str(&ret->arena, name);
		if (is_id(id))
			*vec_push(ret) = id;
	}
	(void)closedir(dir);
	/* Names begin with the time. */
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_text);
	return 0;
}

void dm_undo_ids_done(struct dm_undo_ids *ids)
{
	vec_free(ids);
	arena_done(&ids->arena);
}

static void path_of(char ret[160], const char *id)
{
	(void)snprintf(ret, 160, DM_UNDO_DIR "/%s" SUFFIX, id);
}

int dm_undo_read(struct dm_undo_run *ret, const struct root *root, const char *id, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[160];
	int r = -ENOENT;

	*ret = (struct dm_undo_run){};
	if (is_id(id)) {
		path_of(path, id);
		r = root_read(root, path, DM_UNDO_BYTES_MAX, &text);
	}
	if (r == -ENOENT)
		return err_set(e, r, "there is no run '%s': pvewarden dm restore lists them", id);
	if (r < 0)
		return err_set(e, r, "/%s: %s", path, strerror(-r));
	return dm_undo_parse(ret, buf_slice(&text), id, e);
}

void dm_undo_done(struct dm_undo_run *run)
{
	vec_free(run);
	arena_done(&run->arena);
}

/* What a failure left behind is the file's last line, so that nothing is ever written after it: it
 * would be lost with what was cut off. */
static int add_line(struct dm_undo_writer *w, const struct buf *line, struct err *e)
{
	int r;

	if (w->failed)
		return err_set(e, -EIO, "the undo journal could not be written before");
	r = file_write_all(w->fd, buf_slice(line));
	if (r == 0 && fsync(w->fd) < 0)
		r = -errno;
	w->failed = r < 0;
	return r < 0 ? err_set(e, r, "the undo journal cannot be written: %s", strerror(-r)) : 0;
}

static int sync_folder(const struct root *root)
{
	CLEANUP_FD int fd = root_openat(root, DM_UNDO_DIR, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

/* The oldest ones beyond DM_UNDO_KEEP; nobody restores what a reboot lies behind. */
static void prune(const struct root *root)
{
	CLEANUP(dm_undo_ids_done) struct dm_undo_ids ids = {};
	char path[160];

	if (dm_undo_list(&ids, root, NULL) < 0)
		return;
	for (size_t i = 0; i + DM_UNDO_KEEP < ids.n; i++) {
		path_of(path, ids.items[i]);
		(void)unlinkat(root->fd, path, 0);
	}
}

static int make_file(struct dm_undo_writer *w, const struct root *root, int64_t now, struct err *e)
{
	char path[160], when[CLOCK_TEXT_MAX];
	char compact[CLOCK_TEXT_MAX] = "";
	size_t n = 0;

	for (const char *p = clock_rfc3339(now, when); *p; p++)
		if (*p != '-' && *p != ':')
			compact[n++] = *p;
	(void)snprintf(w->id, sizeof(w->id), "%s-%ld", compact, (long)getpid());
	path_of(path, w->id);
	w->fd = openat(root->fd, path,
		       O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->fd < 0)
		return err_set(e, -errno, "the undo journal /%s: %s", path, strerror(errno));
	return 0;
}

int dm_undo_create(struct dm_undo_writer *w, const struct root *root, const struct node *node,
		   struct err *e)
{
	CLEANUP(buf_done) struct buf line = {};
	CLEANUP(arena_done) struct arena scratch = {};
	int64_t now = clock_now();
	char path[160];
	int r = file_mkdirs(root->fd, DM_UNDO_DIR, 0700);

	*w = (struct dm_undo_writer){ .fd = -1 };
	if (r < 0)
		return err_set(e, r, "/" DM_UNDO_DIR ": %s", strerror(-r));
	prune(root);
	r = make_file(w, root, now, e);
	if (r < 0)
		return r;
	dm_undo_write_header(&line, node->name, dm_boot_id(root, &scratch), now);
	r = add_line(w, &line, e);
	if (r == 0) {
		r = sync_folder(root);
		if (r < 0)
			(void)err_set(e, r, "/" DM_UNDO_DIR ": %s", strerror(-r));
	}
	if (r < 0) {
		path_of(path, w->id);
		(void)unlinkat(root->fd, path, 0);
		dm_undo_close(w);
	}
	return r;
}

/* After a crash the last line may have no end: what comes next must begin on a line of its own. */
static int end_torn_line(struct dm_undo_writer *w, const struct root *root, const char *path,
			 struct err *e)
{
	CLEANUP_FD int fd = root_openat(root, path, O_RDONLY | O_NOFOLLOW);
	CLEANUP(buf_done) struct buf newline = {};
	char last = '\n';

	if (fd < 0)
		return err_set(e, fd, "/%s: %s", path, strerror(-fd));
	if (lseek(fd, -1, SEEK_END) >= 0 && read(fd, &last, 1) != 1)
		return err_set(e, -EIO, "/%s cannot be read", path);
	if (last == '\n')
		return 0;
	buf_addc(&newline, '\n');
	return add_line(w, &newline, e);
}

int dm_undo_append(struct dm_undo_writer *w, const struct root *root, const char *id, struct err *e)
{
	char path[160];

	*w = (struct dm_undo_writer){ .fd = -1 };
	if (!is_id(id))
		return err_set(e, -ENOENT, "there is no run '%s'", id);
	(void)snprintf(w->id, sizeof(w->id), "%s", id);
	path_of(path, id);
	w->fd = root_openat(root, path, O_WRONLY | O_APPEND | O_NOFOLLOW);
	if (w->fd < 0)
		return err_set(e, w->fd, "the undo journal /%s: %s", path, strerror(-w->fd));
	return end_torn_line(w, root, path, e);
}

void dm_undo_close(struct dm_undo_writer *w)
{
	if (w->fd > 0)
		base_close_fd(&w->fd);
	w->fd = -1;
}

bool dm_undo_can_hold(const struct dm_dev *dev)
{
	bool good = str_utf8_valid(slice_of(dev->name)) && str_utf8_valid(slice_of(dev->uuid));

	for (size_t i = 0; good && i < dev->n_targets; i++)
		good = str_utf8_valid(slice_of(dev->targets[i].type)) &&
		       str_utf8_valid(slice_of(dev->targets[i].params));
	return good;
}

int dm_undo_intend(struct dm_undo_writer *w, struct dm_undo_entry *entry, struct err *e)
{
	CLEANUP(buf_done) struct buf line = {};

	if (!dm_undo_can_hold(&entry->dev))
		return err_set(e, -EILSEQ, "its name or table cannot be written down exactly");
	entry->n = w->n + 1;
	entry->time = clock_now();
	dm_undo_write_intent(&line, entry);
	if (add_line(w, &line, e) < 0)
		return -EIO;
	w->n++;
	return 0;
}

int dm_undo_mark(struct dm_undo_writer *w, unsigned int n, enum dm_undo_state state,
		 const char *text, struct err *e)
{
	CLEANUP(buf_done) struct buf line = {};

	dm_undo_write_mark(&line, n, state, text, clock_now());
	return add_line(w, &line, e);
}

const char *dm_boot_id(const struct root *root, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};

	(void)root_read_line(root, "proc/sys/kernel/random/boot_id", &text);
	return arena_str(a, slice_trim(buf_slice(&text)));
}
