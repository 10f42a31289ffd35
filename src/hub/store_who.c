/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <stdio.h>

enum { DEVICES_MAX = 10000 };

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

static void unhex(struct slice s, uint8_t ret[STORE_HASH])
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
	unhex(row->col[10], t->hash);
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

int store_token_add(struct store *s, struct store_token *t, struct err *e)
{
	char hex[2 * STORE_HASH + 1], id[STORE_ORG_MAX];
	int r;

	store_hex(t->hash, hex);
	store_new_id(id);
	r = STORE_ONE(s, SQL_TOKEN_ADD, NULL, NULL, NULL, e, val_text(t->org), val_text(hex),
		      val_text(id), val_int(t->kind), val_text(t->agent), val_text(t->user),
		      val_text(t->label), val_int(t->created_at), val_int(t->expires_at));
	if (r == 0)
		memcpy(t->id, id, sizeof(id));
	return r;
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

int store_agent_add(struct store *s, const char *org, struct store_agent *a, struct err *e)
{
	store_new_id(a->id);
	return STORE_ONE(s, SQL_AGENT_ADD, NULL, NULL, NULL, e, val_text(org), val_text(a->id),
			 val_text(a->hostname), val_text(a->version), val_int(a->created_at));
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

int store_user_put(struct store *s, const struct store_user *u, bool must_be_new, struct err *e)
{
	int r = STORE_ONE(s, must_be_new ? SQL_USER_ADD : SQL_USER_PUT, NULL, NULL, NULL, e,
			  val_text(u->org), val_text(u->name), val_text(u->password),
			  val_int(u->created_at));

	return r == -EEXIST ? err_set(e, r, "there is a user %s", u->name) : r;
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

struct device_work {
	const struct store_device *d;
	const uint8_t *device_hash;
	int64_t now;
	char *ret_org;
	bool used, any;
};

static int take_count(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row_int(row, 0);
	return 0;
}

static int add_device(struct store *s, void *ctx, struct err *e)
{
	char device[2 * STORE_HASH + 1], user[2 * STORE_HASH + 1];
	struct device_work *w = ctx;
	int64_t waiting = 0;
	int r = STORE_RUN(s, SQL_DEVICE_EXPIRE, NULL, NULL, NULL, e, val_int(w->now));

	if (r == 0)
		r = s->ops->run(s, SQL_DEVICE_COUNT, NULL, 0, take_count, &waiting, NULL, e);
	if (r == 0 && waiting >= DEVICES_MAX)
		r = err_set(e, -EBUSY, "%d registrations are waiting already", DEVICES_MAX);
	if (r < 0)
		return r;
	store_hex(w->d->device_hash, device);
	store_hex(w->d->user_hash, user);
	return STORE_RUN(s, SQL_DEVICE_ADD, NULL, NULL, NULL, e, val_text(device), val_text(user),
			 val_int(w->d->expires_at), val_text(w->d->from));
}

int store_device_add(struct store *s, const struct store_device *d, int64_t now, struct err *e)
{
	struct device_work w = { .d = d, .now = now };

	return store_transaction(s, add_device, &w, e);
}

static int take_device(void *ctx, const struct store_row *row)
{
	struct found *f = ctx;
	struct store_device *d = f->to;

	f->any = true;
	*d = (struct store_device){ .expires_at = row_int(row, 2), .used = row_int(row, 5) };
	unhex(row->col[0], d->device_hash);
	unhex(row->col[1], d->user_hash);
	row_text(row, 3, d->org, sizeof(d->org));
	row_text(row, 4, d->user, sizeof(d->user));
	row_text(row, 6, d->from, sizeof(d->from));
	return 0;
}

int store_device_by_user_code(struct store *s, const uint8_t user_hash[STORE_HASH], int64_t now,
			      struct store_device *ret, struct err *e)
{
	struct found f = { .to = ret };
	char hex[2 * STORE_HASH + 1];
	int r;

	store_hex(user_hash, hex);
	r = STORE_ONE(s, SQL_DEVICE_BY_USER_CODE, take_device, &f, NULL, e, val_text(hex),
		      val_int(now));
	return r < 0 || f.any ? r : err_set(e, -ENOENT, "no registration waits with this code");
}

int store_device_approve(struct store *s, const uint8_t user_hash[STORE_HASH], const char *org,
			 const char *user, int64_t now, struct err *e)
{
	char hex[2 * STORE_HASH + 1];
	int64_t changes = 0;
	int r;

	store_hex(user_hash, hex);
	r = STORE_ONE(s, SQL_DEVICE_APPROVE, NULL, NULL, &changes, e, val_text(hex), val_text(org),
		      val_text(user), val_int(now));
	return r < 0 || changes ? r : err_set(e, -ENOENT, "no registration waits with this code");
}

int store_device_refuse(struct store *s, const uint8_t user_hash[STORE_HASH], struct err *e)
{
	char hex[2 * STORE_HASH + 1];

	store_hex(user_hash, hex);
	return STORE_ONE(s, SQL_DEVICE_REFUSE, NULL, NULL, NULL, e, val_text(hex));
}

static int take_org(void *ctx, const struct store_row *row)
{
	struct device_work *w = ctx;

	w->any = true;
	w->used = row_int(row, 1);
	row_text(row, 0, w->ret_org, STORE_ORG_MAX);
	return 0;
}

static int take_code(struct store *s, void *ctx, struct err *e)
{
	char hex[2 * STORE_HASH + 1];
	struct device_work *w = ctx;
	int64_t changes = 0;
	int r;

	store_hex(w->device_hash, hex);
	r = STORE_RUN(s, SQL_DEVICE_TAKE, NULL, NULL, &changes, e, val_text(hex), val_int(w->now));
	if (r == 0)
		r = STORE_RUN(s, SQL_DEVICE_BY_CODE, take_org, w, NULL, e, val_text(hex),
			      val_int(w->now));
	if (r < 0 || changes)
		return r;
	if (!w->any || w->used)
		return err_set(e, -ENOENT, "no such code, or its time is over");
	return err_set(e, -EAGAIN, "device not authorized");
}

int store_device_take(struct store *s, const uint8_t device_hash[STORE_HASH], int64_t now,
		      char ret_org[STORE_ORG_MAX], struct err *e)
{
	struct device_work w = { .device_hash = device_hash, .now = now, .ret_org = ret_org };

	return store_transaction(s, take_code, &w, e);
}
