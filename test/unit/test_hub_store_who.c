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

static void test_users(void **state)
{
	struct fixture *f = *state;
	struct store_user u = { .org = "o1", .name = "ann", .password = "$y$x", .created_at = NOW };
	struct store_user got;

	assert_int_equal(store_user_put(f->s, &u, true, NULL), 0);
	assert_int_equal(store_user_put(f->s, &u, true, NULL), -EEXIST);
	(void)snprintf(u.password, sizeof(u.password), "$y$y");
	assert_int_equal(store_user_put(f->s, &u, false, NULL), 0);
	assert_int_equal(store_user_find(f->s, "o1", "ann", &got, NULL), 0);
	assert_string_equal(got.password, "$y$y");
	assert_int_equal(store_user_find(f->s, "o2", "ann", &got, NULL), -ENOENT);
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	struct store_device d = { .device_hash = { 7 },
				  .user_hash = { 8 },
				  .expires_at = NOW + 600,
				  .from = "10.0.0.1" },
			    got;
	char org[STORE_ORG_MAX];

	assert_int_equal(store_device_add(f->s, &d, NOW, NULL), 0);
	assert_int_equal(store_device_take(f->s, d.device_hash, NOW, org, NULL), -EAGAIN);
	assert_int_equal(store_device_by_user_code(f->s, d.user_hash, NOW, &got, NULL), 0);
	assert_string_equal(got.from, "10.0.0.1");
	assert_int_equal(store_device_approve(f->s, d.user_hash, "o1", "ann", NOW, NULL), 0);
	assert_int_equal(store_device_approve(f->s, d.user_hash, "o2", "eve", NOW, NULL), -ENOENT);
	assert_int_equal(store_device_take(f->s, d.device_hash, NOW + 600, org, NULL), -ENOENT);
	assert_int_equal(store_device_take(f->s, d.device_hash, NOW, org, NULL), 0);
	assert_string_equal(org, "o1");
	assert_int_equal(store_device_take(f->s, d.device_hash, NOW, org, NULL), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_migrate),
		FIXTURE_TEST(test_tokens),
		FIXTURE_TEST(test_users),
		FIXTURE_TEST(test_devices),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
