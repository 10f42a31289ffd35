/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The undo journal's files: what was promised to be on disk is there, also when the disk is full,
 * and nothing else than a run's own file is read, written or pruned. */

#include "dm/undo.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "test_pve_tree.h"
#include "undo_journal.h"

#define DIR DM_UNDO_DIR "/"

static const struct node node = { .name = "pve1" };

static mode_t mode_of(const struct tree *t, const char *path)
{
	struct stat st;

	assert_int_equal(root_stat(&t->root, path, &st), 0);
	return st.st_mode & 07777;
}

static const char *path_of(const char *id)
{
	static char path[200];

	(void)snprintf(path, sizeof(path), DIR "%s.jsonl", id);
	return path;
}

static void make(struct tree *t, struct dm_undo_writer *w)
{
	struct err e = {};

	tree_make(t);
	tree_write(t, "proc/sys/kernel/random/boot_id", "b1\n");
	if (dm_undo_create(w, &t->root, &node, &e) < 0)
		fail_msg("%s", e.text);
}

static void read_back(struct dm_undo_run *run, const struct tree *t, const char *id)
{
	struct err e = {};

	if (dm_undo_read(run, &t->root, id, &e) < 0)
		fail_msg("%s", e.text);
}

static void a_run(void **state)
{
	struct dm_undo_entry one = full_entry, two = full_entry;
	struct dm_undo_ids ids;
	struct dm_undo_writer w;
	struct dm_undo_run run;
	struct tree t;

	(void)state;
	(void)umask(0);
	make(&t, &w);
	assert_int_equal(mode_of(&t, "var/lib/pvewarden/dm/undo"), 0700);
	assert_int_equal(mode_of(&t, path_of(w.id)), 0600);
	assert_true(strlen(w.id) > strlen("20261121T040404Z-"));
	read_back(&run, &t, w.id);
	assert_string_equal(run.node, "pve1");
	assert_string_equal(run.boot_id, "b1");
	assert_int_equal(run.n, 0);
	dm_undo_done(&run);

	assert_int_equal(dm_undo_intend(&w, &one, NULL), 0);
	assert_int_equal(dm_undo_intend(&w, &two, NULL), 0);
	assert_int_equal(one.n, 1);
	assert_int_equal(two.n, 2);
	assert_int_equal(dm_undo_mark(&w, 2, DM_UNDO_DONE, NULL, NULL), 0);
	dm_undo_close(&w);
	assert_int_equal(w.fd, -1);
	read_back(&run, &t, w.id);
	assert_int_equal(run.n, 2);
	assert_int_equal(run.items[0].state, DM_UNDO_INTENDED);
	assert_int_equal(run.items[1].state, DM_UNDO_DONE);
	assert_same_dev(&run.items[1].dev, &full_entry.dev);
	dm_undo_done(&run);

	assert_int_equal(dm_undo_list(&ids, &t.root, NULL), 0);
	assert_int_equal(ids.n, 1);
	assert_string_equal(ids.items[0], w.id);
	dm_undo_ids_done(&ids);
	tree_done(&t);
}

static void two_runs_in_a_second(void **state)
{
	struct dm_undo_writer w, again;
	struct err e = {};
	struct tree t;

	(void)state;
	make(&t, &w);
	/* The same process in the same second: refused, never two runs in one file. */
	if (dm_undo_create(&again, &t.root, &node, &e) < 0)
		assert_non_null(strstr(e.text, "exists"));
	else
		assert_string_not_equal(again.id, w.id);
	dm_undo_close(&w);
	dm_undo_close(&again);
	tree_done(&t);
}

static void goes_on(void **state)
{
	static const struct {
		const char *text;
		size_t torn;
	} cases[] = {
		{ HEADER INTENT("1") MARK("done", "1"), 0 },
		{ HEADER INTENT("1") "{\"record\": \"do", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dm_undo_writer w;
		struct dm_undo_run run;
		struct tree t;

		tree_make(&t);
		tree_write(&t, path_of(ID), cases[i].text);
		assert_int_equal(dm_undo_append(&w, &t.root, ID, NULL), 0);
		assert_string_equal(w.id, ID);
		assert_int_equal(dm_undo_mark(&w, 1, DM_UNDO_RESTORED, NULL, NULL), 0);
		dm_undo_close(&w);
		read_back(&run, &t, ID);
		assert_int_equal(run.n, 1);
		assert_int_equal(run.torn, cases[i].torn);
		assert_int_equal(run.items[0].state, DM_UNDO_RESTORED);
		dm_undo_done(&run);
		tree_done(&t);
	}
}

/* Each of these would be a readable file if the id were believed. */
static void ids(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"../1",
		"../../1",
		"/1",
		"1/2",
		"1.",
		"1.jsonl",
		"x",
		"1\n",
		"1 ",
		"1234567890123456789012345678901234567890123456789012345678901234",
	};
	static const char longest[] =
		"123456789012345678901234567890123456789012345678901234567890123";
	struct dm_undo_run run;
	struct dm_undo_writer w;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, DIR "1/2.jsonl", HEADER);
	tree_write(&t, path_of(longest), HEADER);
	tree_write(&t, path_of("../1"), HEADER);
	tree_write(&t, path_of("../../1"), HEADER);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = {};

		if (bad[i][0] && bad[i][0] != '.' && !strchr(bad[i], '/'))
			tree_write(&t, path_of(bad[i]), HEADER);
		assert_int_equal(dm_undo_read(&run, &t.root, bad[i], &e), -ENOENT);
		assert_non_null(strstr(e.text, "there is no run"));
		assert_int_equal(dm_undo_append(&w, &t.root, bad[i], &e), -ENOENT);
		assert_int_equal(w.fd, -1);
	}
	assert_int_equal(dm_undo_read(&run, &t.root, "20260101T000000Z-1", NULL), -ENOENT);
	read_back(&run, &t, longest);
	dm_undo_done(&run);
	tree_done(&t);
}

/* Files of other names are not ours: not listed, and never pruned. */
static void list_and_prune(void **state)
{
	struct dm_undo_writer w;
	struct dm_undo_ids found;
	struct tree t;
	char id[64];

	(void)state;
	tree_make(&t);
	assert_int_equal(dm_undo_list(&found, &t.root, NULL), 0);
	assert_int_equal(found.n, 0);
	for (unsigned int i = 0; i < DM_UNDO_KEEP + 5; i++) {
		(void)snprintf(id, sizeof(id), "20250101T%06uZ-1", i);
		tree_write(&t, path_of(id), HEADER);
	}
	tree_write(&t, DIR "00-read-me-first.jsonl", HEADER);
	tree_write(&t, DIR "note.txt", "");
	tree_write(&t, DIR ".jsonl", "");
	tree_write(&t, DIR "2025\x1b[31m.jsonl", "");
	assert_int_equal(dm_undo_create(&w, &t.root, &node, NULL), 0);
	dm_undo_close(&w);
	assert_int_equal(dm_undo_list(&found, &t.root, NULL), 0);
	assert_int_equal(found.n, DM_UNDO_KEEP + 1);
	assert_string_equal(found.items[0], "20250101T000005Z-1");
	assert_string_equal(found.items[found.n - 1], w.id);
	dm_undo_ids_done(&found);
	assert_int_equal(mode_of(&t, DIR "00-read-me-first.jsonl"), 0644);
	assert_int_equal(mode_of(&t, DIR "note.txt"), 0644);
	tree_done(&t);
}

/* A link in place of a journal is not followed by what writes. */
static void no_links(void **state)
{
	struct dm_undo_writer w;
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "target", HEADER);
	tree_link(&t, path_of(ID), "../../../../../target");
	assert_int_equal(dm_undo_append(&w, &t.root, ID, NULL), -ELOOP);
	tree_done(&t);
}

static void no_folder(void **state)
{
	struct dm_undo_ids found;
	struct dm_undo_writer w;
	struct err e = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	tree_write(&t, "var/lib/pvewarden/dm/undo", "a file");
	assert_int_equal(dm_undo_list(&found, &t.root, &e), -ENOTDIR);
	assert_non_null(strstr(e.text, DM_UNDO_DIR));
	assert_true(dm_undo_create(&w, &t.root, &node, &e) < 0);
	assert_int_equal(w.fd, -1);
	tree_done(&t);
}

/* --- when the disk is full ----------------------------------------------------------------- */

static off_t size_of(const struct dm_undo_writer *w)
{
	return lseek(w->fd, 0, SEEK_END);
}

/* No file may grow past @size; RLIM_INFINITY takes that back. */
static void limit(rlim_t size)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* What was acknowledged is there; what was not is at most a torn last line. */
static void holds(struct tree *t, const struct dm_undo_writer *w, const char *const *names,
		  size_t n)
{
	struct dm_undo_run run;

	read_back(&run, t, w->id);
	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < run.n; k++)
			there |= strcmp(run.items[k].dev.name, names[i]) == 0;
		if (!there)
			fail_msg("the intent for %s is lost", names[i]);
	}
	dm_undo_done(&run);
}

/* Writes three intents, the second one while @fails. */
static void second_fails(void (*begin)(const struct dm_undo_writer *w), void (*end)(void))
{
	static const char *const names[] = { "first", "second", "third" };
	const char *promised[3];
	struct dm_undo_writer w;
	struct tree t;
	size_t n = 0;

	make(&t, &w);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct dm_undo_entry e = full_entry;
		int r;

		e.dev.name = names[i];
		if (i == 1)
			begin(&w);
		r = dm_undo_intend(&w, &e, NULL);
		end();
		if (i == 1)
			assert_true(r < 0);
		else if (r == 0)
			promised[n++] = names[i];
	}
	dm_undo_close(&w);
	assert_true(n >= 1);
	holds(&t, &w, promised, n);
	tree_done(&t);
}

static void fill_up(const struct dm_undo_writer *w)
{
	limit((rlim_t)size_of(w) + 40);
}

static void make_room(void)
{
	limit(RLIM_INFINITY);
}

static void disk_full(void **state)
{
	(void)state;
	second_fails(fill_up, make_room);
}

static bool sync_fails;

/* The C library's, unless a test wants it to fail. */
int fsync(int fd)
{
	if (sync_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void break_sync(const struct dm_undo_writer *w)
{
	(void)w;
	sync_fails = true;
}

static void mend_sync(void)
{
	sync_fails = false;
}

static void sync_failed(void **state)
{
	(void)state;
	second_fails(break_sync, mend_sync);
}

/* An end that could not be written whole must not swallow the intent behind it. */
static void disk_full_at_a_mark(void **state)
{
	static const char *const names[] = { "first", "second" };
	struct dm_undo_entry one = full_entry, two = full_entry;
	struct dm_undo_writer w;
	struct tree t;

	(void)state;
	one.dev.name = names[0];
	two.dev.name = names[1];
	make(&t, &w);
	assert_int_equal(dm_undo_intend(&w, &one, NULL), 0);
	fill_up(&w);
	assert_true(dm_undo_mark(&w, 1, DM_UNDO_FAILED, "a sentence of some length", NULL) < 0);
	make_room();
	holds(&t, &w, names, dm_undo_intend(&w, &two, NULL) == 0 ? 2 : 1);
	dm_undo_close(&w);
	tree_done(&t);
}

/* A run that cannot begin leaves no file that nobody can read. */
static void disk_full_at_the_start(void **state)
{
	struct dm_undo_ids found;
	struct dm_undo_writer w;
	struct err e = {};
	struct tree t;

	(void)state;
	tree_make(&t);
	limit(20);
	assert_true(dm_undo_create(&w, &t.root, &node, &e) < 0);
	make_room();
	assert_int_equal(w.fd, -1);
	assert_int_equal(dm_undo_list(&found, &t.root, NULL), 0);
	assert_int_equal(found.n, 0);
	dm_undo_ids_done(&found);
	tree_done(&t);
}

/* JSON cannot hold it: rather no intent than one that brings back another name. */
static void not_utf8(void **state)
{
	struct dm_target t = { 0, 8, "linear", "8:16 \xff" };
	struct dm_undo_entry cases[] = { full_entry, full_entry, full_entry };
	struct dm_undo_writer w;
	struct dm_undo_run run;
	struct tree tree;

	(void)state;
	cases[0].dev.name = "vm--100--disk--0\xff";
	cases[1].dev.uuid = "\xc3(";
	cases[2].dev.targets = &t;
	cases[2].dev.n_targets = 1;
	make(&tree, &w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = {};

		assert_int_equal(dm_undo_intend(&w, &cases[i], &e), -EILSEQ);
		assert_non_null(strstr(e.text, "exactly"));
	}
	dm_undo_close(&w);
	read_back(&run, &tree, w.id);
	assert_int_equal(run.n, 0);
	dm_undo_done(&run);
	tree_done(&tree);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run),	  cmocka_unit_test(two_runs_in_a_second),
		cmocka_unit_test(goes_on),	  cmocka_unit_test(ids),
		cmocka_unit_test(list_and_prune), cmocka_unit_test(no_links),
		cmocka_unit_test(no_folder),	  cmocka_unit_test(disk_full),
		cmocka_unit_test(sync_failed),	  cmocka_unit_test(disk_full_at_a_mark),
		cmocka_unit_test(not_utf8),	  cmocka_unit_test(disk_full_at_the_start),
	};

	/* A file that may not grow is an error, not a signal. */
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
