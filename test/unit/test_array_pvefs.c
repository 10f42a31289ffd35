/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What is asked of an /etc/pve that hangs is given up with all that it works on, and nobody waits
 * for it twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>

#include "array/apitoken.h"
#include "test_pve_tree.h"
#include "util/clock.h"

/* Hangs until a byte comes; counts who is freed. */
struct job {
	int until;
	int result;
};
static atomic_int dropped, ran;

static int run(void *arg, const struct root *root, struct err *e)
{
	struct job *j = arg;
	char byte;

	atomic_fetch_add(&ran, 1);
	assert_true(root->fd >= 0);
	if (j->until >= 0)
		(void)!read(j->until, &byte, 1);
	return err_set(e, j->result, "as it was told");
}

static void drop(void *arg)
{
	free(arg);
	atomic_fetch_add(&dropped, 1);
}

static int ask(struct pvefs *p, int until, int result, bool *answered, struct err *e)
{
	struct job *j = xcalloc(1, sizeof(*j));
	void *job = j;
	int r;

	*j = (struct job){ until, result };
	*e = (struct err){};
	r = pvefs_run(p, run, drop, &job, 150, e);
	*answered = job != NULL;
	if (job)
		drop(job);
	return r;
}

static void await(atomic_int *what, int n)
{
	for (int i = 0; i < 500 && atomic_load(what) < n; i++)
		(void)usleep(10000);
	assert_int_equal(atomic_load(what), n);
}

static void test_hang(void **state)
{
	struct pvefs *p;
	bool answered;
	struct tree t;
	struct err e;
	int64_t begun;
	int fds[2];

	(void)state;
	tree_make(&t);
	p = pvefs_open(&t.root);
	assert_int_equal(pipe(fds), 0);
	atomic_store(&dropped, 0);
	atomic_store(&ran, 0);
	assert_int_equal(ask(p, -1, -ENOENT, &answered, &e), -ENOENT);
	assert_true(answered);
	assert_string_equal(e.text, "as it was told");
	/* Its own word, however it sounds. */
	assert_int_equal(ask(p, -1, -ETIMEDOUT, &answered, &e), -ETIMEDOUT);
	assert_true(answered);

	assert_int_equal(ask(p, fds[0], 0, &answered, &e), -ETIMEDOUT);
	assert_false(answered);
	assert_non_null(strstr(e.text, "pmxcfs hangs"));
	assert_int_equal(atomic_load(&dropped), 2);
	/* At once, and without another thread that hangs. */
	begun = clock_boot_ms();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ask(p, -1, 0, &answered, &e), -ETIMEDOUT);
		assert_false(answered);
	}
	assert_true(clock_boot_ms() - begun < 100);
	assert_int_equal(atomic_load(&ran), 3);
	assert_int_equal(atomic_load(&dropped), 12);
	/* It is back. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	await(&dropped, 13);
	assert_int_equal(ask(p, -1, 0, &answered, &e), 0);
	assert_true(answered);

	/* What still hangs when nobody is there any more frees itself. */
	assert_int_equal(ask(p, fds[0], 0, &answered, &e), -ETIMEDOUT);
	pvefs_close(p);
	assert_int_equal(write(fds[1], "x", 1), 1);
	await(&dropped, 15);
	(void)close(fds[0]);
	(void)close(fds[1]);
	tree_done(&t);
}

static void check_token(struct apitokens *tokens, struct pvefs *p, const char *storage, int result,
			const char *text)
{
	CLEANUP(buf_wipe) struct buf got = {};

	assert_int_equal(apitokens_read(tokens, p, storage, &got, NULL), result);
	assert_string_equal(buf_str(&got), text);
}

/* What is known stays known while it hangs; what is not, is no guess. */
static void test_tokens(void **state)
{
	struct apitokens *tokens = apitokens_new();
	struct pvefs *p;
	bool answered;
	struct tree t;
	struct err e;
	int fds[2];

	(void)state;
	tree_make(&t);
	tree_write(&t, "etc/pve/priv/storage/pure.purestorage-token", "one\n");
	p = pvefs_open(&t.root);
	assert_int_equal(pipe(fds), 0);
	check_token(tokens, p, "pure", 1, "one");
	check_token(tokens, p, "other", 0, "");
	tree_write(&t, "etc/pve/priv/storage/pure.purestorage-token", "two\n");
	check_token(tokens, p, "pure", 1, "two");
	assert_int_equal(ask(p, fds[0], 0, &answered, &e), -ETIMEDOUT);
	tree_write(&t, "etc/pve/priv/storage/pure.purestorage-token", "three\n");
	check_token(tokens, p, "pure", 1, "two");
	check_token(tokens, p, "other", 0, "");
	check_token(tokens, p, "third", -ETIMEDOUT, "");
	assert_int_equal(write(fds[1], "x", 1), 1);
	for (int i = 0; i < 500; i++) {
		if (ask(p, -1, 0, &answered, &e) == 0)
			break;
		(void)usleep(10000);
	}
	check_token(tokens, p, "pure", 1, "three");
	/* Gone is known, too. */
	tree_remove(&t, "etc/pve/priv/storage/pure.purestorage-token");
	check_token(tokens, p, "pure", 0, "");
	apitokens_free(tokens);
	pvefs_close(p);
	(void)close(fds[0]);
	(void)close(fds[1]);
	tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
