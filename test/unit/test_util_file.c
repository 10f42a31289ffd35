/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Files, and programs that may not come back. */

#include <sys/wait.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_pve_tree.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/proc.h"
#include "util/str.h"

static int open_tree(const struct tree *t)
{
	int fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void reads_whole_files(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP_FREE char *large = xmalloc(300000);
	struct tree t;
	int dir;

	(void)state;
	tree_make(&t);
	dir = open_tree(&t);
	memset(large, 'x', 300000);
	tree_write_n(&t, "large", large, 300000);
	tree_write(&t, "empty", "");
	tree_link(&t, "link", "empty");
	assert_int_equal(file_read_at(dir, "large", 300000, &text), 0);
	assert_int_equal(text.len, 300000);
	assert_int_equal(text.data[300000], 0);
	assert_int_equal(file_read_at(dir, "large", 299999, &text), -EFBIG);
	assert_int_equal(text.len, 299999);
	assert_int_equal(file_read_at(dir, "empty", 10, &text), 0);
	assert_int_equal(text.len, 0);
	assert_int_equal(file_read_at(dir, "empty", 0, &text), 0);
	assert_int_equal(file_read_at(dir, "large", 0, &text), -EFBIG);
	assert_int_equal(file_read_at(dir, "link", 10, &text), -ELOOP);
	assert_int_equal(file_read_at(dir, "none", 10, &text), -ENOENT);
	assert_int_equal(file_read_at(dir, ".", 10, &text), -EISDIR);
	/* Its size claims 0. */
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/stat", 4096, &text), 0);
	assert_true(text.len > 0);
	(void)close(dir);
	tree_done(&t);
}

static void a_fifo_is_not_waited_for(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tree t;
	int dir;

	(void)state;
	tree_make(&t);
	dir = open_tree(&t);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(file_read_at(dir, "fifo", 10, &text), 0);
	assert_int_equal(text.len, 0);
	(void)close(dir);
	tree_done(&t);
}

static void writes_whole_or_not_at_all(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct stat st;
	struct tree t;
	int dir;

	(void)state;
	tree_make(&t);
	dir = open_tree(&t);
	tree_write(&t, "a/file", "old");
	tree_link(&t, "a/link", "file");
	assert_int_equal(file_write_atomic(dir, "a/file", SLICE("new\0text"), 0640), 0);
	assert_int_equal(file_read_at(dir, "a/file", 100, &text), 0);
	assert_int_equal(text.len, 8);
	assert_int_equal(fstatat(dir, "a/file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* The link itself is replaced, not what it leads to. */
	assert_int_equal(file_write_atomic(dir, "a/link", SLICE("other"), 0600), 0);
	assert_int_equal(fstatat(dir, "a/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(file_write_atomic(dir, "none/file", SLICE("x"), 0600), -ENOENT);
	(void)close(dir);
	tree_done(&t);
}

static void makes_folders(void **state)
{
	struct stat st;
	struct tree t;
	int dir;

	(void)state;
	tree_make(&t);
	dir = open_tree(&t);
	assert_int_equal(file_mkdirs(dir, "a/b/c", 0700), 0);
	assert_int_equal(file_mkdirs(dir, "a/b/c/d/", 0700), 0);
	assert_int_equal(file_mkdirs(dir, "", 0700), 0);
	assert_int_equal(fstatat(dir, "a/b/c/d", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	tree_write(&t, "a/file", "");
	assert_int_equal(file_mkdirs(dir, "a/file/x", 0700), -ENOTDIR);
	(void)close(dir);
	tree_done(&t);
}

static int sh(const char *script, int deadline_ms, size_t max, struct proc_result *ret,
	      struct err *e)
{
	static const char *const env[] = { "OURS=yes", NULL };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	return proc_run(argv, env, deadline_ms, max, ret, e);
}

static void runs_programs(void **state)
{
	struct proc_result p;

	(void)state;
	assert_int_equal(sh("printf 'a\\0b'; printf err >&2; exit 5", 10000, 100, &p, NULL), 0);
	assert_int_equal(p.status, 5);
	assert_int_equal(p.out.len, 3);
	assert_string_equal(p.err.data, "err");
	assert_int_equal(p.pid, 0);
	proc_result_done(&p);

	assert_int_equal(sh("kill -TERM $$", 10000, 100, &p, NULL), 0);
	assert_int_equal(p.status, 128 + 15);
	proc_result_done(&p);
}

/* Nothing of ours but what was asked for: variables, stdin, descriptors. */
static void programs_get_nothing_else(void **state)
{
	struct proc_result p;
	int fd = open("/dev/null", O_RDONLY); /* deliberately without O_CLOEXEC */

	(void)state;
	(void)setenv("LEAK", "yes", 1);
	assert_true(fd >= 0);
	assert_int_equal(sh("echo $OURS$LEAK$LC_ALL; cat; [ -e /proc/self/fd/9 ] || echo closed",
			    10000, 1000, &p, NULL),
			 0);
	assert_non_null(strstr(p.out.data, "yesC\n"));
	assert_null(strstr(p.out.data, "yesyes"));
	assert_non_null(strstr(p.out.data, "closed"));
	proc_result_done(&p);
	(void)close(fd);
}

static void a_program_that_hangs(void **state)
{
	int64_t before = clock_boot_ms();
	struct err e = {};
	struct proc_result p;

	(void)state;
	assert_int_equal(sh("echo begun; exec sleep 60", 200, 100, &p, &e), -ETIMEDOUT);
	assert_true(clock_boot_ms() - before < 20000);
	/* It could be killed; a busy machine may take longer over that than is waited for. */
	if (p.pid)
		assert_int_equal(waitpid(p.pid, NULL, 0), p.pid);
	assert_non_null(strstr(e.text, "did not answer"));
	proc_result_done(&p);
	/* It closed its output and still does not end. */
	assert_int_equal(sh("exec >&- 2>&-; exec sleep 60", 200, 100, &p, &e), -ETIMEDOUT);
	proc_result_done(&p);
}

static void a_program_that_writes_too_much(void **state)
{
	struct err e = {};
	struct proc_result p;

	(void)state;
	assert_int_equal(sh("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done", 10000, 1000, &p, &e),
			 -EFBIG);
	assert_int_equal(p.out.len, 1000);
	proc_result_done(&p);
	assert_int_equal(sh("printf 0123456789", 10000, 10, &p, &e), 0);
	assert_int_equal(p.out.len, 10);
	proc_result_done(&p);
}

static void a_program_that_is_not_there(void **state)
{
	const char *const argv[] = { "/no/such/program", NULL };
	struct err e = {};
	struct proc_result p;

	(void)state;
	assert_int_equal(proc_run(argv, NULL, 1000, 100, &p, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/no/such/program"));
	proc_result_done(&p);
}

static void start_ticks(void **state)
{
	(void)state;
	assert_true(proc_start_ticks(getpid()) > 0);
	assert_true(proc_start_ticks(getpid()) == proc_start_ticks(getpid()));
	assert_int_equal(proc_start_ticks(0x3fffffff), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_whole_files),
		cmocka_unit_test(a_fifo_is_not_waited_for),
		cmocka_unit_test(writes_whole_or_not_at_all),
		cmocka_unit_test(makes_folders),
		cmocka_unit_test(runs_programs),
		cmocka_unit_test(programs_get_nothing_else),
		cmocka_unit_test(a_program_that_hangs),
		cmocka_unit_test(a_program_that_writes_too_much),
		cmocka_unit_test(a_program_that_is_not_there),
		cmocka_unit_test(start_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
