/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_engine.h"

#include <errno.h>
#include <stdio.h>

/* How agents come to their tokens: codes that wait for a person, and what registering, refreshing
 * and renewing write, each in one transaction. */

enum { DEVICES_MAX = 10000, DEVICES_PER_NETWORK = 20 };

/* --- codes --- */

struct found {
	bool any;
	void *to;
};

struct device_work {
	const struct store_device *d;
	int64_t now, waiting, of_network;
};

static int take_counts(void *ctx, const struct store_row *row)
{
	struct device_work *w = ctx;

	w->waiting = row_int(row, 0);
	w->of_network = row_int(row, 1);
	return 0;
}

static int add_device(struct store *s, void *ctx, struct err *e)
{
	char device[2 * STORE_HASH + 1], user[2 * STORE_HASH + 1];
	struct device_work *w = ctx;
	int r = STORE_RUN(s, SQL_DEVICE_EXPIRE, NULL, NULL, NULL, e, val_int(w->now));

	if (r == 0)
		r = STORE_RUN(s, SQL_DEVICE_COUNT, take_counts, w, NULL, e,
			      val_text(w->d->network));
	if (r == 0 && w->waiting >= DEVICES_MAX)
		r = err_set(e, -EAGAIN, "%d registrations are waiting already", DEVICES_MAX);
	if (r == 0 && w->of_network >= DEVICES_PER_NETWORK)
		r = err_set(e, -EAGAIN, "%d registrations from your address are waiting already",
			    DEVICES_PER_NETWORK);
	if (r < 0)
		return r;
	store_hex(w->d->device_hash, device);
	store_hex(w->d->user_hash, user);
	return STORE_RUN(s, SQL_DEVICE_ADD, NULL, NULL, NULL, e, val_text(device), val_text(user),
			 val_int(w->d->expires_at), val_text(w->d->from), val_text(w->d->network));
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
	store_unhex(row->col[0], d->device_hash);
	store_unhex(row->col[1], d->user_hash);
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

/* --- registering --- */

struct code {
	bool any;
	char org[STORE_ORG_MAX], agent[STORE_ID_MAX];
};

static int take_code(void *ctx, const struct store_row *row)
{
	struct code *c = ctx;

	c->any = true;
	row_text(row, 0, c->org, sizeof(c->org));
	row_text(row, 1, c->agent, sizeof(c->agent));
	return 0;
}

int store_device_org(struct store *s, const uint8_t device_hash[STORE_HASH], int64_t now,
		     char ret_org[STORE_ORG_MAX], struct err *e)
{
	char hex[2 * STORE_HASH + 1];
	struct code c = {};
	int r;

	store_hex(device_hash, hex);
	r = STORE_ONE(s, SQL_DEVICE_BY_CODE, take_code, &c, NULL, e, val_text(hex), val_int(now));
	if (r < 0)
		return r;
	if (!c.any)
		return err_set(e, -ENOENT, "no such code, or its time is over");
	if (!c.org[0])
		return err_set(e, -EAGAIN, "device not authorized");
	memcpy(ret_org, c.org, sizeof(c.org));
	return 0;
}

struct registration {
	char hex[2 * STORE_HASH + 1];
	int64_t now;
	struct store_agent *agent;
	struct store_token *access, *refresh;
};

static int put_pair(struct store *s, const char *parent, struct store_token *access,
		    struct store_token *refresh, struct err *e)
{
	int r = store_put_token(s, refresh, parent, e);

	return r < 0 ? r : store_put_token(s, access, refresh->id, e);
}

/* The reply was lost: what it held goes, unless somebody has used it. */
static int register_again(struct store *s, const struct registration *g, const char *org,
			  struct err *e)
{
	struct store_value o = val_text(org), agent = val_text(g->agent->id);
	int64_t uses = 0;
	int r = STORE_RUN(s, SQL_TOKEN_USES, row_take_int, &uses, NULL, e, o, agent);

	if (r == 0 && uses)
		return err_set(e, -ENOENT, "the code was used");
	return r < 0 ? r
		     : STORE_RUN(s, SQL_TOKEN_REVOKE_AGENT, NULL, NULL, NULL, e, o, agent,
				 val_int(-1), val_int(g->now));
}

static int register_first(struct store *s, const struct registration *g, const char *org,
			  struct err *e)
{
	int r = store_put_agent(s, org, g->agent, e);

	return r < 0 ? r
		     : STORE_RUN(s, SQL_DEVICE_AGENT, NULL, NULL, NULL, e, val_text(g->hex),
				 val_text(g->agent->id));
}

static int register_agent(struct store *s, void *ctx, struct err *e)
{
	struct registration *g = ctx;
	const char *org = g->access->org;
	int64_t taken = 0;
	struct code c = {};
	int r = STORE_RUN(s, SQL_DEVICE_TAKE, NULL, NULL, &taken, e, val_text(g->hex),
			  val_int(g->now), val_text(org));

	if (r == 0)
		r = STORE_RUN(s, SQL_DEVICE_BY_CODE, take_code, &c, NULL, e, val_text(g->hex),
			      val_int(g->now));
	if (r < 0)
		return r;
	if (!taken)
		return err_set(e, -ENOENT, "no such code, or its time is over");
	memcpy(g->agent->id, c.agent, sizeof(c.agent));
	r = c.agent[0] ? register_again(s, g, org, e) : register_first(s, g, org, e);
	memcpy(g->access->agent, g->agent->id, sizeof(g->agent->id));
	memcpy(g->refresh->agent, g->agent->id, sizeof(g->agent->id));
	return r < 0 ? r : put_pair(s, "", g->access, g->refresh, e);
}

int store_agent_register(struct store *s, const uint8_t device_hash[STORE_HASH], int64_t now,
			 struct store_agent *a, struct store_token *access,
			 struct store_token *refresh, struct err *e)
{
	struct registration g = { .now = now, .agent = a, .access = access, .refresh = refresh };

	store_hex(device_hash, g.hex);
	return store_transaction(s, register_agent, &g, e);
}

/* --- refreshing and renewing --- */

struct renewal {
	const struct store_token *old;
	int64_t now, until;
	struct store_token *access, *refresh;
	bool renewed;
};

/* First of all, so that two who show the same token come one after the other. */
static int take_refresh(struct store *s, const struct renewal *n, struct err *e)
{
	char hex[2 * STORE_HASH + 1];
	int64_t changes = 0;
	int r;

	store_hex(n->old->hash, hex);
	r = STORE_RUN(s, SQL_TOKEN_TAKE, NULL, NULL, &changes, e, val_text(n->old->org),
		      val_text(hex), val_int(n->now));
	return r < 0 || changes ? r : err_set(e, -EKEYREVOKED, "the token was revoked");
}

static int refresh_work(struct store *s, void *ctx, struct err *e)
{
	const struct renewal *n = ctx;
	int r = take_refresh(s, n, e);

	return r < 0 ? r : store_put_token(s, n->access, n->old->id, e);
}

int store_token_refresh(struct store *s, const struct store_token *old, struct store_token *access,
			int64_t now, struct err *e)
{
	struct renewal n = { .old = old, .now = now, .access = access };

	return store_transaction(s, refresh_work, &n, e);
}

/* A successor that nobody has used goes: its reply was lost. One in use stays the only one. */
static int drop_lost(struct store *s, const struct renewal *n, int64_t *ret_left, struct err *e)
{
	static const enum sql steps[] = { SQL_TOKEN_DROP_UNUSED, SQL_TOKEN_DROP_ORPHANS };
	struct store_value org = val_text(n->old->org), id = val_text(n->old->id);
	struct store_value kind = val_int(STORE_TOKEN_REFRESH), now = val_int(n->now);
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = STORE_RUN(s, steps[i], NULL, NULL, NULL, e, org, id, kind, now);
	return r < 0 ? r
		     : STORE_RUN(s, SQL_TOKEN_SUCCESSORS, row_take_int, ret_left, NULL, e, org, id,
				 kind, now);
}

static int renew_work(struct store *s, void *ctx, struct err *e)
{
	struct renewal *n = ctx;
	int64_t left = 0;
	int r = take_refresh(s, n, e);

	if (r == 0)
		r = STORE_RUN(s, SQL_TOKEN_REVOKE, NULL, NULL, NULL, e, val_text(n->old->org),
			      val_text(n->old->id), val_int(n->until));
	if (r == 0)
		r = drop_lost(s, n, &left, e);
	n->renewed = !left;
	if (r < 0)
		return r;
	return n->renewed ? put_pair(s, n->old->id, n->access, n->refresh, e)
			  : store_put_token(s, n->access, n->old->id, e);
}

int store_token_renew(struct store *s, const struct store_token *old, struct store_token *access,
		      struct store_token *refresh, int64_t now, int64_t until, bool *ret_renewed,
		      struct err *e)
{
	struct renewal n = { old, now, until, access, refresh };
	int r = store_transaction(s, renew_work, &n, e);

	*ret_renewed = r == 0 && n.renewed;
	return r;
}
