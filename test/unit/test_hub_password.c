/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Passwords, digests, and codes as people type them. */

#include "auth_stage.h"

#include "hub/password.h"

static void codes_as_typed(void **state)
{
	static const char *const good[] = { "ABCD2345", "abcd2345", "abcd-2345", " AB CD 23 45 " };
	static const char *const bad[] = { "",	       "ABCD234",   "ABCD23456",      "ABCD234O",
					   "ABCD2341", "ABCD_2345", "ABCD234\xc3\xa4" };
	char code[AUTH_CODE_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_true(auth_read_code(good[i], code));
		assert_string_equal(code, "ABCD2345");
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(auth_read_code(bad[i], code));
}

static void passwords(void **state)
{
	char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX], long_one[PASSWORD_MAX + 1];
	struct err e = {};

	(void)state;
	assert_int_equal(password_hash(SLICE(PASSWORD), hash, &e), 0);
	assert_int_equal(password_hash(SLICE(PASSWORD), again, &e), 0);
	assert_int_equal(strncmp(hash, "$y$", 3), 0);
	assert_string_not_equal(hash, again);
	assert_true(password_matches(SLICE(PASSWORD), hash));
	assert_true(password_matches(SLICE(PASSWORD), again));
	assert_false(password_matches(SLICE(PASSWORD "x"), hash));
	assert_false(password_matches(SLICE(""), hash));
	assert_false(password_matches(SLICE(PASSWORD "\0x"), hash));
	assert_false(password_matches(SLICE(PASSWORD), NULL));
	assert_false(password_matches(SLICE("-"), NULL));
	assert_int_equal(password_hash(SLICE("short"), hash, &e), -EINVAL);
	assert_int_equal(password_hash(SLICE("two lines\nof it"), hash, &e), -EINVAL);
	memset(long_one, 'x', sizeof(long_one));
	assert_int_equal(password_hash((struct slice){ long_one, sizeof(long_one) }, hash, &e),
			 -EINVAL);
	assert_false(password_matches((struct slice){ long_one, sizeof(long_one) }, hash));
}

static void digests(void **state)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	char secret[DIGEST_SECRET_MAX], other[DIGEST_SECRET_MAX];
	uint8_t hash[DIGEST_BYTES];

	(void)state;
	digest_sha256(SLICE("abc"), hash);
	assert_memory_equal(hash, abc, sizeof(abc));
	digest_derive("a", SLICE("b"), secret);
	/* printf 'a\0b' | openssl dgst -sha256 -binary | basenc --base64url */
	assert_string_equal(secret, "WbJxrhu8sdMdQZKYF_Sxb7Q5608xUgta0dXOmJIKcTg");
	digest_secret(secret);
	digest_secret(other);
	assert_int_equal(strlen(secret), 43);
	assert_string_not_equal(secret, other);
	assert_true(digest_equal_text("abc", "abc"));
	assert_false(digest_equal_text("abc", "abd"));
	assert_false(digest_equal_text("abc", "ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_as_typed),
		cmocka_unit_test(passwords),
		cmocka_unit_test(digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
