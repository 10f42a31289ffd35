/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The undo journal: what is written comes back field by field, what a crash leaves is told apart
 * from what somebody spoilt, and nothing that was promised to be on disk is lost. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "dm/undo_record.h"
#include "test_pve_tree.h"
#include "util/str.h"

#define ID  "20261121T040404Z-1234"
#define DIR DM_UNDO_DIR "/"

#define HEADER                                                                           \
	"{\"schema\": \"pvewarden.dm-undo/1\", \"node\": \"pve1\", \"boot_id\": \"b1\"," \
	" \"time\": \"2026-11-21T04:04:04Z\", \"pid\": 1}\n"
#define INTENT(n)                                                                             \
	"{\"record\": \"intent\", \"n\": " n ", \"step\": \"remove\", \"class\": \"ghost\", " \
	"\"name\": \"vg-vm--100--disk--0\", \"uuid\": \"LVM-x\", \"device\": \"253:4\", "     \
	"\"table\": []}\n"
#define MARK(record, n) "{\"record\": \"" record "\", \"n\": " n "}\n"

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

static int parse(struct dm_undo_run *ret, const char *text, struct err *e)
{
	return dm_undo_parse(ret, slice_of(text), ID, e);
}

/* --- what is written comes back ------------------------------------------------------------ */

static struct dm_target striped_table[] = {
	{ 0, 8192, "linear", "8:16 2048" },
	{ 8192, 16384, "striped", "2 128 8:16 10240 8:32 2048" },
};

static struct blk_identity two_parents[] = {
	{ { 8, 16 }, NULL, "naa.600140500001", "P0000000000000000000000000000001" },
	{ { 253, 7 }, "mpath-3600140500007", NULL, NULL },
};

static const struct dm_undo_entry full = {
	.n = 1,
	.of = 2,
	.step = DM_STEP_REMOVE,
	.dev = { .name = "vg-vm--100--disk--0",
		 .uuid = "LVM-abc",
		 .dev = { 253, 4 },
		 .read_only = true,
		 .targets = striped_table,
		 .n_targets = 2 },
	.parents = two_parents,
	.n_parents = 2,
	.class = "ghost",
	.vmid = 100,
	.vg_name = "vg",
	.vg_uuid = "G0000000000000000000000000000001",
	.lv_name = "vm-100-disk-0",
	.lv_uuid = "L0000000000000000000000000000001",
	.vg_seqno = 4711,
	.time = 1795233844,
};

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a && b)
		assert_string_equal(a, b);
}

static void assert_same_dev(const struct dm_dev *a, const struct dm_dev *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->uuid, b->uuid);
	assert_true(devno_eq(a->dev, b->dev));
	assert_int_equal(a->read_only, b->read_only);
	assert_int_equal(a->n_targets, b->n_targets);
	for (size_t i = 0; i < a->n_targets; i++) {
		assert_int_equal(a->targets[i].start, b->targets[i].start);
		assert_int_equal(a->targets[i].length, b->targets[i].length);
		assert_string_equal(a->targets[i].type, b->targets[i].type);
		assert_string_equal(a->targets[i].params, b->targets[i].params);
	}
}

static void assert_same_entry(const struct dm_undo_entry *a, const struct dm_undo_entry *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->of, b->of);
	assert_int_equal(a->step, b->step);
	assert_int_equal(a->vmid, b->vmid);
	assert_int_equal(a->vg_seqno, b->vg_seqno);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->time, b->time);
	assert_same_dev(&a->dev, &b->dev);
	assert_same_text(a->class, b->class);
	assert_same_text(a->vg_name, b->vg_name);
	assert_same_text(a->vg_uuid, b->vg_uuid);
	assert_same_text(a->lv_name, b->lv_name);
	assert_same_text(a->lv_uuid, b->lv_uuid);
	assert_same_text(a->text, b->text);
	assert_int_equal(a->n_parents, b->n_parents);
	for (size_t i = 0; i < a->n_parents; i++) {
		assert_true(devno_eq(a->parents[i].dev, b->parents[i].dev));
		assert_same_text(a->parents[i].dm_uuid, b->parents[i].dm_uuid);
		assert_same_text(a->parents[i].wwid, b->parents[i].wwid);
		assert_same_text(a->parents[i].pv_uuid, b->parents[i].pv_uuid);
	}
}

static void comes_back(const struct dm_undo_entry *entry)
{
	CLEANUP(buf_done) struct buf text = {};
	struct dm_undo_run run;

	dm_undo_write_header(&text, "pve1", "b1", 1795233844);
	dm_undo_write_intent(&text, entry);
	assert_int_equal(dm_undo_parse(&run, buf_slice(&text), ID, NULL), 0);
	assert_string_equal(run.id, ID);
	assert_string_equal(run.node, "pve1");
	assert_string_equal(run.boot_id, "b1");
	assert_int_equal(run.time, 1795233844);
	assert_int_equal(run.torn, 0);
	assert_int_equal(run.n, 1);
	assert_same_entry(&run.items[0], entry);
	dm_undo_done(&run);
}

static void every_field(void **state)
{
	(void)state;
	comes_back(&full);
}

static void a_bare_entry(void **state)
{
	struct dm_undo_entry e = { .n = 1,
				   .step = DM_STEP_DEACTIVATE,
				   .dev = { .name = "x", .uuid = "" },
				   .class = "manual" };

	(void)state;
	comes_back(&e);
}

static void odd_text(void **state)
{
	static const char *const texts[] = {
		"a \"quoted\" name",
		"back\\slash\\",
		"two\nlines\r\n\ttab",
		"\x01\x1b[31mred\x7f",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa2",
		" ",
		"{\"record\": \"intent\"}",
		"\\u0000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct dm_undo_entry e = full;
		struct dm_target t = { 0, 8, texts[i], texts[i] };
		struct blk_identity parent = { { 1, 2 }, texts[i], texts[i], texts[i] };

		e.dev.name = e.dev.uuid = e.class = texts[i];
		e.vg_name = e.vg_uuid = e.lv_name = e.lv_uuid = texts[i];
		e.dev.targets = &t;
		e.dev.n_targets = 1;
		e.parents = &parent;
		e.n_parents = 1;
		comes_back(&e);
	}
}

static void one_line_each(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	struct dm_undo_entry e = full;

	(void)state;
	e.dev.name = "two\nlines";
	dm_undo_write_header(&text, "n\n", "b", 1);
	dm_undo_write_intent(&text, &e);
	dm_undo_write_mark(&text, 1, DM_UNDO_FAILED, "why\nnot", 1);
	assert_int_equal(slice_find(buf_slice(&text), '\n') < text.len, true);
	for (size_t i = 0, lines = 0; i < text.len; i++) {
		lines += text.data[i] == '\n';
		if (i + 1 == text.len)
			assert_int_equal(lines, 3);
	}
}

static void marks(void **state)
{
	static const enum dm_undo_state states[] = { DM_UNDO_DONE, DM_UNDO_SKIPPED, DM_UNDO_FAILED,
						     DM_UNDO_RESTORING, DM_UNDO_RESTORED };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		CLEANUP(buf_done) struct buf text = {};
		struct dm_undo_entry second = full;
		struct dm_undo_run run;

		second.n = 2;
		second.of = 0;
		dm_undo_write_header(&text, "pve1", "b1", 1795233844);
		dm_undo_write_intent(&text, &full);
		dm_undo_write_intent(&text, &second);
		dm_undo_write_mark(&text, 1, states[i], i % 2 ? "\"why\"\n" : NULL, 1795233999);
		assert_int_equal(dm_undo_parse(&run, buf_slice(&text), ID, NULL), 0);
		assert_int_equal(run.items[0].state, states[i]);
		assert_same_text(run.items[0].text, i % 2 ? "\"why\"\n" : NULL);
		assert_int_equal(run.items[0].time, 1795233999);
		assert_same_entry(&run.items[1], &second);
		dm_undo_done(&run);
	}
}

static void last_mark_wins(void **state)
{
	static const char text[] =
		HEADER INTENT("1") "{\"record\": \"failed\", \"n\": 1, \"text\": \"why\"}\n" MARK(
			"restoring", "1");
	struct dm_undo_run run;

	(void)state;
	assert_int_equal(parse(&run, text, NULL), 0);
	assert_int_equal(run.items[0].state, DM_UNDO_RESTORING);
	assert_null(run.items[0].text);
	dm_undo_done(&run);
}

/* --- what a crash leaves, and what somebody spoilt ----------------------------------------- */

static void torn(void **state)
{
	static const struct {
		const char *text;
		size_t n, torn;
	} cases[] = {
		{ HEADER, 0, 0 },
		{ HEADER INTENT("1"), 1, 0 },
		{ HEADER INTENT("1") "{\"record\": \"done\", \"n", 1, 1 },
		{ HEADER "{\"record\": \"intent\", \"n\": 1, ", 0, 1 },
		/* Taken up again after a crash: on a line of its own. */
		{ HEADER INTENT("1") "{\"recor\n" MARK("restored", "1"), 1, 1 },
		{ HEADER "{\"record\": \"intent\", \"n\n" INTENT("1"), 1, 1 },
		{ HEADER "\n" INTENT("1"), 1, 1 },
		{ HEADER "\0\0\0\0", 0, 0 }, /* as a string it ends there */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dm_undo_run run;
		struct err e = {};

		if (parse(&run, cases[i].text, &e) < 0)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(run.n, cases[i].n);
		assert_int_equal(run.torn, cases[i].torn);
		dm_undo_done(&run);
	}
}

/* What the file system leaves of a block that was never written. */
static void torn_with_nul(void **state)
{
	static const char text[] = HEADER INTENT("1") "{\"record\"\0\0\0\0\0";
	struct dm_undo_run run;

	(void)state;
	assert_int_equal(dm_undo_parse(&run, SLICE(text), ID, NULL), 0);
	assert_int_equal(run.n, 1);
	assert_int_equal(run.torn, 1);
	dm_undo_done(&run);
}

static const struct {
	const char *what, *text, *line, *expected;
} broken[] = {
	{ "nothing", "", "line 0", "schema" },
	{ "no journal", "hello\n", "line 1", "schema" },
	{ "torn header", "{\"schema\": \"pvewarden.dm-un", "line 1", "schema" },
	{ "torn header, records", "{\"schema\"\n" INTENT("1"), "line 2", "schema" },
	{ "another schema",
	  "{\"schema\": \"pvewarden.dm-undo/2\", \"node\": \"x\", \"boot_id\": "
	  "\"y\"}\n",
	  "line 1", "schema" },
	{ "no schema", "{\"node\": \"x\", \"boot_id\": \"y\"}\n", "line 1", "schema" },
	{ "no node", "{\"schema\": \"pvewarden.dm-undo/1\", \"boot_id\": \"y\"}\n", "line 1",
	  "node" },
	{ "no boot_id", "{\"schema\": \"pvewarden.dm-undo/1\", \"node\": \"y\"}\n", "line 1",
	  "boot_id" },
	{ "header twice", HEADER HEADER, "line 2", "known kind" },
	{ "an array", HEADER "[1]\n", "line 2", "known kind" },
	{ "unknown record", HEADER INTENT("1") MARK("undone", "1"), "line 3", "known kind" },
	{ "record without kind", HEADER "{\"n\": 1}\n", "line 2", "known kind" },
	{ "counts from 0", HEADER INTENT("0"), "line 2", "a number higher" },
	{ "a number twice", HEADER INTENT("1") INTENT("1"), "line 3", "a number higher" },
	{ "end without number", HEADER INTENT("1") "{\"record\": \"done\"}\n", "line 3",
	  "an intent before it" },
};

/* An intent that was lost costs that entry: the others can still be restored, and it is counted. */
static const struct {
	const char *what, *text;
	size_t entries, torn;
} lost[] = {
	{ "begins at 2", HEADER INTENT("2"), 1, 0 },
	{ "a number left out", HEADER INTENT("1") INTENT("3") MARK("done", "3"), 2, 0 },
	{ "a torn intent, the next one", HEADER "{\"record\": \"intent\"\n" INTENT("2"), 1, 1 },
	{ "a torn intent, its end", HEADER "{\"record\": \"intent\"\n" MARK("done", "1"), 0, 2 },
	{ "end of what is to come", HEADER MARK("done", "1") INTENT("1"), 1, 1 },
	{ "end of number 0", HEADER INTENT("1") MARK("done", "0"), 1, 1 },
	{ "end of number 2", HEADER INTENT("1") MARK("done", "2"), 1, 1 },
	{ "end of number 4294967297", HEADER INTENT("1") MARK("done", "4294967297"), 1, 1 },
};

static void lost_intents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lost); i++) {
		struct dm_undo_run run;
		struct err e = {};

		assert_int_equal(parse(&run, lost[i].text, &e), 0);
		assert_int_equal(run.n, lost[i].entries);
		assert_int_equal(run.torn, lost[i].torn);
		dm_undo_done(&run);
	}
}

static void spoilt(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct dm_undo_run run;
		struct err e = {};
		int r = parse(&run, broken[i].text, &e);

		if (r == -EBADMSG && strstr(e.text, broken[i].line) &&
		    strstr(e.text, broken[i].expected) && strstr(e.text, ID) && !run.items)
			continue;
		print_error("%s: %d, %s\n", broken[i].what, r, e.text);
		bad++;
		dm_undo_done(&run);
	}
	assert_int_equal(bad, 0);
}

/* Everything that is needed to bring it back must be there. */
static void spoilt_intent(void **state)
{
	static const struct {
		const char *is, *instead;
	} changes[] = {
		{ "\"step\": \"remove\"", "\"step\": \"erase\"" },
		{ "\"step\": \"remove\"", "\"step\": \"none\"" },
		{ "\"step\": \"remove\"", "\"stop\": \"remove\"" },
		{ "\"class\": \"ghost\"", "\"class\": null" },
		{ "\"name\": \"vg-vm--100--disk--0\"", "\"name\": 7" },
		{ "\"uuid\": \"LVM-abc\"", "\"uuid\": null" },
		{ "\"device\": \"253:4\"", "\"device\": \"253\"" },
		{ "\"device\": \"8:16\"", "\"device\": \"8:x\"" },
		{ "\"device\": \"8:16\"", "\"no\": \"8:16\"" },
		{ "\"table\": [", "\"tables\": [" },
		{ "\"start\": 8192", "\"start\": -1" },
		{ "\"length\": 16384", "\"length\": null" },
		{ "\"type\": \"striped\"", "\"type\": 3" },
		{ "\"params\": \"8:16 2048\"", "\"param\": \"\"" },
		{ "\"of\": 2", "\"of\": 66" },
		{ "\"vmid\": 100", "\"vmid\": 4294967296" },
	};
	CLEANUP(buf_done) struct buf text = {};
	size_t bad = 0;

	(void)state;
	dm_undo_write_header(&text, "pve1", "b1", 1795233844);
	dm_undo_write_intent(&text, &full);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		CLEANUP(buf_done) struct buf changed = {};
		char *at = strstr(text.data, changes[i].is);
		struct dm_undo_run run;
		struct err e = {};
		int r;

		assert_non_null(at);
		buf_add(&changed, text.data, (size_t)(at - text.data));
		buf_adds(&changed, changes[i].instead);
		buf_adds(&changed, at + strlen(changes[i].is));
		r = dm_undo_parse(&run, buf_slice(&changed), ID, &e);
		if (r == -EBADMSG && strstr(e.text, "line 2"))
			continue;
		print_error("%s: %d, %s\n", changes[i].instead, r, e.text);
		bad++;
		dm_undo_done(&run);
	}
	assert_int_equal(bad, 0);
}

/* --- the files ----------------------------------------------------------------------------- */

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
	struct dm_undo_entry one = full, two = full;
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
	assert_same_dev(&run.items[1].dev, &full.dev);
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
		struct dm_undo_entry e = full;
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
	struct dm_undo_entry one = full, two = full;
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
	struct dm_undo_entry cases[] = { full, full, full };
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
		cmocka_unit_test(every_field),
		cmocka_unit_test(a_bare_entry),
		cmocka_unit_test(odd_text),
		cmocka_unit_test(one_line_each),
		cmocka_unit_test(marks),
		cmocka_unit_test(last_mark_wins),
		cmocka_unit_test(torn),
		cmocka_unit_test(torn_with_nul),
		cmocka_unit_test(spoilt),
		cmocka_unit_test(lost_intents),
		cmocka_unit_test(spoilt_intent),
		cmocka_unit_test(a_run),
		cmocka_unit_test(two_runs_in_a_second),
		cmocka_unit_test(goes_on),
		cmocka_unit_test(ids),
		cmocka_unit_test(list_and_prune),
		cmocka_unit_test(no_links),
		cmocka_unit_test(no_folder),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(sync_failed),
		cmocka_unit_test(disk_full_at_a_mark),
		cmocka_unit_test(not_utf8),
		cmocka_unit_test(disk_full_at_the_start),
	};

	/* A file that may not grow is an error, not a signal. */
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
