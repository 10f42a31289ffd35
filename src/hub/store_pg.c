/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "util/clock.h"

enum {
	OID_INT8 = 20,
	OID_TEXT = 25,
	NUMBER_MAX = 24,
	MIGRATION_LOCK = 0x70766577, /* "pvew" */
};

struct pg {
	PGconn *conn;
	bool prepared[SQL_COUNT];
	int64_t until_ms; /* 0: this transaction has no limit */
	bool *lost;	  /* the store's */
};

static struct pg *pg_of(struct store *s)
{
	return s->db;
}

static bool is_class(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

static bool is_late(const struct pg *p)
{
	return p->until_ms && clock_boot_ms() >= p->until_ms;
}

/* What a text, a number or a row too many in a document leads to. All else that the server finds
 * (rights, a table that is not there, a page that cannot be read) is not what somebody sent. */
static bool is_of_the_data(const char *state)
{
	return is_class(state, "21") || is_class(state, "22") || is_class(state, "23") ||
	       is_class(state, "54");
}

/* A serialization failure, a deadlock, or a person who cancelled it: the same again may succeed. */
static int code_of(const struct pg *p, const PGresult *res)
{
	const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

	if (PQstatus(p->conn) != CONNECTION_OK || !state)
		return -EIO;
	if (is_class(state, "57014"))
		return is_late(p) ? -ETIME : -ERESTART;
	if (is_class(state, "40"))
		return -ERESTART;
	if (is_class(state, "23505"))
		return -EEXIST;
	if (is_class(state, "55P03"))
		return -EBUSY;
	if (is_class(state, "08") || is_class(state, "57P") || is_class(state, "53") ||
	    is_class(state, "25006"))
		return -EIO;
	return is_of_the_data(state) ? -EBADMSG : -EREMOTEIO;
}

static int failed(const struct pg *p, const PGresult *res, const char *what, struct err *e)
{
	const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char lost[256];

	(void)snprintf(lost, sizeof(lost), "%s", PQerrorMessage(p->conn));
	lost[strcspn(lost, "\n")] = '\0';
	*p->lost = *p->lost || code_of(p, res) == -EIO;
	return err_set(e, code_of(p, res), "PostgreSQL: %s: %s", what, text ? text : lost);
}

static int finish(const struct pg *p, PGresult *res, const char *what, struct err *e)
{
	ExecStatusType status = PQresultStatus(res);
	int r = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? 0
									: failed(p, res, what, e);

	PQclear(res);
	return r;
}

static int pg_script(struct store *s, const char *sql, struct err *e)
{
	struct pg *p = pg_of(s);

	return finish(p, PQexec(p->conn, sql), "script", e);
}

/* Quiet: what the server has to say beside errors is for its own log. */
static void no_notice(void *ctx, const PGresult *res)
{
	(void)ctx;
	(void)res;
}

/* Custom plans would be made anew for each document. */
static int configure(struct store *s, struct err *e)
{
	PQsetNoticeReceiver(pg_of(s)->conn, no_notice, NULL);
	return pg_script(s,
			 "SET client_encoding = 'UTF8'; SET plan_cache_mode = force_generic_plan; "
			 "SET jit = off; SET lock_timeout = '30s'; SET synchronous_commit = on; "
			 "SET default_transaction_isolation = 'read committed'",
			 e);
}

static int pg_open(struct store *s, const char *where, unsigned int flags, struct err *e)
{
	struct pg *p = xcalloc(1, sizeof(*p));
	int r;

	(void)flags;
	s->db = p;
	p->lost = &s->lost;
	p->conn = PQconnectdb(where);
	r = PQstatus(p->conn) == CONNECTION_OK ? 0 : failed(p, NULL, "connecting", e);
	return r < 0 ? r : configure(s, e);
}

static void pg_close(struct store *s)
{
	if (s->db)
		PQfinish(pg_of(s)->conn);
	free(s->db);
}

static int pg_ready(struct store *s, struct err *e)
{
	struct pg *p = pg_of(s);

	if (PQstatus(p->conn) == CONNECTION_OK)
		return 0;
	PQreset(p->conn);
	memset(p->prepared, 0, sizeof(p->prepared));
	s->in_transaction = false;
	return PQstatus(p->conn) == CONNECTION_OK ? configure(s, e)
						  : failed(p, NULL, "connecting again", e);
}

static int pg_begin(struct store *s, bool writes, struct err *e)
{
	int r = pg_script(s, writes ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
			  e);

	s->in_transaction = r == 0;
	pg_of(s)->until_ms = 0;
	return r;
}

/* The server's limit is for each statement, and stays; between them it is looked at here. Waiting
 * for a lock ends before it: who holds the lock is no document's fault. */
static int pg_limit(struct store *s, int64_t ms, struct err *e)
{
	struct pg *p = pg_of(s);
	char sql[128];
	int r = 0;

	(void)snprintf(sql, sizeof(sql),
		       "SET LOCAL statement_timeout = %lld; SET LOCAL lock_timeout = %lld",
		       (long long)ms, (long long)ms / 2);
	if (!p->until_ms)
		r = pg_script(s, sql, e);
	p->until_ms = clock_boot_ms() + ms;
	return r;
}

static int pg_commit(struct store *s, struct err *e)
{
	int r;

	pg_of(s)->until_ms = 0;
	r = pg_script(s, "COMMIT", e);

	if (r == 0)
		s->in_transaction = false;
	return r;
}

static void pg_rollback(struct store *s)
{
	pg_of(s)->until_ms = 0;
	if (PQtransactionStatus(pg_of(s)->conn) != PQTRANS_IDLE)
		(void)pg_script(s, "ROLLBACK", NULL);
	s->in_transaction = false;
}

struct bound {
	Oid types[STORE_PARAMS];
	const char *texts[STORE_PARAMS];
	char numbers[STORE_PARAMS][NUMBER_MAX];
	char *copies[STORE_PARAMS]; /* libpq wants texts that end with NUL */
};

static void bind_all(struct bound *b, const struct store_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		b->types[i] = v[i].type == STORE_INT ? OID_INT8 : OID_TEXT;
		b->copies[i] = NULL;
		if (v[i].null) {
			b->texts[i] = NULL;
		} else if (v[i].type == STORE_INT) {
			(void)snprintf(b->numbers[i], NUMBER_MAX, "%lld", (long long)v[i].i);
			b->texts[i] = b->numbers[i];
		} else {
			b->copies[i] = xmalloc(v[i].text.n + 1);
			memcpy(b->copies[i], v[i].text.p, v[i].text.n);
			b->copies[i][v[i].text.n] = '\0';
			b->texts[i] = b->copies[i];
		}
	}
}

static void unbind(struct bound *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(b->copies[i]);
}

static int each_row(const PGresult *res, store_row_fn *each, void *ctx)
{
	struct store_row row = { .n = PQnfields(res) };
	int r = 0;

	for (int k = 0; each && r == 0 && k < PQntuples(res); k++) {
		for (int i = 0; i < row.n && i < STORE_COLUMNS; i++) {
			row.col[i].p = PQgetisnull(res, k, i) ? NULL : PQgetvalue(res, k, i);
			row.col[i].n = (size_t)PQgetlength(res, k, i);
		}
		r = each(ctx, &row);
	}
	return r;
}

static int take(const struct pg *p, PGresult *res, const char *what, store_row_fn *each, void *ctx,
		int64_t *changes, struct err *e)
{
	ExecStatusType status = PQresultStatus(res);
	int r;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return finish(p, res, what, e);
	r = each_row(res, each, ctx);
	if (changes)
		*changes = strtoll(PQcmdTuples(res), NULL, 10);
	PQclear(res);
	return r;
}

static int pg_run(struct store *s, enum sql id, const struct store_value *v, size_t n,
		  store_row_fn *each, void *ctx, int64_t *changes, struct err *e)
{
	struct pg *p = pg_of(s);
	struct bound b;
	int r = 0;

	if (is_late(p))
		return err_set(e, -ETIME, "PostgreSQL: %s: no time is left", sql_names[id]);
	bind_all(&b, v, n);
	if (!p->prepared[id])
		r = finish(p, PQprepare(p->conn, sql_names[id], sql_texts[1][id], (int)n, b.types),
			   sql_names[id], e);
	p->prepared[id] = r == 0;
	if (r == 0)
		r = take(p, PQexecPrepared(p->conn, sql_names[id], (int)n, b.texts, NULL, NULL, 0),
			 sql_names[id], each, ctx, changes, e);
	unbind(&b, n);
	return r;
}

static int pg_query(struct store *s, const char *sql, const struct store_value *v, size_t n,
		    store_row_fn *each, void *ctx, struct err *e)
{
	struct pg *p = pg_of(s);
	struct bound b;
	int r;

	bind_all(&b, v, n);
	r = take(p, PQexecParams(p->conn, sql, (int)n, b.types, b.texts, NULL, NULL, 0), "list",
		 each, ctx, NULL, e);
	unbind(&b, n);
	return r;
}

static int pg_lock(struct store *s, struct err *e)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "SELECT pg_advisory_xact_lock(%d)", MIGRATION_LOCK);
	return pg_script(s, sql, e);
}

static int saw_row(void *ctx, const struct store_row *row)
{
	*(bool *)ctx = row->col[0].p != NULL;
	return 0;
}

static int pg_has_schema(struct store *s, struct err *e)
{
	bool found = false;
	/* A look at the table of tables, not to_regclass(): that may remember what was so before
	 * another hub's migration, for which this one has waited. */
	int r = pg_query(s,
			 "SELECT c.oid FROM pg_class AS c WHERE c.relname = 'schema_version' AND "
			 "pg_table_is_visible(c.oid)",
			 NULL, 0, saw_row, &found, e);

	return r < 0 ? r : found;
}

static int pg_backup(struct store *s, const char *path, struct err *e)
{
	(void)s;
	(void)path;
	return err_set(e, -EOPNOTSUPP,
		       "a PostgreSQL database is saved with pg_dump, which takes a consistent copy "
		       "while it is in use");
}

static int64_t pg_bytes(struct store *s)
{
	int64_t n = 0;

	(void)pg_query(s, "SELECT pg_database_size(current_database())", NULL, 0, row_take_int, &n,
		       NULL);
	return n;
}

const struct store_ops store_pg_ops = {
	.postgres = true,
	.open = pg_open,
	.close = pg_close,
	.ready = pg_ready,
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.limit = pg_limit,
	.script = pg_script,
	.run = pg_run,
	.query = pg_query,
	.lock = pg_lock,
	.backup = pg_backup,
	.has_schema = pg_has_schema,
	.bytes = pg_bytes,
};
