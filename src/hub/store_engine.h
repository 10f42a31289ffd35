/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What store*.c share: a connection, and the dozen operations that an engine has. Statements are
 * known by their number (hub/sql/); both engines have the same ones with the same parameters.
 */

#include "hub/sql/statements.h"
#include "hub/store.h"

enum { STORE_COLUMNS = 40, STORE_PARAMS = 32 };

/* How long single documents and their minutes are remembered. */
enum { STORE_MEMORY_S = 48 * 3600 };

/* What a document may take. Nobody else writes meanwhile. */
enum { STORE_DOCUMENT_MS = 20000 };

struct store_value {
	enum { STORE_INT, STORE_TEXT } type;
	bool null;
	int64_t i;
	struct slice text;
};

static inline struct store_value val_int(int64_t i)
{
	return (struct store_value){ .type = STORE_INT, .i = i };
}

static inline struct store_value val_slice(struct slice s)
{
	return (struct store_value){ .type = STORE_TEXT, .text = s, .null = !s.p };
}

static inline struct store_value val_buf(const struct buf *b)
{
	return val_slice(buf_slice(b));
}

static inline struct store_value val_text(const char *s)
{
	return (struct store_value){ .type = STORE_TEXT,
				     .text = { s, s ? strlen(s) : 0 },
				     .null = !s };
}

static inline struct store_value val_no_int(void)
{
	return (struct store_value){ .type = STORE_INT, .null = true };
}

/* A row of an answer: texts, p is NULL where the database says so. Valid during the call. */
struct store_row {
	int n;
	struct slice col[STORE_COLUMNS];
};
int64_t row_int(const struct store_row *r, int column); /* 0 for NULL */
void row_text(const struct store_row *r, int column, char *ret, size_t size);

typedef int store_row_fn(void *ctx, const struct store_row *row);
store_row_fn row_take_int; /* @ctx: an int64_t, which becomes the first column */

struct store_ops {
	bool postgres;
	int (*open)(struct store *s, const char *where, unsigned int flags, struct err *e);
	void (*close)(struct store *s);
	/* Before anything else of a call: a lost connection is made anew. */
	int (*ready)(struct store *s, struct err *e);
	int (*begin)(struct store *s, bool writes, struct err *e);
	int (*commit)(struct store *s, struct err *e);
	void (*rollback)(struct store *s);
	/* Statements of this transaction end with -ETIME once so long has gone by from now; what it
	 * has done so far may be gone as well. */
	int (*limit)(struct store *s, int64_t ms, struct err *e);
	/* Several statements without parameters; migrations. */
	int (*script)(struct store *s, const char *sql, struct err *e);
	/* One prepared statement. @each and @changes may be NULL. */
	int (*run)(struct store *s, enum sql id, const struct store_value *v, size_t n,
		   store_row_fn *each, void *ctx, int64_t *changes, struct err *e);
	/* A text made of fixed pieces (store_list.c), $1 ... as parameters. */
	int (*query)(struct store *s, const char *sql, const struct store_value *v, size_t n,
		     store_row_fn *each, void *ctx, struct err *e);
	/* Held until the transaction ends: one at a time migrates. */
	int (*lock)(struct store *s, struct err *e);
	int (*settle)(struct store *s, struct err *e); /* NULL: it needs none */
	int (*backup)(struct store *s, const char *path, struct err *e);
	/* 1 if there is a table of schema versions, 0 if not. */
	int (*has_schema)(struct store *s, struct err *e);
	int64_t (*bytes)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	void *db; /* the engine's */
	char *where;
	bool in_transaction;
	bool lost; /* there was an -EIO, or its schema is newer now */
	unsigned int flags;
	int64_t document_ms;
	/* Behind which one store_retain() goes on. */
	char retain_org[STORE_ORG_MAX], retain_cluster[STORE_NAME_MAX];
	bool retain_gone; /* documents went: their views are to be looked through */
	int retain_error; /* of a cluster that it went past, told at the end of the round */
	struct err retain_why;
};

extern const struct store_ops store_sqlite_ops, store_pg_ops;

#define STORE_RUN(s, id, each, ctx, changes, e, ...)                                              \
	((s)->ops->run(                                                                           \
		(s), (id), (const struct store_value[]){ __VA_ARGS__ },                           \
		sizeof((const struct store_value[]){ __VA_ARGS__ }) / sizeof(struct store_value), \
		(each), (ctx), (changes), (e)))

/* One statement of its own: the connection is there, a transaction is the engine's. */
#define STORE_ONE(s, id, each, ctx, changes, e, ...)                                    \
	({                                                                              \
		int one_ = (s)->ops->ready((s), (e));                                   \
		one_ < 0 ? one_ : STORE_RUN(s, id, each, ctx, changes, e, __VA_ARGS__); \
	})

/* Begins, calls, commits; again a few times if another hub was in the way (-ERESTART). */
int store_transaction(struct store *s, int (*work)(struct store *s, void *ctx, struct err *e),
		      void *ctx, struct err *e);

/* A UUIDv7 as 32 hex digits. */
void store_new_id(char ret[STORE_ORG_MAX]);
void store_hex(const uint8_t hash[STORE_HASH], char ret[2 * STORE_HASH + 1]);
void store_unhex(struct slice s, uint8_t ret[STORE_HASH]);

/* store_token_add() and store_agent_add() within a transaction. @parent: the id of the refresh
 * token that led to this one, or "". */
int store_put_token(struct store *s, struct store_token *t, const char *parent, struct err *e);
int store_put_agent(struct store *s, const char *org, struct store_agent *a, struct err *e);
