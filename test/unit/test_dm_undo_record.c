/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The lines of an undo journal: what is written comes back field by field, and what a crash leaves
 * is told apart from what somebody spoilt. */

#include "dm/undo_record.h"

#include <errno.h>

#include "undo_journal.h"
#include "util/str.h"

static int parse(struct dm_undo_run *ret, const char *text, struct err *e)
{
	return dm_undo_parse(ret, slice_of(text), ID, e);
}

/* --- what is written comes back ------------------------------------------------------------ */

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a && b)
		assert_string_equal(a, b);
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
	comes_back(&full_entry);
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
		struct dm_undo_entry e = full_entry;
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
	struct dm_undo_entry e = full_entry;

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
		struct dm_undo_entry second = full_entry;
		struct dm_undo_run run;

		second.n = 2;
		second.of = 0;
		dm_undo_write_header(&text, "pve1", "b1", 1795233844);
		dm_undo_write_intent(&text, &full_entry);
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
	dm_undo_write_intent(&text, &full_entry);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field),	 cmocka_unit_test(a_bare_entry),
		cmocka_unit_test(odd_text),	 cmocka_unit_test(one_line_each),
		cmocka_unit_test(marks),	 cmocka_unit_test(last_mark_wins),
		cmocka_unit_test(torn),		 cmocka_unit_test(torn_with_nul),
		cmocka_unit_test(spoilt),	 cmocka_unit_test(lost_intents),
		cmocka_unit_test(spoilt_intent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
