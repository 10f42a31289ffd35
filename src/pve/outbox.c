/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define SCHEMA "pvewarden.outbox/1"
#define LOCK   OUTBOX_DIR "/.lock"

enum { FILE_BYTES_MAX = 64 * 1024 * 1024, PATH_SIZE = 256, ATTACHMENTS_MAX = 8 };

int64_t outbox_pause(unsigned int attempts, uint32_t random)
{
	int64_t pause = OUTBOX_FIRST_PAUSE;

	for (unsigned int i = 1; i < attempts && pause < OUTBOX_LONGEST_PAUSE; i++)
		pause *= 2;
	if (pause > OUTBOX_LONGEST_PAUSE)
		pause = OUTBOX_LONGEST_PAUSE;
	/* A tenth more or less. */
	return pause - pause / 10 + (int64_t)(random % (uint32_t)(pause / 5 + 1));
}

static uint32_t draw(void)
{
	uint32_t n = 0;

	(void)!getrandom(&n, sizeof(n), 0);
	return n;
}

static void join(char ret[PATH_SIZE], const char *folder, const char *name)
{
	(void)snprintf(ret, PATH_SIZE, "%.150s/%.100s", folder, name);
}

static int put(const struct root *root, const char *folder, const char *name, struct slice data)
{
	char path[PATH_SIZE];

	join(path, folder, name);
	return file_write_atomic(root->fd, path, data, 0600);
}

static void write_state(struct buf *out, const struct mail *m, const char *id,
			const struct outbox_state *s)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_str(&w, "id", id);
	jsonw_str(&w, "subject", m->subject);
	jsonw_u64(&w, "severity", m->severity);
	jsonw_u64(&w, "attempts", s->attempts);
	jsonw_time(&w, "first", s->first);
	jsonw_time(&w, "next", s->next);
	jsonw_str(&w, "error", s->error);
	jsonw_array(&w, "attachments");
	for (size_t i = 0; i < m->n_attachments; i++) {
		jsonw_row(&w, NULL);
		jsonw_str(&w, "name", m->attachments[i].name);
		jsonw_str(&w, "type", m->attachments[i].type);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
}

static int put_state(const struct root *root, const char *folder, const struct mail *m,
		     const char *id, const struct outbox_state *s)
{
	CLEANUP(buf_done) struct buf text = {};

	write_state(&text, m, id, s);
	return put(root, folder, "state.json", buf_slice(&text));
}

static int fill(const struct root *root, const char *folder, const struct mail *m, const char *id,
		const struct outbox_state *s)
{
	int r = put(root, folder, "report.txt", m->text);

	if (r == 0)
		r = put(root, folder, "report.html", m->html);
	for (size_t i = 0; r == 0 && i < m->n_attachments; i++)
		r = put(root, folder, m->attachments[i].name, m->attachments[i].data);
	return r == 0 ? put_state(root, folder, m, id, s) : r;
}

static void remove_folder(const struct root *root, const char *folder)
{
	DIR *dir = root_opendir(root, folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)unlinkat(root->fd, folder, AT_REMOVEDIR);
}

/* A name that begins with a dot is none of ours, or one that a crash left half made. */
struct names {
	const char **items; /* the fields of a VEC() */
	size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list(const struct root *root, const char *folder, struct names *ret, struct arena *a)
{
	DIR *dir = root_opendir(root, folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			*vec_push(ret) = arena_str(a, slice_of(entry->d_name));
	if (dir)
		(void)closedir(dir);
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_text);
}

static size_t prune(const struct root *root, const char *folder)
{
	CLEANUP(arena_done) struct arena scratch = {};
	struct names names = {};
	char path[PATH_SIZE];
	size_t dropped = 0;

	list(root, folder, &names, &scratch);
	for (; dropped + OUTBOX_KEEP < names.n; dropped++) {
		join(path, folder, names.items[dropped]);
		remove_folder(root, path);
	}
	vec_free(&names);
	return dropped;
}

static int move_and_sync(const struct root *root, const char *from, const char *to,
			 const char *folder)
{
	CLEANUP_FD int fd = -1;

	if (renameat(root->fd, from, root->fd, to) < 0)
		return -errno;
	fd = root_openat(root, folder, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
}

int outbox_keep(const struct root *root, const struct mail *m, const char *id, const char *error,
		int64_t now, char *ret_path, size_t *ret_dropped, struct err *e)
{
	struct outbox_state s = { .attempts = 1, .first = now, .error = error };
	char temporary[PATH_SIZE], final[PATH_SIZE], hidden[PATH_SIZE];
	int r = file_mkdirs(root->fd, OUTBOX_DIR, 0700);

	s.next = now + outbox_pause(1, draw());
	(void)snprintf(hidden, sizeof(hidden), ".%.100s.new", id);
	join(temporary, OUTBOX_DIR, hidden);
	join(final, OUTBOX_DIR, id);
	if (r == 0 && mkdirat(root->fd, temporary, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = fill(root, temporary, m, id, &s);
	if (r == 0)
		r = move_and_sync(root, temporary, final, OUTBOX_DIR);
	if (r < 0) {
		remove_folder(root, temporary);
		return err_set(e, r, "/%s: %s", final, strerror(-r));
	}
	*ret_dropped = prune(root, OUTBOX_DIR);
	(void)snprintf(ret_path, PATH_SIZE, "/%.250s", final);
	return 0;
}

/* A kept mail, as it was. */
struct kept {
	struct mail mail;
	struct outbox_state state;
	struct buf text, html;
	struct buf data[ATTACHMENTS_MAX];
	struct mail_attachment attachments[ATTACHMENTS_MAX];
};

static void kept_done(struct kept *k)
{
	buf_done(&k->text);
	buf_done(&k->html);
	for (size_t i = 0; i < ARRAY_SIZE(k->data); i++)
		buf_done(&k->data[i]);
}

static int get(const struct root *root, const char *folder, const char *name, struct buf *ret)
{
	char path[PATH_SIZE];

	join(path, folder, name);
	return root_read(root, path, FILE_BYTES_MAX, ret);
}

static int64_t time_at(const json_t *doc, const char *key)
{
	const char *text = json_str(doc, key);
	int64_t t = 0;

	if (text)
		(void)clock_parse(slice_of(text), &t);
	return t;
}

static int read_attachments(const struct root *root, const char *folder, const json_t *doc,
			    struct kept *k, struct arena *a)
{
	const json_t *rows = json_arr(doc, "attachments"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *name = json_str(row, "name"), *type = json_str(row, "type");
		int r;

		if (i == ATTACHMENTS_MAX || !name || !type || strchr(name, '/'))
			return -EBADMSG;
		r = get(root, folder, name, &k->data[i]);
		if (r < 0)
			return r;
		k->attachments[i] = (struct mail_attachment){ arena_str(a, slice_of(name)),
							      arena_str(a, slice_of(type)),
							      buf_slice(&k->data[i]) };
		k->mail.n_attachments++;
	}
	k->mail.attachments = k->attachments;
	return 0;
}

static int read_state(const struct root *root, const char *folder, const json_t *doc,
		      struct kept *k, struct arena *a)
{
	const char *schema = json_str(doc, "schema"), *subject = json_str(doc, "subject");
	uint64_t attempts = 1, severity = MAIL_UNKNOWN;

	if (!schema || strcmp(schema, SCHEMA) != 0 || !subject)
		return -EBADMSG;
	(void)json_u64(doc, "attempts", &attempts);
	(void)json_u64(doc, "severity", &severity);
	k->state.attempts = attempts < 1000 ? (unsigned int)attempts : 1000;
	k->state.first = time_at(doc, "first");
	k->state.next = time_at(doc, "next");
	k->mail.subject = arena_str(a, slice_of(subject));
	k->mail.severity = severity <= MAIL_UNKNOWN ? (enum mail_severity)severity : MAIL_UNKNOWN;
	return read_attachments(root, folder, doc, k, a);
}

static int read_kept(const struct root *root, const char *folder, struct kept *k, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	json_t *doc = NULL;
	int r = get(root, folder, "state.json", &text);

	if (r == 0)
		r = json_parse(buf_slice(&text), "state.json", &doc, NULL);
	if (r == 0)
		r = read_state(root, folder, doc, k, a);
	json_decref(doc);
	if (r == 0)
		r = get(root, folder, "report.txt", &k->text);
	if (r == 0)
		r = get(root, folder, "report.html", &k->html);
	k->mail.text = buf_slice(&k->text);
	k->mail.html = buf_slice(&k->html);
	return r;
}

static void put_aside(const struct root *root, const char *id)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	join(from, OUTBOX_DIR, id);
	join(to, OUTBOX_FAILED_DIR, id);
	if (file_mkdirs(root->fd, OUTBOX_FAILED_DIR, 0700) == 0)
		(void)move_and_sync(root, from, to, OUTBOX_FAILED_DIR);
	(void)prune(root, OUTBOX_FAILED_DIR);
}

static void retry_one(const struct root *root, const char *id, int64_t now,
		      int (*send)(void *ctx, const struct mail *m, const char *id, struct err *e),
		      void *ctx, struct outbox_result *ret, struct arena *a)
{
	CLEANUP(kept_done) struct kept k = {};
	char folder[PATH_SIZE];
	struct err e = {};

	join(folder, OUTBOX_DIR, id);
	if (read_kept(root, folder, &k, a) < 0) {
		put_aside(root, id); /* nobody can send what cannot be read */
		ret->put_aside++;
		return;
	}
	if (k.state.next > now) {
		ret->waiting++;
		return;
	}
	if (send(ctx, &k.mail, id, &e) == 0) {
		remove_folder(root, folder);
		ret->sent++;
		return;
	}
	ret->failed++;
	ret->error = arena_str(a, slice_of(e.text));
	k.state.attempts++;
	k.state.error = e.text;
	k.state.next = now + outbox_pause(k.state.attempts, draw());
	(void)put_state(root, folder, &k.mail, id, &k.state);
	if (now - k.state.first >= OUTBOX_GIVE_UP) {
		put_aside(root, id);
		ret->put_aside++;
	}
}

int outbox_retry(const struct root *root, int64_t now,
		 int (*send)(void *ctx, const struct mail *m, const char *id, struct err *e),
		 void *ctx, struct outbox_result *ret, struct arena *a, struct err *e)
{
	struct names names = {};
	CLEANUP_FD int lock = -1;

	*ret = (struct outbox_result){};
	list(root, OUTBOX_DIR, &names, a);
	if (!names.n)
		return 0;
	lock = openat(root->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EBUSY : -errno;

		vec_free(&names);
		return err_set(e, r, "/" LOCK ": %s", strerror(-r));
	}
	for (size_t i = 0; i < names.n; i++)
		retry_one(root, names.items[i], now, send, ctx, ret, a);
	vec_free(&names);
	return 0;
}
