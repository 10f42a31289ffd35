/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "store_docs.h"
#include "store_fixture.h"

enum { T = 1795269600 };

/* All that a document leaves behind, but for when it came. */
static const char *const states[] = {
	"SELECT org, cluster, name, members, at, node, seq FROM clusters ORDER BY 1, 2",
	"SELECT org, cluster, node, at, seq, version, data FROM nodes ORDER BY 1, 2, 3",
	"SELECT * FROM " FIXTURE_GUESTS " ORDER BY org, cluster, vmid, identity",
	"SELECT org, cluster, vmid, at, digest, body FROM configs ORDER BY 1, 2, 3",
	"SELECT org, cluster, at, id, kind, node, vmid, data FROM events ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, node, slot, at, cpu FROM node_minutes ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, vmid, slot, identity, at, live FROM guest_slots ORDER BY 1, 2, 3, 4, 5",
	"SELECT org, cluster, node, instance, seq FROM docs ORDER BY 1, 2, 3, 4, 5",
};

static void dump(struct store *s, struct buf *ret)
{
	buf_reset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		add_rows(s, states[i], ret);
}

static void nap(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static int put(struct store *s, const struct document *doc, struct err *e)
{
	struct store_document d = document_row(doc), *list[] = { &d };
	int r = store_ingest(s, list, 1, e);

	buf_done(&d.unheard);
	return r < 0 ? r : d.error;
}

/* What the store looks like when nothing happened to it. */
static void dump_undisturbed(const struct history *h, struct buf *ret)
{
	void *state = NULL;
	struct fixture *f;

	assert_int_equal(fixture_setup(&state), 0);
	f = state;
	for (size_t i = 0; i < h->n; i++)
		assert_int_equal(put(f->s, &h->items[i], NULL), 0);
	dump(f->s, ret);
	assert_int_equal(fixture_teardown(&state), 0);
}

static pid_t start(int (*work)(const char *where, int out, void *ctx), const char *where, void *ctx,
		   int *ret_in)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		_exit(work(where, ends[1], ctx));
	}
	(void)close(ends[1]);
	*ret_in = ends[0];
	return pid;
}

static int end_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* --- a writer that is killed --- */

struct writing {
	const struct history *h;
	size_t from;
};

static int write_all(const char *where, int out, void *ctx)
{
	const struct writing *w = ctx;
	struct store *s = NULL;
	struct err e = {};

	if (store_open(&s, where, 0, &e) < 0)
		return 1;
	for (size_t i = w->from; i < w->h->n; i++) {
		if (put(s, &w->h->items[i], &e) < 0)
			return 2;
		if (write(out, &i, sizeof(i)) != sizeof(i))
			return 3;
	}
	return 0;
}

/* Reads up to @n acknowledgements; which document is to be sent next. */
static size_t take_acknowledged(int in, size_t n, size_t next)
{
	size_t i;

	while (n-- && read(in, &i, sizeof(i)) == sizeof(i))
		next = i + 1;
	return next;
}

/* As an agent does: what was not acknowledged is sent again. Killed in the middle of the documents
 * behind a few that were acknowledged, so that it does not depend on how fast the disk is. */
static void test_killed(void **state)
{
	CLEANUP(buf_done) struct buf expected = {}, got = {};
	struct fixture *f = *state;
	struct history h = {};
	struct writing w = { &h, 0 };
	unsigned int rnd = 11, kills = 0;

	history_make(&h, 21, 3, 150);
	while (w.from < h.n) {
		size_t before = w.from;
		int in, status;
		pid_t pid = start(write_all, f->where, &w, &in);

		w.from = take_acknowledged(in, 1 + (size_t)rand_r(&rnd) % 12, w.from);
		nap((unsigned int)rand_r(&rnd) % 5);
		(void)kill(pid, SIGKILL);
		status = end_of(pid);
		if (!WIFSIGNALED(status))
			assert_int_equal(status, 0);
		w.from = take_acknowledged(in, SIZE_MAX, w.from);
		(void)close(in);
		kills += WIFSIGNALED(status) && w.from > before;
		assert_true(number(f, "SELECT count(*) FROM docs") >= (int64_t)w.from);
	}
	assert_true(kills > 1);
	dump(f->s, &got);
	dump_undisturbed(&h, &expected);
	assert_string_equal(buf_str(&got), buf_str(&expected));
	history_done(&h);
}

/* --- migrations --- */

static void make_empty(struct fixture *f)
{
	static const char *const files[] = { "", "-wal", "-shm" };
	char text[600];

	if (fixture_engine) {
		(void)snprintf(text, sizeof(text), "DROP SCHEMA %s CASCADE; CREATE SCHEMA %s",
			       f->schema, f->schema);
		assert_int_equal(fixture_script(f, text), 0);
		return;
	}
	store_close(f->s);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", f->where, files[i]);
		(void)unlink(text);
	}
	f->s = NULL;
}

static int migrate(const char *where, int out, void *ctx)
{
	struct store *s = NULL;
	struct err e = {};
	int *gate = ctx;
	char c;
	int r;

	(void)out;
	(void)close(gate[1]);
	(void)!read(gate[0], &c, 1); /* until it opens for all */
	r = store_open(&s, where, STORE_CREATE | STORE_ANY_VERSION, &e);
	if (r == 0)
		r = store_migrate(s, NULL, NULL, &e);
	if (r < 0)
		print_error("%s\n", e.text);
	store_close(s);
	return r < 0;
}

static void test_migrate_at_once(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 5; round++) {
		int gate[2], in[3];
		pid_t pids[3];

		make_empty(f);
		assert_int_equal(pipe(gate), 0);
		for (int i = 0; i < 3; i++)
			pids[i] = start(migrate, f->where, gate, &in[i]);
		(void)close(gate[0]);
		(void)close(gate[1]);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(end_of(pids[i]), 0);
			(void)close(in[i]);
		}
		if (!f->s)
			f->s = fixture_open(f);
		assert_int_equal(number(f, "SELECT count(*) FROM schema_version"), SQL_MIGRATIONS);
		assert_int_equal(number(f, "SELECT count(*) FROM docs"), 0);
	}
}

static void test_versions(void **state)
{
	struct fixture *f = *state;
	unsigned int from = 0, to = 0;
	struct store *s = NULL;
	struct err e = {};

	assert_int_equal(store_migrate(f->s, &from, &to, &e), 0);
	assert_int_equal(from, SQL_MIGRATIONS);
	assert_int_equal(to, SQL_MIGRATIONS);
	assert_int_equal(fixture_script(f, "INSERT INTO schema_version VALUES (9999, 'later')"), 0);
	assert_int_equal(store_open(&s, f->where, 0, &e), -ENOTUNIQ);
	assert_non_null(strstr(e.text, "9999"));
	assert_int_equal(store_open(&s, f->where, STORE_ANY_VERSION, &e), -ENOTUNIQ);
	assert_int_equal(store_migrate(f->s, NULL, NULL, &e), -ENOTUNIQ);
	assert_int_equal(fixture_script(f, "DELETE FROM schema_version WHERE version > 1"), 0);
	assert_int_equal(store_open(&s, f->where, 0, &e), -ESTALE);
	assert_non_null(strstr(e.text, "hub migrate"));
	assert_int_equal(store_open(&s, f->where, STORE_ANY_VERSION, &e), 0);
	store_close(s);
}

/* Another hub has migrated the database meanwhile: what this one would write, nobody could read. */
static void test_overtaken(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	struct store *s = NULL;
	struct err e = {};

	history_make(&h, 5, 1, 2);
	assert_int_equal(store_open(&s, f->where, 0, &e), 0);
	assert_int_equal(put(s, &h.items[0], &e), 0);
	assert_int_equal(fixture_script(f, "INSERT INTO schema_version VALUES (9999, 'later')"), 0);
	assert_int_equal(put(s, &h.items[1], &e), -ENOTUNIQ);
	assert_non_null(strstr(e.text, "9999"));
	assert_true(store_is_lost(s));
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 1);
	assert_int_equal(fixture_script(f, "DELETE FROM schema_version WHERE version = 9999"), 0);
	store_close(s);
	history_done(&h);
}

/* --- a copy while others write --- */

static int write_on(const char *where, int out, void *ctx)
{
	struct document d = { .org = "o", .cluster = "c", .node = "pve1", .instance = "i" };
	struct store *s = NULL;
	struct err e = {};

	(void)ctx;
	if (store_open(&s, where, 0, &e) < 0)
		return 1;
	for (;;) {
		d.sequence++;
		d.at = T + (int64_t)d.sequence;
		buf_reset(&d.body);
		buf_addf(&d.body, "{\"host\":{\"cpu\":0.5},\"guests\":[{\"vmid\":%d}]}",
			 (int)d.sequence);
		if (put(s, &d, &e) < 0)
			return 2;
		if (d.sequence == 20 && write(out, "", 1) != 1)
			return 3;
	}
}

static void test_backup(void **state)
{
	struct fixture *f = *state;
	struct store *copy;
	char path[600], c;
	struct err e = {};
	int64_t docs = 0, before;
	pid_t pid;
	int in;

	(void)snprintf(path, sizeof(path), "%s-copy", fixture_engine ? "/tmp/never" : f->where);
	if (fixture_engine) {
		assert_int_equal(store_backup(f->s, path, &e), -EOPNOTSUPP);
		assert_non_null(strstr(e.text, "pg_dump"));
		return;
	}
	pid = start(write_on, f->where, NULL, &in);
	assert_int_equal(read(in, &c, 1), 1);
	for (int i = 0; i < 5; i++) {
		before = docs;
		if (store_backup(f->s, path, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(store_open(&copy, path, 0, &e), 0);
		assert_int_equal(
			try_number(copy, "SELECT count(*) FROM pragma_integrity_check WHERE "
					 "integrity_check = 'ok'"),
			1);
		docs = try_number(copy, "SELECT count(*) FROM docs");
		assert_true(docs >= 20 && docs > before);
		assert_int_equal(try_number(copy, "SELECT max(seq) FROM docs"), docs);
		assert_int_equal(try_number(copy, "SELECT seq FROM nodes"), docs);
		assert_int_equal(try_number(copy, "SELECT count(*) FROM guests"), docs);
		store_close(copy);
		nap(10);
	}
	(void)kill(pid, SIGKILL);
	assert_true(WIFSIGNALED(end_of(pid)));
	(void)close(in);
	assert_true(number(f, "SELECT count(*) FROM docs") >= docs);
}

/* --- PostgreSQL goes away --- */

static int end_backend(struct store *s, int64_t pid)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT CASE WHEN pg_terminate_backend(%lld) THEN 1 ELSE 0 END",
		       (long long)pid);
	return try_number(s, sql) == 1 ? 0 : -1;
}

static void test_lost_between(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	struct store *other;
	struct err e = {};
	int r;

	if (!fixture_engine)
		return;
	history_make(&h, 3, 1, 2);
	other = fixture_open(f);
	assert_int_equal(put(f->s, &h.items[0], &e), 0);
	assert_int_equal(end_backend(other, number(f, "SELECT pg_backend_pid()")), 0);
	nap(50);
	r = put(f->s, &h.items[1], &e);
	assert_true(r == 0 || r == -EIO);
	assert_int_equal(put(f->s, &h.items[1], &e), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 2);
	store_close(other);
	history_done(&h);
}

/* Holds the cluster until the other one waits for it, and ends that one's connection there. */
static int end_waiting(const char *where, int out, void *ctx)
{
	int64_t pid = *(int64_t *)ctx;
	struct store *s = NULL;
	struct err e = {};
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld AND wait_event_type "
		       "= 'Lock'",
		       (long long)pid);
	if (store_open(&s, where, 0, &e) < 0 || s->ops->begin(s, true, &e) < 0 ||
	    try_number(s, "SELECT count(*) FROM (SELECT 1 FROM clusters FOR UPDATE) AS x") < 1 ||
	    write(out, "", 1) != 1)
		return 1;
	for (int i = 0; i < 500 && try_number(s, sql) == 0; i++) {
		/* Within a transaction the view of activity stands still. */
		(void)s->ops->script(s, "SELECT pg_stat_clear_snapshot()", &e);
		nap(10);
	}
	if (end_backend(s, pid) < 0)
		return 2;
	nap(50);
	s->ops->rollback(s);
	store_close(s);
	return 0;
}

static void test_lost_within(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	struct err e = {};
	int64_t self;
	pid_t pid;
	char c;
	int in;

	if (!fixture_engine)
		return;
	history_make(&h, 3, 1, 2);
	assert_int_equal(put(f->s, &h.items[0], &e), 0);
	self = number(f, "SELECT pg_backend_pid()");
	pid = start(end_waiting, f->where, &self, &in);
	assert_int_equal(read(in, &c, 1), 1);
	assert_int_equal(put(f->s, &h.items[1], &e), -EIO);
	assert_int_equal(end_of(pid), 0);
	(void)close(in);
	assert_int_equal(f->s->ops->ready(f->s, &e), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 1);
	assert_int_equal(put(f->s, &h.items[1], &e), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 2);
	history_done(&h);
}

/* The connections of the one that names itself so, again and again. */
static int end_others(const char *where, int out, void *ctx)
{
	unsigned int rnd = 5;
	struct store *s = NULL;
	struct err e = {};
	const char *sql =
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> "
		"pg_backend_pid() AND backend_type = 'client backend' AND application_name = "
		"'victim'";

	(void)ctx;
	if (store_open(&s, where, 0, &e) < 0 || write(out, "", 1) != 1)
		return 1;
	for (;;) {
		nap(5 + (unsigned int)rand_r(&rnd) % 40);
		if (try_number(s, sql) < 0)
			return 2;
	}
}

static void test_lost_anywhere(void **state)
{
	CLEANUP(buf_done) struct buf expected = {}, got = {};
	struct fixture *f = *state;
	struct history h = {};
	struct store *s = NULL;
	struct err e = {};
	char where[700], c;
	size_t lost = 0;
	pid_t pid;
	int in, r;

	if (!fixture_engine)
		return;
	history_make(&h, 33, 3, 60);
	(void)snprintf(where, sizeof(where), "%s&application_name=victim", f->where);
	assert_int_equal(store_open(&s, where, 0, &e), 0);
	pid = start(end_others, f->where, NULL, &in);
	assert_int_equal(read(in, &c, 1), 1);
	for (size_t i = 0; i < h.n; i++)
		while ((r = put(s, &h.items[i], &e)) < 0) {
			if (r != -EIO)
				fail_msg("%s", e.text);
			lost++;
		}
	(void)kill(pid, SIGKILL);
	(void)end_of(pid);
	(void)close(in);
	assert_true(lost > 2);
	dump(f->s, &got);
	dump_undisturbed(&h, &expected);
	assert_string_equal(buf_str(&got), buf_str(&expected));
	store_close(s);
	history_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_killed),	FIXTURE_TEST(test_migrate_at_once),
		FIXTURE_TEST(test_versions),	FIXTURE_TEST(test_overtaken),
		FIXTURE_TEST(test_backup),	FIXTURE_TEST(test_lost_between),
		FIXTURE_TEST(test_lost_within), FIXTURE_TEST(test_lost_anywhere),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
