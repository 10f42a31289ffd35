/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "test_pve_tree.h"

#define PLACE "etc/pve/priv/storage/pure.purestorage-token"

static const struct array_conf conf = {
	.storage = "pure",
	.addresses = { { "https://fa1", "11111111-aaaa" }, { "https://fa2", "22222222-bbbb" } },
	.n_addresses = 2,
};

static void tokens_are_kept_and_removed(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;
	struct stat st;
	struct err e;

	(void)state;
	tree_make(&t);
	assert_int_equal(secret_read(&t.root, "pure", &text, &e), 0);
	assert_int_equal(secret_write(&t.root, &conf, &e), 0);
	assert_int_equal(root_lstat(&t.root, PLACE, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(secret_read(&t.root, "pure", &text, &e), 1);
	assert_string_equal(text.data, "11111111-aaaa,22222222-bbbb");
	assert_int_equal(secret_remove(&t.root, "pure", &e), 0);
	assert_int_equal(root_lstat(&t.root, PLACE, &st), -ENOENT);
	assert_int_equal(secret_remove(&t.root, "pure", &e), 0);
	tree_done(&t);
}

/* What a crash between writing and renaming leaves is no token and in nobody's way. */
static void an_old_token_is_replaced_whole(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;
	struct err e;

	(void)state;
	tree_make(&t);
	tree_write(&t, PLACE, "an older and longer token than the one that follows now\n");
	tree_write(&t, PLACE ".tmp", "half of a tok");
	assert_int_equal(secret_write(&t.root, &conf, &e), 0);
	assert_int_equal(secret_read(&t.root, "pure", &text, &e), 1);
	assert_string_equal(text.data, "11111111-aaaa,22222222-bbbb");
	tree_done(&t);
}

static void a_folder_that_cannot_be_written_is_said(void **state)
{
	struct tree t;
	struct err e = {};

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/pve/priv/storage", "a file where the folder should be");
	assert_int_not_equal(secret_write(&t.root, &conf, &e), 0);
	assert_non_null(strstr(e.text, "pure.purestorage-token"));
	assert_null(strstr(e.text, "11111111"));
	tree_done(&t);
}

static void sessions_go_with_the_storage(void **state)
{
	char run[128];
	struct tree t;
	struct stat st;
	struct err e;

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/pve/priv/purestorage/pure_array0.json", "{}");
	tree_write(&t, "etc/pve/priv/purestorage/pure_array1.json", "{}");
	tree_write(&t, "etc/pve/priv/purestorage/pure2_array0.json", "{}");
	tree_write(&t, "run/token/pure_array1.json", "{}");
	(void)snprintf(run, sizeof(run), "%s/run", t.path);
	assert_int_equal(secret_remove_sessions(&t.root, run, "pure", &e), 0);
	assert_int_equal(root_lstat(&t.root, "etc/pve/priv/purestorage/pure_array0.json", &st),
			 -ENOENT);
	assert_int_equal(root_lstat(&t.root, "etc/pve/priv/purestorage/pure_array1.json", &st),
			 -ENOENT);
	assert_int_equal(root_lstat(&t.root, "run/token/pure_array1.json", &st), -ENOENT);
	assert_int_equal(root_lstat(&t.root, "etc/pve/priv/purestorage/pure2_array0.json", &st), 0);
	assert_int_equal(secret_remove_sessions(&t.root, run, "pure", &e), 0);
	tree_done(&t);
}

static void an_id_that_is_a_path_is_refused(void **state)
{
	static const char *const bad[] = { "", "../../shadow", "a/b", ".", ".." };
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;
	struct err e;

	(void)state;
	tree_make(&t);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct array_conf c = conf;

		c.storage = bad[i];
		assert_int_equal(secret_write(&t.root, &c, &e), -EINVAL);
		assert_int_equal(secret_read(&t.root, bad[i], &text, &e), -EINVAL);
		assert_int_equal(secret_remove(&t.root, bad[i], &e), -EINVAL);
		assert_int_equal(secret_remove_sessions(&t.root, t.path, bad[i], &e), -EINVAL);
	}
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_kept_and_removed),
		cmocka_unit_test(an_old_token_is_replaced_whole),
		cmocka_unit_test(a_folder_that_cannot_be_written_is_said),
		cmocka_unit_test(sessions_go_with_the_storage),
		cmocka_unit_test(an_id_that_is_a_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
