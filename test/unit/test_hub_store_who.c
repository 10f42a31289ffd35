/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "store_fixture.h"

#define NOW 1795269600

static void test_migrate(void **state)
{
	struct fixture *f = *state;
	unsigned int from = 9, to = 0;
	struct err e;

	assert_int_equal(store_migrate(f->s, &from, &to, &e), 0);
	assert_int_equal(from, to);
	assert_true(to > 0);
	assert_int_equal(fixture_script(f, "INSERT INTO schema_version VALUES (9999, 'x')"), 0);
	assert_int_equal(store_migrate(f->s, NULL, NULL, &e), -ENOTUNIQ);
	assert_int_equal(fixture_script(f, "DELETE FROM schema_version WHERE version = 9999"), 0);
}

static void count_token(void *ctx, const struct store_token *t, const char *org_name)
{
	static const uint8_t none[STORE_HASH];

	assert_true(org_name[0]);
	assert_memory_equal(t->hash, none, STORE_HASH);
	++*(int *)ctx;
}

static void test_tokens(void **state)
{
	struct fixture *f = *state;
	char org[STORE_ORG_MAX], other[STORE_ORG_MAX], found[STORE_ORG_MAX];
	struct store_token t = { .hash = { 1, 2, 255 }, .kind = STORE_TOKEN_AGENT, .agent = "a1" };
	struct store_token got;
	int n = 0;

	assert_int_equal(store_org_add(f->s, "acme", org, NULL), 0);
	assert_int_equal(store_org_add(f->s, "acme", other, NULL), -EEXIST);
	assert_int_equal(store_org_add(f->s, "other", other, NULL), 0);
	assert_int_equal(store_org_find(f->s, "acme", found, NULL), 0);
	assert_string_equal(found, org);
	assert_int_equal(store_org_find(f->s, "nobody", found, NULL), -ENOENT);
	(void)snprintf(t.org, sizeof(t.org), "%s", org);
	assert_int_equal(store_token_add(f->s, &t, NULL), 0);
	assert_int_equal(store_token_add(f->s, &t, NULL), -EEXIST);
	assert_int_equal(store_token_find(f->s, other, t.hash, &got, NULL), -ENOENT);
	assert_int_equal(store_token_find(f->s, org, t.hash, &got, NULL), 0);
	assert_memory_equal(got.hash, t.hash, STORE_HASH);
	assert_string_equal(got.agent, "a1");
	assert_int_equal(store_token_each(f->s, NULL, count_token, &n, NULL), 0);
	assert_int_equal(store_token_each(f->s, org, count_token, &n, NULL), 0);
	assert_int_equal(store_token_each(f->s, other, count_token, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_token_revoke(f->s, other, t.id, NOW, NULL), -ENOENT);
	assert_int_equal(store_token_revoke(f->s, org, t.id, NOW, NULL), 0);
	assert_int_equal(store_token_find(f->s, org, t.hash, &got, NULL), 0);
	assert_int_equal(got.revoked_at, NOW);
}

static int64_t revoked_at(struct fixture *f, const struct store_token *t)
{
	struct store_token got;

	assert_int_equal(store_token_find(f->s, t->org, t->hash, &got, NULL), 0);
	return got.revoked_at;
}

static void test_users(void **state)
{
	struct fixture *f = *state;
	struct store_user u = { .org = "o1", .name = "ann", .password = "$y$x", .created_at = NOW };
	struct store_user old = u, got;
	struct store_token hers = { .org = "o1", .hash = { 1 }, .user = "ann" };
	struct store_token his = { .org = "o1", .hash = { 2 }, .user = "bob" };
	struct store_token elsewhere = { .org = "o2", .hash = { 3 }, .user = "ann" };
	struct store_token agents = { .org = "o1", .hash = { 4 }, .kind = STORE_TOKEN_REFRESH };
	struct store_token next = { .org = "o1", .hash = { 5 }, .user = "ann" };

	hers.kind = his.kind = elsewhere.kind = next.kind = STORE_TOKEN_SESSION;
	assert_int_equal(store_user_put(f->s, &u, true, NULL), 0);
	assert_int_equal(store_user_put(f->s, &u, true, NULL), -EEXIST);
	assert_int_equal(store_session_add(f->s, &u, &hers, NULL), 0);
	assert_int_equal(store_token_add(f->s, &his, NULL), 0);
	assert_int_equal(store_token_add(f->s, &elsewhere, NULL), 0);
	assert_int_equal(store_token_add(f->s, &agents, NULL), 0);
	(void)snprintf(u.password, sizeof(u.password), "$y$y");
	u.created_at = NOW + 5;
	assert_int_equal(store_user_put(f->s, &u, false, NULL), 0);
	assert_int_equal(store_user_find(f->s, "o1", "ann", &got, NULL), 0);
	assert_string_equal(got.password, "$y$y");
	assert_int_equal(store_user_find(f->s, "o2", "ann", &got, NULL), -ENOENT);
	assert_int_equal(revoked_at(f, &hers), NOW + 5);
	/* The old password was right a moment ago. */
	assert_int_equal(store_session_add(f->s, &old, &next, NULL), -ENOENT);
	assert_int_equal(store_session_add(f->s, &u, &next, NULL), 0);
	assert_int_equal(store_user_remove(f->s, "o2", "ann", NOW + 6, NULL), -ENOENT);
	assert_int_equal(revoked_at(f, &next), 0);
	assert_int_equal(store_user_remove(f->s, "o1", "ann", NOW + 6, NULL), 0);
	assert_int_equal(store_user_find(f->s, "o1", "ann", &got, NULL), -ENOENT);
	assert_int_equal(revoked_at(f, &next), NOW + 6);
	assert_int_equal(revoked_at(f, &his), 0);
	assert_int_equal(revoked_at(f, &elsewhere), 0);
	assert_int_equal(revoked_at(f, &agents), 0);
}

/* --- codes and what they lead to --- */

static struct store_device wait_with(struct fixture *f, uint8_t n, const char *network)
{
	struct store_device d = { .device_hash = { n, 7 },
				  .user_hash = { n, 8 },
				  .expires_at = NOW + 600,
				  .from = "10.0.0.1" };

	(void)snprintf(d.network, sizeof(d.network), "%s", network);
	assert_int_equal(store_device_add(f->s, &d, NOW, NULL), 0);
	return d;
}

struct pair {
	struct store_agent agent;
	struct store_token access, refresh;
};

static struct pair fresh_pair(const char *org, uint8_t n)
{
	struct pair p = { .agent = { .hostname = "pve1", .created_at = NOW },
			  .access = { .hash = { n, 1 }, .kind = STORE_TOKEN_ACCESS },
			  .refresh = { .hash = { n, 2 }, .kind = STORE_TOKEN_REFRESH } };

	(void)snprintf(p.access.org, sizeof(p.access.org), "%s", org);
	(void)snprintf(p.refresh.org, sizeof(p.refresh.org), "%s", org);
	return p;
}

static int enlist(struct fixture *f, const struct store_device *d, int64_t now, struct pair *p)
{
	return store_agent_register(f->s, d->device_hash, now, &p->agent, &p->access, &p->refresh,
				    NULL);
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	struct store_device d = wait_with(f, 0, "10.0.0.1"), got;
	struct pair one = fresh_pair("o1", 1), two = fresh_pair("o1", 2);
	struct pair three = fresh_pair("o1", 3), other = fresh_pair("o2", 4);
	struct store_use use = { .org = "o1", .at = NOW + 1 };
	char org[STORE_ORG_MAX];

	assert_int_equal(store_device_org(f->s, d.device_hash, NOW, org, NULL), -EAGAIN);
	assert_int_equal(enlist(f, &d, NOW, &one), -ENOENT);
	assert_int_equal(store_device_by_user_code(f->s, d.user_hash, NOW, &got, NULL), 0);
	assert_string_equal(got.from, "10.0.0.1");
	assert_int_equal(store_device_approve(f->s, d.user_hash, "o1", "ann", NOW, NULL), 0);
	assert_int_equal(store_device_approve(f->s, d.user_hash, "o2", "eve", NOW, NULL), -ENOENT);
	assert_int_equal(store_device_org(f->s, d.device_hash, NOW + 600, org, NULL), -ENOENT);
	assert_int_equal(store_device_org(f->s, d.device_hash, NOW, org, NULL), 0);
	assert_string_equal(org, "o1");
	assert_int_equal(enlist(f, &d, NOW, &other), -ENOENT);
	assert_int_equal(enlist(f, &d, NOW, &one), 0);
	assert_int_equal(enlist(f, &d, NOW + 1, &two), 0);
	assert_string_equal(two.agent.id, one.agent.id);
	assert_string_equal(two.access.agent, one.agent.id);
	assert_int_equal(revoked_at(f, &one.access), NOW + 1);
	assert_int_equal(revoked_at(f, &one.refresh), NOW + 1);
	assert_int_equal(revoked_at(f, &two.refresh), 0);
	assert_int_equal(enlist(f, &d, NOW + 600, &three), -ENOENT);
	/* All or nothing: this hash is there already. */
	assert_int_equal(enlist(f, &d, NOW + 2, &two), -EEXIST);
	assert_int_equal(revoked_at(f, &two.refresh), 0);
	memcpy(use.hash, two.access.hash, sizeof(use.hash));
	assert_int_equal(store_token_used(f->s, &use, 1, 3600, NULL), 0);
	assert_int_equal(enlist(f, &d, NOW + 2, &three), -ENOENT);
	assert_int_equal(revoked_at(f, &two.refresh), 0);
}

static void test_removed_approver(void **state)
{
	struct fixture *f = *state;
	struct store_device d = wait_with(f, 0, "");
	struct store_user u = { .org = "o1", .name = "ann", .password = "x", .created_at = NOW };
	char org[STORE_ORG_MAX];

	assert_int_equal(store_user_put(f->s, &u, true, NULL), 0);
	assert_int_equal(store_device_approve(f->s, d.user_hash, "o1", "ann", NOW, NULL), 0);
	assert_int_equal(store_user_remove(f->s, "o1", "ann", NOW, NULL), 0);
	assert_int_equal(store_device_org(f->s, d.device_hash, NOW, org, NULL), -ENOENT);
}

static void test_waiting(void **state)
{
	struct fixture *f = *state;
	struct store_device d = { .device_hash = { 99 },
				  .user_hash = { 99 },
				  .network = "10.0.0.1" };
	struct err e = {};

	for (uint8_t i = 0; i < 20; i++)
		(void)wait_with(f, i, "10.0.0.1");
	d.expires_at = NOW + 600;
	assert_int_equal(store_device_add(f->s, &d, NOW, &e), -EAGAIN);
	assert_non_null(strstr(e.text, "20 registrations"));
	(void)snprintf(d.network, sizeof(d.network), "10.0.0.2");
	assert_int_equal(store_device_add(f->s, &d, NOW, NULL), 0);
	d = (struct store_device){ { 98 }, { 98 }, NOW + 1200, .network = "10.0.0.1" };
	assert_int_equal(store_device_add(f->s, &d, NOW + 600, NULL), 0);
}

static void test_many_waiting(void **state)
{
	struct fixture *f = *state;
	struct store_device d = { .device_hash = { 99 }, .user_hash = { 99 } };

	assert_int_equal(
		fixture_script(f, "INSERT INTO devices (device_hash, user_hash, expires_at, org, "
				  "person, used, peer) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
				  "SELECT i + 1 FROM n WHERE i < 10000) SELECT CAST(i AS TEXT), "
				  "CAST(i AS TEXT), 1795269700, '', '', 0, '' FROM n"),
		0);
	d.expires_at = NOW + 600;
	assert_int_equal(store_device_add(f->s, &d, NOW, NULL), -EAGAIN);
	assert_int_equal(store_device_add(f->s, &d, NOW + 100, NULL), 0);
}

/* --- renewing --- */

static int renew(struct fixture *f, const struct pair *old, int64_t now, struct pair *p, bool *did)
{
	return store_token_renew(f->s, &old->refresh, &p->access, &p->refresh, now, now + 100, did,
				 NULL);
}

static void test_renewing(void **state)
{
	struct fixture *f = *state;
	struct pair old = fresh_pair("o1", 1), lost = fresh_pair("o1", 2),
		    got = fresh_pair("o1", 3);
	struct pair more = fresh_pair("o1", 4), late = fresh_pair("o1", 5);
	struct store_token access = fresh_pair("o1", 6).access;
	bool did = false;

	assert_int_equal(store_token_add(f->s, &old.refresh, NULL), 0);
	assert_int_equal(renew(f, &old, NOW, &lost, &did), 0);
	assert_true(did);
	assert_int_equal(revoked_at(f, &old.refresh), NOW + 100);
	assert_int_equal(renew(f, &old, NOW + 10, &got, &did), 0);
	assert_true(did);
	assert_int_equal(revoked_at(f, &old.refresh), NOW + 100);
	assert_int_equal(revoked_at(f, &lost.refresh), NOW + 10);
	assert_int_equal(revoked_at(f, &lost.access), NOW + 10);
	assert_int_equal(store_token_refresh(f->s, &lost.refresh, &access, NOW + 20, NULL),
			 -EKEYREVOKED);
	assert_int_equal(store_token_refresh(f->s, &got.refresh, &access, NOW + 20, NULL), 0);
	assert_int_equal(renew(f, &old, NOW + 30, &more, &did), 0);
	assert_false(did);
	assert_int_equal(revoked_at(f, &got.refresh), 0);
	assert_int_equal(revoked_at(f, &more.access), 0);
	assert_int_equal(renew(f, &old, NOW + 100, &late, &did), -EKEYREVOKED);
	assert_false(did);
	assert_int_equal(renew(f, &got, NOW + 100, &late, &did), 0);
	assert_true(did);
}

static int is_there(void *ctx, const struct store_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return 0;
}

static bool is_agent(struct fixture *f, const struct store_agent *a)
{
	const struct store_value id = val_text(a->id);
	bool found = false;

	assert_int_equal(f->s->ops->query(f->s, "SELECT 1 FROM agents WHERE id = $1", &id, 1,
					  is_there, &found, NULL),
			 0);
	return found;
}

/* Those who never sent anything and cannot any more. */
static void test_agents_go(void **state)
{
	struct fixture *f = *state;
	struct store_agent gone = { .created_at = NOW }, heard = gone, alive = gone, young = gone;
	struct store_agent ended = gone;
	struct store_token t = { .org = "o1", .hash = { 1 }, .kind = STORE_TOKEN_REFRESH };
	int64_t now = NOW + STORE_MEMORY_S + 1;
	char id[STORE_ID_MAX];
	bool more = true;

	young.created_at = now - 5;
	assert_int_equal(store_agent_add(f->s, "o1", &gone, NULL), 0);
	assert_int_equal(store_agent_add(f->s, "o1", &heard, NULL), 0);
	assert_int_equal(store_agent_add(f->s, "o1", &alive, NULL), 0);
	assert_int_equal(store_agent_add(f->s, "o1", &young, NULL), 0);
	assert_int_equal(store_agent_add(f->s, "o1", &ended, NULL), 0);
	memcpy(t.agent, alive.id, sizeof(t.agent));
	assert_int_equal(store_token_add(f->s, &t, NULL), 0);
	t.hash[0] = 2;
	t.expires_at = now - 10;
	memcpy(t.agent, ended.id, sizeof(t.agent));
	assert_int_equal(store_token_add(f->s, &t, NULL), 0);
	assert_int_equal(store_object(f->s, STORE_NODE, "o1", heard.id,
				      SLICE("{\"node\":{\"name\":\"pve1\"}}"), NOW, id, NULL),
			 0);
	while (more)
		assert_int_equal(store_retain(f->s, now, &more, NULL), 0);
	assert_false(is_agent(f, &gone));
	assert_false(is_agent(f, &ended));
	assert_true(is_agent(f, &heard));
	assert_true(is_agent(f, &alive));
	assert_true(is_agent(f, &young));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_migrate),
		FIXTURE_TEST(test_tokens),
		FIXTURE_TEST(test_users),
		FIXTURE_TEST(test_devices),
		FIXTURE_TEST(test_removed_approver),
		FIXTURE_TEST(test_waiting),
		FIXTURE_TEST(test_many_waiting),
		FIXTURE_TEST(test_renewing),
		FIXTURE_TEST(test_agents_go),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
