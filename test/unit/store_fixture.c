/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

int fixture_engine;

int fixture_engines(void)
{
	return getenv("PVEWARDEN_TEST_PG") ? 2 : 1;
}

static void open_sqlite(struct fixture *f)
{
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->where, sizeof(f->where), "%s/hub.db", f->folder);
}

/* A schema of its own, that the search path of each connection names. */
static void open_postgres(struct fixture *f)
{
	const char *url = getenv("PVEWARDEN_TEST_PG");
	struct store *s;
	char sql[128], id[STORE_ORG_MAX];

	store_new_id(id);
	(void)snprintf(f->schema, sizeof(f->schema), "t%s", id);
	(void)snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", f->schema);
	assert_int_equal(store_open(&s, url, STORE_ANY_VERSION, NULL), 0);
	assert_int_equal(s->ops->script(s, sql, NULL), 0);
	store_close(s);
	(void)snprintf(f->where, sizeof(f->where), "%s%soptions=-csearch_path%%3D%s", url,
		       strchr(url, '?') ? "&" : "?", f->schema);
}

struct store *fixture_open(struct fixture *f)
{
	struct err e = {};
	struct store *s = NULL;

	if (store_open(&s, f->where, STORE_CREATE | STORE_ANY_VERSION, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

int fixture_setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err e = {};

	if (fixture_engine)
		open_postgres(f);
	else
		open_sqlite(f);
	f->s = fixture_open(f);
	if (store_migrate(f->s, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	static const char *const files[] = { "", "-wal", "-shm", "-copy" };
	struct fixture *f = *state;
	char text[600];

	if (*f->schema) {
		(void)snprintf(text, sizeof(text), "DROP SCHEMA %s CASCADE", f->schema);
		(void)f->s->ops->script(f->s, text, NULL);
	}
	store_close(f->s);
	for (size_t i = 0; *f->folder && i < ARRAY_SIZE(files); i++) {
		(void)snprintf(text, sizeof(text), "%s%s", f->where, files[i]);
		(void)unlink(text);
	}
	if (*f->folder)
		(void)rmdir(f->folder);
	free(f);
	return 0;
}

int fixture_script(struct fixture *f, const char *sql)
{
	return f->s->ops->script(f->s, sql, NULL);
}

static int add_row(void *ctx, const struct store_row *row)
{
	struct buf *b = ctx;

	for (int i = 0; i < row->n; i++)
		buf_addf(b, "%s" SLICE_FMT, i ? "|" : "", SLICE_ARG(row->col[i]));
	buf_addc(b, '\n');
	return 0;
}

void add_rows(struct store *s, const char *sql, struct buf *ret)
{
	if (s->ops->query(s, sql, NULL, 0, add_row, ret, NULL) < 0)
		fail_msg("%s", sql);
}

void assert_rows(struct fixture *f, const char *sql, const char *expected)
{
	CLEANUP(buf_done) struct buf got = {};

	add_rows(f->s, sql, &got);
	assert_string_equal(buf_str(&got), expected);
}

static int take_number(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

int64_t try_number(struct store *s, const char *sql)
{
	int64_t n = -1;

	return s->ops->query(s, sql, NULL, 0, take_number, &n, NULL) < 0 ? -1 : n;
}

int64_t number(struct fixture *f, const char *sql)
{
	int64_t n = -1;

	if (f->s->ops->query(f->s, sql, NULL, 0, take_number, &n, NULL) < 0)
		fail_msg("%s", sql);
	return n;
}
