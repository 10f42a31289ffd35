/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

enum {
	BUSY_MS = 10000,
	BACKUP_PAGES = 1000,
	BACKUP_PAUSE_MS = 5,
	WAL_PAUSE_MS = 20,
	LOOK_STEPS = 10000,
};

struct lite {
	sqlite3 *db;
	sqlite3_stmt *prepared[SQL_COUNT];
	int64_t until_ms; /* 0: as long as it takes */
};

static struct lite *lite_of(struct store *s)
{
	return s->db;
}

static int code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_INTERRUPT:
		return -ETIME;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
		return -EIO;
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return -EBADMSG;
	default:
		return -EREMOTEIO;
	}
}

/* One number stands for most errors, and of those a document leads to one only. */
static int code_with(int rc, const char *message)
{
	return rc == SQLITE_ERROR && strcmp(message, "malformed JSON") == 0 ? -EBADMSG
									    : code_of(rc);
}

static int failed(struct store *s, int rc, const char *what, struct err *e)
{
	const char *message = sqlite3_errmsg(lite_of(s)->db);

	s->lost = s->lost || code_of(rc) == -EIO;
	return err_set(e, code_with(rc, message), "%s: %s: %s", s->where, what, message);
}

static int lite_script(struct store *s, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(lite_of(s)->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : failed(s, rc, "script", e);
}

static int out_of_time(void *ctx)
{
	const struct lite *l = ctx;

	return l->until_ms && clock_boot_ms() >= l->until_ms;
}

static int lite_limit(struct store *s, int64_t ms, struct err *e)
{
	(void)e;
	lite_of(s)->until_ms = clock_boot_ms() + ms;
	return 0;
}

/* Of several that open a new file at once, the ones that come second do not get their turn by the
 * busy timeout: they would wait for each other, so SQLite refuses. */
static int want_log(struct store *s, struct err *e)
{
	int r = lite_script(s, "PRAGMA journal_mode = WAL", e);

	for (int waited = 0; r == -EBUSY && waited < BUSY_MS; waited += WAL_PAUSE_MS) {
		sqlite3_sleep(WAL_PAUSE_MS);
		r = lite_script(s, "PRAGMA journal_mode = WAL", e);
	}
	return r;
}

/* FULL: a commit is on the disk when it returns. Pages of the log go back in small steps: whoever
 * commits the last of them waits until all are on the disk. Pages of a new file are 8 KiB: fewer of
 * them have to be split, and written, for what comes. */
static int configure(struct store *s, unsigned int flags, struct err *e)
{
	int r = 0;

	sqlite3_busy_timeout(lite_of(s)->db, BUSY_MS);
	if (!(flags & STORE_READ_ONLY))
		r = lite_script(s, "PRAGMA page_size = 8192", e);
	if (r == 0 && !(flags & STORE_READ_ONLY))
		r = want_log(s, e);
	if (r == 0)
		r = lite_script(s,
				"PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; "
				"PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 1000; "
				"PRAGMA journal_size_limit = 134217728",
				e);
	return r;
}

static struct slice text_of(sqlite3_value *v)
{
	const char *p = (const char *)sqlite3_value_text(v);

	return (struct slice){ p, p ? (size_t)sqlite3_value_bytes(v) : 0 };
}

static struct slice take_piece(struct slice *rest, struct slice separator)
{
	const char *end = memmem(rest->p, rest->n, separator.p, separator.n);
	struct slice piece = { rest->p, end ? (size_t)(end - rest->p) : rest->n };

	*rest = slice_from(*rest, piece.n + (end ? separator.n : 0));
	return piece;
}

/* PostgreSQL's function of that name: the Nth piece, "" if there are fewer. */
static void split_part(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	struct slice rest = text_of(v[0]), separator = text_of(v[1]), piece = {};

	(void)n;
	if (!rest.p || !separator.n)
		return;
	for (int i = sqlite3_value_int(v[2]); i > 0; i--)
		piece = take_piece(&rest, separator);
	sqlite3_result_text64(ctx, piece.p, piece.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static int add_functions(sqlite3 *db)
{
	return sqlite3_create_function_v2(db, "split_part", 3,
					  SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					  NULL, split_part, NULL, NULL, NULL);
}

/* Counting every allocation would take a lock that all threads share. */
static void count_nothing(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Root may make it before the service has ever run, whose folder it lies in. */
static int belong_to_folder(int fd, const char *where)
{
	CLEANUP_FREE char *folder = xstrdup(where);
	char *slash = strrchr(folder, '/');
	struct stat file, in;

	if (geteuid() != 0 || !slash || slash == folder)
		return 0;
	*slash = '\0';
	if (fstat(fd, &file) < 0 || stat(folder, &in) < 0)
		return -errno;
	if (file.st_size || file.st_uid == in.st_uid)
		return 0;
	return fchown(fd, in.st_uid, in.st_gid) < 0 ? -errno : 0;
}

/* Nobody else reads what it holds; the umask may be wider. */
static int make_file(const char *where, struct err *e)
{
	CLEANUP_FD int fd = open(where, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : belong_to_folder(fd, where);

	return r < 0 ? err_set(e, r, "%s: %s", where, strerror(-r)) : 0;
}

static int lite_open(struct store *s, const char *where, unsigned int flags, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int mode = flags & STORE_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	struct lite *l = xcalloc(1, sizeof(*l));
	int rc;

	s->db = l;
	(void)pthread_once(&once, count_nothing);
	rc = flags & STORE_CREATE ? make_file(where, e) : 0;
	if (rc < 0)
		return rc;
	rc = sqlite3_open_v2(where, &l->db, mode | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = add_functions(l->db);
	if (rc != SQLITE_OK)
		return failed(s, rc, "open", e);
	sqlite3_extended_result_codes(l->db, 1);
	sqlite3_progress_handler(l->db, LOOK_STEPS, out_of_time, l);
	return configure(s, flags, e);
}

static void lite_close(struct store *s)
{
	struct lite *l = lite_of(s);

	if (!l)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(l->prepared[i]);
	sqlite3_close_v2(l->db);
	free(l);
}

static int lite_ready(struct store *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

static int lite_begin(struct store *s, bool writes, struct err *e)
{
	int r = lite_script(s, writes ? "BEGIN IMMEDIATE" : "BEGIN", e);

	s->in_transaction = r == 0;
	return r;
}

static int lite_commit(struct store *s, struct err *e)
{
	int r;

	lite_of(s)->until_ms = 0;
	r = lite_script(s, "COMMIT", e);

	if (r == 0)
		s->in_transaction = false;
	return r;
}

static void lite_rollback(struct store *s)
{
	lite_of(s)->until_ms = 0;
	if (!sqlite3_get_autocommit(lite_of(s)->db))
		(void)lite_script(s, "ROLLBACK", NULL);
	s->in_transaction = false;
}

static void bind_all(sqlite3_stmt *st, const struct store_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].null)
			sqlite3_bind_null(st, (int)i + 1);
		else if (v[i].type == STORE_INT)
			sqlite3_bind_int64(st, (int)i + 1, v[i].i);
		else
			sqlite3_bind_text64(st, (int)i + 1, v[i].text.p, v[i].text.n, SQLITE_STATIC,
					    SQLITE_UTF8);
	}
}

static int each_row(sqlite3_stmt *st, store_row_fn *each, void *ctx)
{
	struct store_row row = { .n = sqlite3_column_count(st) };

	for (int i = 0; i < row.n && i < STORE_COLUMNS; i++) {
		row.col[i].p = (const char *)sqlite3_column_text(st, i);
		row.col[i].n = (size_t)sqlite3_column_bytes(st, i);
	}
	return each ? each(ctx, &row) : 0;
}

static int execute(struct store *s, sqlite3_stmt *st, const char *what, const struct store_value *v,
		   size_t n, store_row_fn *each, void *ctx, int64_t *changes, struct err *e)
{
	int rc, r = 0;

	bind_all(st, v, n);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && r == 0)
		r = each_row(st, each, ctx);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		r = failed(s, rc, what, e);
	if (changes)
		*changes = sqlite3_changes64(lite_of(s)->db);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return r;
}

static int lite_run(struct store *s, enum sql id, const struct store_value *v, size_t n,
		    store_row_fn *each, void *ctx, int64_t *changes, struct err *e)
{
	struct lite *l = lite_of(s);
	int rc;

	if (!l->prepared[id]) {
		rc = sqlite3_prepare_v3(l->db, sql_texts[0][id], -1, SQLITE_PREPARE_PERSISTENT,
					&l->prepared[id], NULL);
		if (rc != SQLITE_OK)
			return failed(s, rc, sql_names[id], e);
	}
	return execute(s, l->prepared[id], sql_names[id], v, n, each, ctx, changes, e);
}

/* $1 is a name in SQLite's eyes, numbered by its first place: lists use ?1. */
static int lite_query(struct store *s, const char *sql, const struct store_value *v, size_t n,
		      store_row_fn *each, void *ctx, struct err *e)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(lite_of(s)->db, sql, -1, &st, NULL), r;

	if (rc != SQLITE_OK)
		return failed(s, rc, "list", e);
	r = execute(s, st, "list", v, n, each, ctx, NULL, e);
	sqlite3_finalize(st);
	return r;
}

/* BEGIN IMMEDIATE has it already. */
static int lite_lock(struct store *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

static int saw_row(void *ctx, const struct store_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return 0;
}

static int lite_has_schema(struct store *s, struct err *e)
{
	bool found = false;
	int r = lite_query(s, "SELECT 1 FROM sqlite_master WHERE name = 'schema_version'", NULL, 0,
			   saw_row, &found, e);

	return r < 0 ? r : found;
}

static int64_t lite_bytes(struct store *s)
{
	int64_t pages = 0, size = 0;

	(void)lite_query(s, "PRAGMA page_count", NULL, 0, row_take_int, &pages, NULL);
	(void)lite_query(s, "PRAGMA page_size", NULL, 0, row_take_int, &size, NULL);
	return pages * size;
}

static int copy_pages(struct store *s, sqlite3 *to, struct err *e)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", lite_of(s)->db, "main");
	int rc;

	if (!b)
		return err_set(e, -EIO, "backup: %s", sqlite3_errmsg(to));
	do {
		rc = sqlite3_backup_step(b, BACKUP_PAGES);
		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
			sqlite3_sleep(BACKUP_PAUSE_MS);
	} while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED);
	(void)sqlite3_backup_finish(b);
	return rc == SQLITE_DONE ? 0 : err_set(e, code_of(rc), "backup: %s", sqlite3_errmsg(to));
}

static int sync_and_rename(const char *from, const char *to)
{
	char folder[4096];
	char *slash;
	int r = 0, fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || rename(from, to) < 0)
		r = -errno;
	if (fd >= 0)
		(void)close(fd);
	(void)snprintf(folder, sizeof(folder), "%s", to);
	slash = strrchr(folder, '/');
	(void)snprintf(slash ? slash + 1 : folder, 2, ".");
	fd = r < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && (fd < 0 || fsync(fd) < 0))
		r = -errno;
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* One snapshot: a read transaction keeps the writers from starting the copy over and over. */
static int lite_settle(struct store *s, struct err *e)
{
	int rc = sqlite3_wal_checkpoint_v2(lite_of(s)->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
					   NULL);

	/* Busy: somebody else is at it. */
	return rc == SQLITE_OK || rc == SQLITE_BUSY ? 0 : failed(s, rc, "checkpoint", e);
}

static int lite_backup(struct store *s, const char *path, struct err *e)
{
	char temporary[4096];
	sqlite3 *to = NULL;
	int r, fd;

	if (snprintf(temporary, sizeof(temporary), "%s.partial", path) >= (int)sizeof(temporary))
		return err_set(e, -ENAMETOOLONG, "%s: the path is too long", path);
	(void)unlink(temporary);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", temporary, strerror(errno));
	(void)close(fd);
	r = sqlite3_open_v2(temporary, &to, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK
		    ? lite_begin(s, false, e)
		    : err_set(e, -EIO, "%s: %s", temporary, sqlite3_errmsg(to));
	if (r == 0) {
		r = copy_pages(s, to, e);
		lite_rollback(s);
	}
	sqlite3_close_v2(to);
	if (r == 0) {
		r = sync_and_rename(temporary, path);
		if (r < 0)
			(void)err_set(e, r, "%s: %s", path, strerror(-r));
	}
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

const struct store_ops store_sqlite_ops = {
	.open = lite_open,
	.close = lite_close,
	.ready = lite_ready,
	.begin = lite_begin,
	.commit = lite_commit,
	.rollback = lite_rollback,
	.limit = lite_limit,
	.script = lite_script,
	.run = lite_run,
	.query = lite_query,
	.lock = lite_lock,
	.settle = lite_settle,
	.backup = lite_backup,
	.has_schema = lite_has_schema,
	.bytes = lite_bytes,
};
