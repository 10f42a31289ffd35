/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "hub/store_engine.h"
#include "util/str.h"

enum { TRIES = 8 };

int64_t row_int(const struct store_row *r, int column)
{
	return r->col[column].p ? strtoll(r->col[column].p, NULL, 10) : 0;
}

int row_take_int(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

void row_text(const struct store_row *r, int column, char *ret, size_t size)
{
	(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(r->col[column]));
}

void store_new_id(char ret[STORE_ORG_MAX])
{
	struct timespec now;
	uint8_t id[16];
	uint64_t ms;

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		abort();
	clock_gettime(CLOCK_REALTIME, &now);
	ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	for (int i = 0; i < 6; i++)
		id[i] = (uint8_t)(ms >> (40 - 8 * i));
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0f));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
	for (int i = 0; i < 16; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

void store_hex(const uint8_t hash[STORE_HASH], char ret[2 * STORE_HASH + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < STORE_HASH; i++) {
		ret[2 * i] = digits[hash[i] >> 4];
		ret[2 * i + 1] = digits[hash[i] & 15];
	}
	ret[2 * STORE_HASH] = '\0';
}

bool store_is_postgres(const struct store *s)
{
	return s->ops->postgres;
}

bool store_is_lost(const struct store *s)
{
	return s->lost;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	s->ops->close(s);
	free(s->where);
	free(s);
}

static unsigned int newest(void)
{
	return sql_migrations[SQL_MIGRATIONS - 1].version;
}

static int take_version(void *ctx, const struct store_row *row)
{
	*(unsigned int *)ctx = (unsigned int)row_int(row, 0);
	return 0;
}

static int read_version(struct store *s, unsigned int *ret, struct err *e)
{
	int r = s->ops->has_schema(s, e);

	*ret = 0;
	return r <= 0 ? r : s->ops->run(s, SQL_SCHEMA_READ, NULL, 0, take_version, ret, NULL, e);
}

static int refuse_newer(const struct store *s, unsigned int version, struct err *e)
{
	return err_set(e, -ENOTUNIQ,
		       "%s has schema %u and this program knows up to %u: it is older than the "
		       "database",
		       s->ops->postgres ? "the database" : s->where, version, newest());
}

static int check_version(struct store *s, struct err *e)
{
	unsigned int version;
	int r = read_version(s, &version, e);

	if (r < 0)
		return r;
	if (version > newest())
		return refuse_newer(s, version, e);
	if (version < newest() && !(s->flags & STORE_ANY_VERSION))
		return err_set(e, -ESTALE,
			       "the database has schema %u, this program needs %u: "
			       "run pvewarden hub migrate",
			       version, newest());
	return 0;
}

int store_open(struct store **ret, const char *where, unsigned int flags, struct err *e)
{
	struct slice url = slice_of(where);
	bool pg = slice_starts(url, "postgresql://") || slice_starts(url, "postgres://");
	struct store *s = xcalloc(1, sizeof(*s));
	int r;

	s->ops = pg ? &store_pg_ops : &store_sqlite_ops;
	s->where = xstrdup(where);
	s->flags = flags;
	s->document_ms = STORE_DOCUMENT_MS;
	r = s->ops->open(s, where, flags, e);
	if (r == 0)
		r = check_version(s, e);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int migrate_one(struct store *s, const struct sql_migration *m, struct err *e)
{
	int r = s->ops->script(s, m->texts[s->ops->postgres], e);

	if (r == 0)
		r = STORE_RUN(s, SQL_SCHEMA_ADD, NULL, NULL, NULL, e, val_int(m->version),
			      val_text(m->name));
	return r < 0 ? err_wrap(e, r, "migration %s", m->name) : 0;
}

/* One step under the lock: what another hub did meanwhile is seen. Returns 1 if there was one. */
static int migrate_step(struct store *s, unsigned int *version, struct err *e)
{
	int r = s->ops->lock(s, e);

	if (r == 0)
		r = read_version(s, version, e);
	if (r < 0)
		return r;
	if (*version > newest())
		return refuse_newer(s, *version, e);
	for (size_t i = 0; i < SQL_MIGRATIONS; i++)
		if (sql_migrations[i].version > *version) {
			r = migrate_one(s, &sql_migrations[i], e);
			*version = sql_migrations[i].version;
			return r < 0 ? r : 1;
		}
	return 0;
}

int store_migrate(struct store *s, unsigned int *ret_from, unsigned int *ret_to, struct err *e)
{
	unsigned int version = 0, from = 0;
	int r = s->ops->ready(s, e), done;

	if (r == 0)
		r = read_version(s, &from, e);
	if (r < 0)
		return r;
	do {
		r = s->ops->begin(s, true, e);
		if (r < 0)
			return r;
		done = migrate_step(s, &version, e);
		r = done < 0 ? done : s->ops->commit(s, e);
		if (r < 0) {
			s->ops->rollback(s);
			return r;
		}
	} while (done > 0);
	if (ret_from)
		*ret_from = from;
	if (ret_to)
		*ret_to = version;
	return 0;
}

int store_settle(struct store *s, struct err *e)
{
	return s->ops->settle ? s->ops->settle(s, e) : 0;
}

int store_backup(struct store *s, const char *path, struct err *e)
{
	return s->ops->backup(s, path, e);
}

/* A hub that was not ended before another one migrated the database writes no more: it does not
 * know what its rows would have to look like. */
static int refuse_overtaken(struct store *s, struct err *e)
{
	unsigned int version = 0;
	int r = s->ops->run(s, SQL_SCHEMA_READ, NULL, 0, take_version, &version, NULL, e);

	if (r < 0 || version <= newest())
		return r;
	s->lost = true;
	return refuse_newer(s, version, e);
}

static int attempt(struct store *s, int (*work)(struct store *s, void *ctx, struct err *e),
		   void *ctx, struct err *e)
{
	int r = s->ops->begin(s, true, e);

	if (r < 0)
		return r;
	r = refuse_overtaken(s, e);
	if (r == 0)
		r = work(s, ctx, e);
	if (r == 0)
		r = s->ops->commit(s, e);
	if (r < 0)
		s->ops->rollback(s);
	return r;
}

int store_transaction(struct store *s, int (*work)(struct store *s, void *ctx, struct err *e),
		      void *ctx, struct err *e)
{
	int r = s->ops->ready(s, e);

	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = attempt(s, work, ctx, e);
		if (r != -ERESTART)
			return r;
		r = i + 1 < TRIES ? 0 : -EBUSY;
	}
	return r;
}
