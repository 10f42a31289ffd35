/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/maintenance.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "pve/guest.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define SCHEMA	 "pvewarden.watch-maintenance/1"
#define UNKNOWN	 "a file that could not be understood"
#define PMXCFS	 "etc/pve/"
#define LOCK_END ".lock"

/* pmxcfs takes no more for one file. */
enum { BYTES_MAX = 1024 * 1024, LOCK_WAIT_MS = 5000, LOCK_RETRY_MS = 20 };

static void free_json(json_t *const *doc)
{
	json_decref(*doc);
}

void maintenance_done(struct maintenance *m)
{
	vec_free(m);
}

static int by_vmid(const void *a, const void *b)
{
	const struct maintenance_switch *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

static void sort(struct maintenance *m)
{
	if (m->n > 1)
		qsort(m->items, m->n, sizeof(*m->items), by_vmid);
}

/* --- reading ------------------------------------------------------------------------------- */

/* null is 0; a time before 1970 nobody meant. */
static bool take_time(const json_t *row, const char *key, int64_t *ret)
{
	const char *text = json_str(row, key);

	*ret = 0;
	if (json_is_null(json_object_get(row, key)))
		return true;
	return text && clock_parse(slice_of(text), ret) && *ret > 0;
}

static bool take_switch(struct maintenance *m, const json_t *row, struct arena *a)
{
	const char *by = json_str(row, "by");
	struct maintenance_switch s = {};
	uint64_t vmid;

	if (!json_u64(row, "vmid", &vmid) || !by || !take_time(row, "since", &s.since) ||
	    !take_time(row, "until", &s.until))
		return false;
	if (vmid != MAINTENANCE_NODE && (vmid < VMID_MIN || vmid > VMID_MAX))
		return false;
	s.vmid = (uint32_t)vmid;
	s.by = arena_str(a, slice_of(by));
	*vec_push(m) = s;
	return true;
}

static bool take_all(struct maintenance *m, const json_t *rows, struct arena *a)
{
	json_t *row;
	size_t i;

	if (!json_is_array(rows))
		return false;
	json_array_foreach(rows, i, row)
	{
		if (!take_switch(m, row, a))
			return false;
	}
	sort(m);
	for (i = 1; i < m->n; i++)
		if (m->items[i].vmid == m->items[i - 1].vmid)
			return false;
	return true;
}

/* Whoever wrote that meant something: nothing is restarted until it is cleared up. */
static int strange(struct maintenance *ret, int code)
{
	maintenance_done(ret);
	*vec_push(ret) = (struct maintenance_switch){ .vmid = MAINTENANCE_NODE, .by = UNKNOWN };
	return code;
}

int maintenance_parse(struct maintenance *ret, struct slice text, struct arena *a, struct err *e)
{
	CLEANUP(free_json) json_t *doc = NULL;
	const char *schema;
	int r;

	*ret = (struct maintenance){};
	r = json_parse(text, "maintenance", &doc, e);
	if (r < 0)
		return strange(ret, r);
	schema = json_str(doc, "schema");
	if (!schema || strcmp(schema, SCHEMA) != 0)
		return strange(ret, err_set(e, -EBADMSG, "expected a " SCHEMA " document"));
	if (!take_all(ret, json_arr(doc, "switches"), a))
		return strange(ret,
			       err_set(e, -EBADMSG,
				       "expected switches with vmid, since, until and by, each "
				       "guest once"));
	return 0;
}

int maintenance_read(struct maintenance *ret, const struct root *root, const char *file,
		     struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, file, BYTES_MAX, &text);

	*ret = (struct maintenance){};
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return strange(ret, err_set(e, r, "/%s: %s", file, strerror(-r)));
	r = maintenance_parse(ret, buf_slice(&text), a, e);
	return r < 0 ? err_wrap(e, r, "/%s", file) : 0;
}

static bool holds(const struct maintenance_switch *s, int64_t now)
{
	return !s->until || s->until > now;
}

const struct maintenance_switch *maintenance_find(const struct maintenance *m, uint32_t vmid,
						  int64_t now)
{
	for (size_t i = 0; i < m->n; i++)
		if ((m->items[i].vmid == MAINTENANCE_NODE || m->items[i].vmid == vmid) &&
		    holds(&m->items[i], now))
			return &m->items[i];
	return NULL;
}

/* --- writing ------------------------------------------------------------------------------- */

static void write_document(const struct maintenance *m, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_array(&w, "switches");
	vec_each (s, m) {
		jsonw_row(&w, NULL);
		jsonw_u64(&w, "vmid", s->vmid);
		jsonw_time(&w, "since", s->since);
		jsonw_time(&w, "until", s->until);
		jsonw_str(&w, "by", s->by);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
}

/* Leaves out what has ended and what is asked for; @asked is added if it is to be on. */
static void change(struct maintenance *m, const struct maintenance_switch *asked, bool on,
		   int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++)
		if (holds(&m->items[i], now) && m->items[i].vmid != asked->vmid)
			m->items[kept++] = m->items[i];
	m->n = kept;
	vec_each (s, m)
		if (!s->since)
			s->since = now;
	if (on)
		*vec_push(m) = *asked;
	sort(m);
}

static bool in_pmxcfs(const char *file)
{
	return strncmp(file, PMXCFS, strlen(PMXCFS)) == 0;
}

/* Not file_write_atomic(): pmxcfs knows no chmod(). It writes through, and its rename is atomic. */
static int write_plain(int dirfd, const char *file, struct slice data)
{
	CLEANUP(buf_done) struct buf temp = {};
	CLEANUP_FD int fd = -1;
	int r;

	buf_addf(&temp, "%s.%ld.tmp", file, (long)getpid());
	(void)unlinkat(dirfd, temp.data, 0);
	fd = openat(dirfd, temp.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, data);
	if (close(take_fd(&fd)) < 0 && r == 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, temp.data, dirfd, file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temp.data, 0);
	return r;
}

static int make_folder(int dirfd, const char *file)
{
	CLEANUP_FREE char *folder = xstrdup(file);

	*strrchr(folder, '/') = '\0';
	return file_mkdirs(dirfd, folder, 0755);
}

/* The switches are changed by people and by one signal: whoever has the lock is done in no time. */
static int lock(int dirfd, const char *file)
{
	int64_t deadline = clock_boot_ms() + LOCK_WAIT_MS;
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP_FD int fd = -1;

	buf_addf(&path, "%s" LOCK_END, file);
	fd = openat(dirfd, path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_boot_ms() >= deadline)
			return -EBUSY;
		(void)poll(NULL, 0, LOCK_RETRY_MS);
	}
	return take_fd(&fd);
}

static int rewrite(const struct root *root, const char *file,
		   const struct maintenance_switch *asked, bool on, int64_t now)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf out = {};
	struct maintenance m;

	(void)maintenance_read(&m, root, file, &a, NULL);
	change(&m, asked, on, now);
	write_document(&m, &out);
	maintenance_done(&m);
	if (in_pmxcfs(file))
		return write_plain(root->fd, file, buf_slice(&out));
	return file_write_atomic(root->fd, file, buf_slice(&out), 0644);
}

int maintenance_set(const struct root *root, const char *file, uint32_t vmid, bool on, int64_t now,
		    int64_t until, const char *by, struct err *e)
{
	const struct maintenance_switch asked = {
		.vmid = vmid, .since = now, .until = until, .by = by
	};
	CLEANUP_FD int locked = -1;
	int r = make_folder(root->fd, file);

	if (r == 0 && !in_pmxcfs(file)) {
		locked = lock(root->fd, file);
		if (locked < 0)
			r = err_set(e, locked, "/%s" LOCK_END ": %s", file, strerror(-locked));
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = rewrite(root, file, &asked, on, now);
	return r < 0 ? err_set(e, r, "/%s: %s", file, strerror(-r)) : 0;
}
