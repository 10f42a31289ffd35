/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <stdio.h>

/* A row that one caller waits for. */
struct found {
	bool any;
	void *to;
};

static int take_id(void *ctx, const struct store_row *row)
{
	struct found *f = ctx;

	f->any = true;
	row_text(row, 0, f->to, STORE_ORG_MAX);
	return 0;
}

int store_org_find(struct store *s, const char *name, char ret[STORE_ORG_MAX], struct err *e)
{
	struct found f = { .to = ret };
	int r = STORE_ONE(s, SQL_ORG_FIND, take_id, &f, NULL, e, val_text(name));

	return r < 0 || f.any ? r : err_set(e, -ENOENT, "there is no organisation %s", name);
}

int store_org_add(struct store *s, const char *name, char ret[STORE_ORG_MAX], struct err *e)
{
	int64_t changes = 0;
	int r;

	store_new_id(ret);
	r = STORE_ONE(s, SQL_ORG_ADD, NULL, NULL, &changes, e, val_text(ret), val_text(name));
	return r < 0 || changes ? r : err_set(e, -EEXIST, "there is an organisation %s", name);
}

void store_unhex(struct slice s, uint8_t ret[STORE_HASH])
{
	for (size_t i = 0; i < STORE_HASH && 2 * i + 1 < s.n; i++) {
		char pair[3] = { s.p[2 * i], s.p[2 * i + 1] };

		ret[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static void read_token(const struct store_row *row, struct store_token *t)
{
	*t = (struct store_token){
		.kind = (enum store_token_kind)row_int(row, 2),
		.created_at = row_int(row, 6),
		.expires_at = row_int(row, 7),
		.revoked_at = row_int(row, 8),
		.used_at = row_int(row, 9),
	};
	row_text(row, 0, t->org, sizeof(t->org));
	row_text(row, 1, t->id, sizeof(t->id));
	row_text(row, 3, t->agent, sizeof(t->agent));
	row_text(row, 4, t->user, sizeof(t->user));
	row_text(row, 5, t->label, sizeof(t->label));
}

static int take_token(void *ctx, const struct store_row *row)
{
	struct found *f = ctx;
	struct store_token *t = f->to;

	f->any = true;
	read_token(row, t);
	store_unhex(row->col[10], t->hash);
	return 0;
}

int store_token_find(struct store *s, const char *org, const uint8_t hash[STORE_HASH],
		     struct store_token *ret, struct err *e)
{
	struct found f = { .to = ret };
	char hex[2 * STORE_HASH + 1];
	int r;

	store_hex(hash, hex);
	r = STORE_ONE(s, SQL_TOKEN_FIND, take_token, &f, NULL, e, val_text(org), val_text(hex));
	return r < 0 || f.any ? r : err_set(e, -ENOENT, "no such token");
}

int store_put_token(struct store *s, struct store_token *t, const char *parent, struct err *e)
{
	char hex[2 * STORE_HASH + 1], id[STORE_ORG_MAX];
	int r;

	store_hex(t->hash, hex);
	store_new_id(id);
	r = STORE_RUN(s, SQL_TOKEN_ADD, NULL, NULL, NULL, e, val_text(t->org), val_text(hex),
		      val_text(id), val_int(t->kind), val_text(t->agent), val_text(t->user),
		      val_text(t->label), val_int(t->created_at), val_int(t->expires_at),
		      val_text(parent));
	if (r == 0)
		memcpy(t->id, id, sizeof(id));
	return r;
}

int store_token_add(struct store *s, struct store_token *t, struct err *e)
{
	int r = s->ops->ready(s, e);

	return r < 0 ? r : store_put_token(s, t, "", e);
}

int store_token_revoke(struct store *s, const char *org, const char *id, int64_t now, struct err *e)
{
	int64_t changes = 0;
	int r = STORE_ONE(s, SQL_TOKEN_REVOKE, NULL, NULL, &changes, e, val_text(org), val_text(id),
			  val_int(now));

	return r < 0 || changes ? r : err_set(e, -ENOENT, "there is no token %s", id);
}

int store_token_revoke_agent(struct store *s, const char *org, const char *agent, int kind,
			     int64_t now, struct err *e)
{
	return STORE_ONE(s, SQL_TOKEN_REVOKE_AGENT, NULL, NULL, NULL, e, val_text(org),
			 val_text(agent), val_int(kind), val_int(now));
}

struct uses {
	const struct store_use *uses;
	size_t n;
	int64_t apart;
};

static int put_uses(struct store *s, void *ctx, struct err *e)
{
	const struct uses *u = ctx;
	char hex[2 * STORE_HASH + 1];
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->n; i++) {
		store_hex(u->uses[i].hash, hex);
		r = STORE_RUN(s, SQL_TOKEN_USED, NULL, NULL, NULL, e, val_text(u->uses[i].org),
			      val_text(hex), val_int(u->uses[i].at),
			      val_int(u->uses[i].at - u->apart));
	}
	return r;
}

int store_token_used(struct store *s, const struct store_use *uses, size_t n, int64_t apart,
		     struct err *e)
{
	struct uses u = { uses, n, apart };

	return store_transaction(s, put_uses, &u, e);
}

struct each_token {
	void (*each)(void *ctx, const struct store_token *t, const char *org_name);
	void *ctx;
};

static int pass_token(void *ctx, const struct store_row *row)
{
	struct each_token *to = ctx;
	char org_name[STORE_NAME_MAX];
	struct store_token t;

	read_token(row, &t);
	row_text(row, 10, org_name, sizeof(org_name));
	to->each(to->ctx, &t, org_name);
	return 0;
}

int store_token_each(struct store *s, const char *org,
		     void (*each)(void *ctx, const struct store_token *t, const char *org_name),
		     void *ctx, struct err *e)
{
	struct each_token to = { each, ctx };
	int r;

	if (org)
		return STORE_ONE(s, SQL_TOKEN_EACH, pass_token, &to, NULL, e, val_text(org));
	r = s->ops->ready(s, e);
	return r < 0 ? r : s->ops->run(s, SQL_TOKEN_EACH_ORG, NULL, 0, pass_token, &to, NULL, e);
}

int store_put_agent(struct store *s, const char *org, struct store_agent *a, struct err *e)
{
	store_new_id(a->id);
	return STORE_RUN(s, SQL_AGENT_ADD, NULL, NULL, NULL, e, val_text(org), val_text(a->id),
			 val_text(a->hostname), val_text(a->version), val_int(a->created_at));
}

int store_agent_add(struct store *s, const char *org, struct store_agent *a, struct err *e)
{
	int r = s->ops->ready(s, e);

	return r < 0 ? r : store_put_agent(s, org, a, e);
}

static int take_user(void *ctx, const struct store_row *row)
{
	struct found *f = ctx;
	struct store_user *u = f->to;

	f->any = true;
	row_text(row, 0, u->org, sizeof(u->org));
	row_text(row, 1, u->name, sizeof(u->name));
	row_text(row, 2, u->password, sizeof(u->password));
	u->created_at = row_int(row, 3);
	return 0;
}

int store_user_find(struct store *s, const char *org, const char *name, struct store_user *ret,
		    struct err *e)
{
	struct found f = { .to = ret };
	int r = STORE_ONE(s, SQL_USER_FIND, take_user, &f, NULL, e, val_text(org), val_text(name));

	return r < 0 || f.any ? r : err_set(e, -ENOENT, "there is no user %s", name);
}

struct user_work {
	const struct store_user *u;
	const char *org, *name;
	struct store_token *session;
	int64_t now;
	bool must_be_new;
};

static int end_sessions(struct store *s, const struct user_work *w, struct err *e)
{
	return STORE_RUN(s, SQL_TOKEN_REVOKE_SESSIONS, NULL, NULL, NULL, e, val_text(w->org),
			 val_text(w->name), val_int(STORE_TOKEN_SESSION), val_int(w->now));
}

/* Also of a new one: there may have been somebody of that name. */
static int put_user(struct store *s, void *ctx, struct err *e)
{
	const struct user_work *w = ctx;
	int r = STORE_RUN(s, w->must_be_new ? SQL_USER_ADD : SQL_USER_PUT, NULL, NULL, NULL, e,
			  val_text(w->org), val_text(w->name), val_text(w->u->password),
			  val_int(w->u->created_at));

	return r < 0 ? r : end_sessions(s, w, e);
}

int store_user_put(struct store *s, const struct store_user *u, bool must_be_new, struct err *e)
{
	struct user_work w = { u, u->org, u->name, NULL, u->created_at, must_be_new };
	int r = store_transaction(s, put_user, &w, e);

	return r == -EEXIST ? err_set(e, r, "there is a user %s", u->name) : r;
}

static int remove_user(struct store *s, void *ctx, struct err *e)
{
	const struct user_work *w = ctx;
	int64_t changes = 0;
	int r = STORE_RUN(s, SQL_USER_REMOVE, NULL, NULL, &changes, e, val_text(w->org),
			  val_text(w->name));

	if (r == 0 && !changes)
		return err_set(e, -ENOENT, "there is no user %s", w->name);
	if (r == 0)
		r = STORE_RUN(s, SQL_DEVICE_FORGET, NULL, NULL, NULL, e, val_text(w->org),
			      val_text(w->name));
	return r < 0 ? r : end_sessions(s, w, e);
}

int store_user_remove(struct store *s, const char *org, const char *name, int64_t now,
		      struct err *e)
{
	struct user_work w = { .org = org, .name = name, .now = now };

	return store_transaction(s, remove_user, &w, e);
}

static int take_password(void *ctx, const struct store_row *row)
{
	row_text(row, 0, ctx, sizeof(((struct store_user *)NULL)->password));
	return 0;
}

static int add_session(struct store *s, void *ctx, struct err *e)
{
	const struct user_work *w = ctx;
	char password[sizeof(w->u->password)] = "";
	int r = STORE_RUN(s, SQL_USER_LOCK, take_password, password, NULL, e, val_text(w->org),
			  val_text(w->name));

	if (r == 0 && strcmp(password, w->u->password) != 0)
		return err_set(e, -ENOENT, "the password was changed meanwhile");
	return r < 0 ? r : store_put_token(s, w->session, "", e);
}

int store_session_add(struct store *s, const struct store_user *u, struct store_token *t,
		      struct err *e)
{
	struct user_work w = { .u = u, .org = u->org, .name = u->name, .session = t };

	return store_transaction(s, add_session, &w, e);
}

struct each_user {
	void (*each)(void *ctx, const struct store_user *u, const char *org_name);
	void *ctx;
};

static int pass_user(void *ctx, const struct store_row *row)
{
	struct each_user *to = ctx;
	struct store_user u = { .created_at = row_int(row, 2) };
	char org_name[STORE_NAME_MAX];

	row_text(row, 0, u.org, sizeof(u.org));
	row_text(row, 1, u.name, sizeof(u.name));
	row_text(row, 3, org_name, sizeof(org_name));
	to->each(to->ctx, &u, org_name);
	return 0;
}

int store_user_each(struct store *s, const char *org,
		    void (*each)(void *ctx, const struct store_user *u, const char *org_name),
		    void *ctx, struct err *e)
{
	struct each_user to = { each, ctx };
	int r;

	if (org)
		return STORE_ONE(s, SQL_USER_EACH, pass_user, &to, NULL, e, val_text(org));
	r = s->ops->ready(s, e);
	return r < 0 ? r : s->ops->run(s, SQL_USER_EACH_ORG, NULL, 0, pass_user, &to, NULL, e);
}
