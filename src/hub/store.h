/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Everything that the hub keeps, behind one door with two engines: SQLite (store_sqlite.c) and
 * PostgreSQL (store_pg.c). A struct store is one connection and belongs to one thread; each thread
 * opens its own. The C code neither loops over guests nor puts SQL together from values: statements
 * are fixed texts (sql/), a document is one parameter, the database takes it apart.
 *
 * A tenant is an org; it is the first column of every key. Texts are UTF-8, times Unix seconds.
 * Functions return 0 or -errno with a sentence: -ENOENT, -EEXIST, -EBUSY (locked, try again), -EIO
 * (the database is away: try again), -EINVAL.
 */

#include "util/buf.h"
#include "util/err.h"

enum {
	STORE_ORG_MAX = 33, /* 32 hex digits of a UUIDv7, made by the hub */
	STORE_ID_MAX = 40,
	STORE_NAME_MAX = 256,
	STORE_HASH = 32, /* SHA-256 */
};

struct store;

/* --- life --- */

enum store_open {
	STORE_CREATE = 1, /* make it if it is not there */
	STORE_READ_ONLY = 2,
	STORE_ANY_VERSION = 4, /* before store_migrate(): do not insist on the newest schema */
};

/* @where: a file's path, or "postgresql://..." / "postgres://...". -ENOTUNIQ: the schema is newer
 * than this program; -ESTALE: older, migrate first. */
int store_open(struct store **ret, const char *where, unsigned int flags, struct err *e);
void store_close(struct store *s);
bool store_is_postgres(const struct store *s);

/* The database itself went wrong since it was opened (-EIO), or has a newer schema now (-ENOTUNIQ):
 * open it anew. */
bool store_is_lost(const struct store *s);

/* Runs the numbered migrations that are missing, each in a transaction, under a lock that other
 * hubs respect. *ret_from and *ret_to (may be NULL) are schema versions; 0 is an empty database. */
int store_migrate(struct store *s, unsigned int *ret_from, unsigned int *ret_to, struct err *e);

/* A consistent copy while the hub serves (SQLite's online backup); synced, then renamed into place.
 * -EOPNOTSUPP with PostgreSQL: the sentence says pg_dump. */
int store_backup(struct store *s, const char *path, struct err *e);

/* --- documents --- */

/* What an agent's stamp counts as. One from a clock that is ahead would beat all that this clock
 * says after it was set back, until its hour has come: it is what it was when it came. */
enum { STORE_AHEAD_MAX_S = 300 };
static inline int64_t store_stamp(int64_t collected_at, int64_t received_at)
{
	return collected_at > received_at + STORE_AHEAD_MAX_S ? received_at : collected_at;
}

struct store_document {
	/* The caller's; the body has been checked against docs/wire.md (types, depth, lengths). */
	const char *org;
	const char *agent;   /* id of the agent whose token it came with */
	const char *cluster; /* key: the uuid, "name:NAME" of an old agent's cluster, "agent:ID" of
				an old agent that has named none */
	const char *node;
	const char *instance;
	uint64_t sequence;
	int64_t collected_at;
	int64_t received_at;
	struct slice body;

	/* The store's answer, set when store_ingest() has returned. */
	int error; /* 0; else what happened to this one alone, and it left no trace; -ETIME: it kept
		      the database busy for longer than 20 s, twice; -EREMOTEIO: what ails the
		      database, the same may be taken later */
	bool late; /* it did so once */
	bool stalled; /* and the database was slow then with other things, too */
	char why[256];
	bool duplicate; /* never of one older than 48 h when it came: that only fills history */
	bool configs_wanted;
	char id[STORE_ID_MAX];
	char reporter[STORE_NAME_MAX];
	struct buf unheard; /* a JSON array of names; the caller frees it */

	struct digest *digest; /* store_prepare()'s */
};

/* Takes the body apart, which needs no database, so that another thread can do it before the one
 * that writes. Without it store_ingest() does. */
void store_prepare(struct store_document *d);
void store_document_done(struct store_document *d);

/* All of them in one transaction of a fixed number of statements each, on disk when it returns. An
 * error of the whole (-EBUSY, -EIO): nothing is stored, and the same may be tried again. */
int store_ingest(struct store *s, struct store_document *const *docs, size_t n, struct err *e);

/* An object of the four NannyAPI endpoints, already in our words: {"cluster": {...}} or {"node":
 * {...}} or {"guest": {...}} as hub/nanny.h writes them. Stamped with @now, or with its
 * collected_at as store_stamp() says. It is kept as it came, for NannyAPI's own lists, and shows in
 * all other lists as docs/wire.md says. -ENOENT: a guest of a node that this agent has not sent
 * (the sentence is "Node not found: X"). When an agent names its cluster, its node and guests move
 * there from "agent:ID".
 */
enum store_object { STORE_CLUSTER, STORE_NODE, STORE_LXC, STORE_QEMU };
int store_object(struct store *s, enum store_object kind, const char *org, const char *agent,
		 struct slice body, int64_t now, char ret_id[STORE_ID_MAX], struct err *e);

/* --- reading: /api/v1 and NannyAPI's lists --- */

enum store_list {
	STORE_LIST_CLUSTERS,
	STORE_LIST_NODES,
	STORE_LIST_GUESTS,
	STORE_LIST_STORAGES,
	STORE_LIST_FINDINGS,
	STORE_LIST_EVENTS,
};

struct store_filter {
	const char *key, *value;
};

struct store_query {
	const char *org;
	enum store_list list;
	struct store_filter filters[16];
	size_t n_filters;
	const char *sort; /* NULL: the list's own order */
	bool descending;
	unsigned int limit; /* 1 to 500 */
	const char *cursor; /* as given out, NULL: from the start */
};

/* Which filters and sorts a list has: names ending with NULL; the same for both engines. */
const char *const *store_list_filters(enum store_list list);
const char *const *store_list_sorts(enum store_list list);

/* Appends the items, a JSON array, to @ret; @ret_cursor is empty at the end. Keyset paging: a row
 * that comes or goes meanwhile neither repeats nor hides others. -EINVAL: unknown filter, sort or
 * cursor. */
int store_list(struct store *s, const struct store_query *q, struct buf *ret,
	       struct buf *ret_cursor, struct err *e);

/* One of them in full as a JSON object (a guest with its config). @key: cluster | cluster, node |
 * cluster, vmid. -ENOENT. */
int store_one(struct store *s, const char *org, enum store_list list, const char *cluster,
	      const char *key, struct buf *ret, struct err *e);

/* Rows of history as a JSON array, oldest first; minute (nodes, storages), five minutes (guests) or
 * hours, whichever the span needs so that at most 2,000 rows come. @subject: "node/NAME",
 * "guest/VMID", "storage/NODE/NAME". */
int store_history(struct store *s, const char *org, const char *cluster, const char *subject,
		  int64_t from, int64_t to, struct buf *ret, struct err *e);

/* NannyAPI's GET /api/proxmox/{clusters,nodes,lxc,qemu}: its field names (docs: facts A4), pages
 * from 1.
 * @id NULL: a page {"page","perPage","totalItems","totalPages","items"}; else that record
 * (-ENOENT). */
int store_nanny_list(struct store *s, const char *org, enum store_object kind,
		     const char *cluster_id, const char *node_id, unsigned int page,
		     unsigned int per_page, const char *id, struct buf *ret, struct err *e);
/* And what lists of /api/v1 have of it, unless a document said that. */
int store_nanny_delete(struct store *s, const char *org, enum store_object kind, const char *id,
		       struct err *e);

/* --- who may speak --- */

/* Kinds of secrets; all are kept as the SHA-256 of their text. */
enum store_token_kind {
	STORE_TOKEN_AGENT,   /* of `hub token add`: does not expire unless said */
	STORE_TOKEN_ACCESS,  /* of the registration flow: an hour */
	STORE_TOKEN_REFRESH, /* thirty days */
	STORE_TOKEN_READ,    /* for the read API and Prometheus */
	STORE_TOKEN_SESSION, /* a logged-in person's cookie */
};

struct store_token {
	char org[STORE_ORG_MAX];
	char id[STORE_ID_MAX]; /* made by the store on add */
	uint8_t hash[STORE_HASH];
	enum store_token_kind kind;
	char agent[STORE_ID_MAX];  /* "" for a person's */
	char user[STORE_NAME_MAX]; /* "" for an agent's */
	char label[STORE_NAME_MAX];
	int64_t created_at, expires_at; /* 0: never */
	int64_t revoked_at;		/* 0: no */
	int64_t used_at;
};

int store_org_find(struct store *s, const char *name, char ret[STORE_ORG_MAX], struct err *e);
int store_org_add(struct store *s, const char *name, char ret[STORE_ORG_MAX], struct err *e);

/* The text of a token names its org, so that every lookup has it (docs: HACKING, hub). Finds
 * revoked and expired ones too: the caller tells them apart. */
int store_token_find(struct store *s, const char *org, const uint8_t hash[STORE_HASH],
		     struct store_token *ret, struct err *e);
int store_token_add(struct store *s, struct store_token *t, struct err *e);
/* From @now on, which may be later than this moment; an earlier end stays. */
int store_token_revoke(struct store *s, const char *org, const char *id, int64_t now,
		       struct err *e);
/* Revokes all of an agent's, or with @kind >= 0 those of that kind. */
int store_token_revoke_agent(struct store *s, const char *org, const char *agent, int kind,
			     int64_t now, struct err *e);
struct store_use {
	char org[STORE_ORG_MAX];
	uint8_t hash[STORE_HASH];
	int64_t at;
};
/* Puts down when tokens were used last, all in one transaction; who was used less than @apart
 * seconds before stays as it is. */
int store_token_used(struct store *s, const struct store_use *uses, size_t n, int64_t apart,
		     struct err *e);
/* Calls @each for every token of @org (NULL: of all), newest first; never with secrets. */
int store_token_each(struct store *s, const char *org,
		     void (*each)(void *ctx, const struct store_token *t, const char *org_name),
		     void *ctx, struct err *e);

/* One more access token of the refresh token @old; its agent and org are @access'. -EKEYREVOKED. */
int store_token_refresh(struct store *s, const struct store_token *old, struct store_token *access,
			int64_t now, struct err *e);
/* A new pair instead of @old, which is good until @until yet because the reply may be lost. Asked
 * again with @old, a pair that nobody has used is revoked and another made; once it is in use there
 * is no further one (*ret_renewed is false), only the access token. -EKEYREVOKED. */
int store_token_renew(struct store *s, const struct store_token *old, struct store_token *access,
		      struct store_token *refresh, int64_t now, int64_t until, bool *ret_renewed,
		      struct err *e);

struct store_agent {
	char id[STORE_ID_MAX]; /* made by the store on add */
	char hostname[STORE_NAME_MAX];
	char version[64];
	int64_t created_at;
};
int store_agent_add(struct store *s, const char *org, struct store_agent *a, struct err *e);

struct store_user {
	char org[STORE_ORG_MAX];
	char name[STORE_NAME_MAX];
	char password[256]; /* as crypt(3) wrote it */
	int64_t created_at;
};
int store_user_find(struct store *s, const char *org, const char *name, struct store_user *ret,
		    struct err *e);
/* Sets the password, and ends the sessions that there are; @u->created_at is this moment. */
int store_user_put(struct store *s, const struct store_user *u, bool must_be_new, struct err *e);
/* And the sessions and approvals of that person; what was registered stays. -ENOENT. */
int store_user_remove(struct store *s, const char *org, const char *name, int64_t now,
		      struct err *e);
/* The session of @u, whose password was compared. -ENOENT: it is another one by now. */
int store_session_add(struct store *s, const struct store_user *u, struct store_token *t,
		      struct err *e);
int store_user_each(struct store *s, const char *org,
		    void (*each)(void *ctx, const struct store_user *u, const char *org_name),
		    void *ctx, struct err *e);

/* The registration flow. Codes are kept as SHA-256 and for ten minutes; at most 10,000 wait, and 20
 * of one network. */
struct store_device {
	uint8_t device_hash[STORE_HASH];
	uint8_t user_hash[STORE_HASH];
	int64_t expires_at;
	char org[STORE_ORG_MAX];   /* "" until a person has approved it */
	char user[STORE_NAME_MAX]; /* who did */
	bool used;		   /* an agent has registered with it */
	char from[64];		   /* the address that asked, shown to the person who approves */
	char network[64];	   /* it, or the /64 it is of */
};
/* -EAGAIN: as many wait as may. */
int store_device_add(struct store *s, const struct store_device *d, int64_t now, struct err *e);
int store_device_by_user_code(struct store *s, const uint8_t user_hash[STORE_HASH], int64_t now,
			      struct store_device *ret, struct err *e);
int store_device_approve(struct store *s, const uint8_t user_hash[STORE_HASH], const char *org,
			 const char *user, int64_t now, struct err *e);
/* A person has said no: the code is forgotten. */
int store_device_refuse(struct store *s, const uint8_t user_hash[STORE_HASH], struct err *e);
/* Whose agent the code makes. -EAGAIN: not approved yet; -ENOENT: no such code, or its time is
 * over. */
int store_device_org(struct store *s, const uint8_t device_hash[STORE_HASH], int64_t now,
		     char ret_org[STORE_ORG_MAX], struct err *e);
/* The agent and its pair of tokens (of store_device_org()'s org; the store fills in the agent), and
 * the code is spent, all or nothing. The same code again, in its time: the reply was lost, the
 * agent gets another pair and the earlier one is revoked. -ENOENT: no such code, its time is over,
 * or the pair is in use. */
int store_agent_register(struct store *s, const uint8_t device_hash[STORE_HASH], int64_t now,
			 struct store_agent *a, struct store_token *access,
			 struct store_token *refresh, struct err *e);

/* --- keeping --- */

/* One small step of what time brings: minute rows older than 48 h are gathered into hours,
 * documents older than that are forgotten, hours older than 400 days and spent codes, sessions and
 * tokens go, and agents that never sent anything and cannot any more. A step is the oldest hour of
 * one cluster, in a transaction; *ret_more: call again. It goes past a cluster that fails, and says
 * so with the last step. */
int store_retain(struct store *s, int64_t now, bool *ret_more, struct err *e);

/* Moves what was committed from SQLite's log into its database beside the writers, so that no
 * commit has to move much of it while documents wait. PostgreSQL does so by itself. */
int store_settle(struct store *s, struct err *e);

/* For /metrics and /healthz: {"documents","clusters","nodes","guests","events","bytes"} as numbers.
 */
int store_counts(struct store *s, struct buf *ret, struct err *e);
