/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "util/clock.h"

/* As large as docs/wire.md lets a document be. A transaction this long is one nobody else gets; the
 * times are far above what is needed, and far below what a loop inside a loop takes. */
enum { T = 1795269600, HOUR = 3600, GUESTS = 5000, VMIDS = 50000, LISTS = 20, LONG_MS = 30000 };

#define CLOSED                                                                                \
	"INSERT INTO guests (org, cluster, vmid, identity, seen_at, seen_node, seen_seq, "    \
	"closed_at, first_at, fresh, type, node, name, status, data, live) SELECT 'o', 'c', " \
	"1000000 + i, 'x', 1000, 'pve1', 1, 2000, 500, '', 'qemu', 'pve1', 'n' || i, "        \
	"'running', replace('aaaaaaaaaaaaaaaa', 'a', '{\"name\": \"of such a length\"}, '), '{}' FROM n"

struct large {
	const char *node;
	uint64_t sequence;
	int64_t at;
	unsigned int first_guest, guests, first_vmid, vmids;
};

static void make_body(const struct large *l, struct buf *ret)
{
	buf_adds(ret, "{\"quorate\":true,\"complete\":true,\"vmids\":[");
	for (unsigned int i = 0; i < l->vmids; i++)
		buf_addf(ret, "%s[%u,\"qemu\",\"pve1\"]", i ? "," : "", l->first_vmid + i);
	buf_adds(ret, "],\"guests\":[");
	for (unsigned int i = 0; i < l->guests; i++)
		buf_addf(ret,
			 "%s{\"vmid\":%u,\"type\":\"qemu\",\"node\":\"%s\",\"status\":\"running\","
			 "\"identity\":\"x\",\"digest\":\"d\"}",
			 i ? "," : "", l->first_guest + i, l->node);
	buf_adds(ret, "]}");
}

static struct store_document document_of(const struct large *l, struct buf *body)
{
	make_body(l, body);
	return (struct store_document){
		.org = "o",
		.agent = "a",
		.cluster = "c",
		.node = l->node,
		.instance = "i",
		.sequence = l->sequence,
		.collected_at = l->at,
		.received_at = T + 2 * HOUR,
		.body = buf_slice(body),
	};
}

/* Returns the milliseconds that it took. */
static int64_t put(struct fixture *f, struct large l)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document d = document_of(&l, &body), *list[] = { &d };
	int64_t began = clock_boot_ms();
	struct err e = {};

	if (store_ingest(f->s, list, 1, &e) < 0 || d.error)
		fail_msg("%s%s", e.text, d.why);
	buf_done(&d.unheard);
	return clock_boot_ms() - began;
}

static void assert_quick(const char *what, int64_t ms)
{
	print_message("%s: %lld ms\n", what, (long long)ms);
	assert_in_range(ms, 0, LONG_MS);
}

/* All guests go, as many others come; nobody of them is in the other's list. */
static void test_all_others(void **state)
{
	struct fixture *f = *state;

	assert_quick("the first", put(f, (struct large){ "pve1", 1, T, 100, GUESTS, 100, VMIDS }));
	assert_quick("all others",
		     put(f, (struct large){ "pve1", 2, T + 60, 500000, GUESTS, 500000, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'guest.created'"),
			 GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'guest.destroyed'"),
			 GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), GUESTS);
	/* Those of the first list come between the two: moved from elsewhere, and away again. */
	assert_quick("between",
		     put(f, (struct large){ "pve1", 3, T + 30, 5200, GUESTS, 100, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at = 1795269660"),
			 2 * GUESTS);
}

/* Many later lists, each another one and without 250 more of the guests. */
static void test_late_guests(void **state)
{
	struct fixture *f = *state;
	int64_t ms = 0;

	for (unsigned int i = 0; i < LISTS; i++)
		ms += put(f, (struct large){ "pve1", i + 1, T + HOUR + i * 60, 0, 0, 100 + 250 * i,
					     VMIDS });
	assert_quick("lists", ms / LISTS);
	assert_quick("late", put(f, (struct large){ "pve1", 100, T, 100, GUESTS, 100, VMIDS }));
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), 250);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at = 1795273260"),
			 250);
	assert_int_equal(number(f, "SELECT max(closed_at) FROM guests"), T + HOUR + 19 * 60);
}

/* Those that were closed long ago, as rows. */
static const char *const close_many[] = {
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) " CLOSED,
	"WITH n AS (SELECT i FROM generate_series(1, 200000) AS x(i)) " CLOSED "; ANALYZE guests",
};

/* What twenty documents take, each of which has another list. */
static int64_t put_lists(struct fixture *f, uint64_t from)
{
	int64_t ms = 0;

	for (uint64_t i = from; i < from + 20; i++) {
		struct large l = { "pve1", i, T + (int64_t)i, 100, 3, 100, 10 + i % 2 };

		ms += put(f, l);
	}
	return ms;
}

/* Nobody goes through all who ever were. */
static void test_closed_long_ago(void **state)
{
	struct fixture *f = *state;
	int64_t before = put_lists(f, 1), after;

	assert_int_equal(fixture_script(f, close_many[fixture_engine]), 0);
	after = put_lists(f, 100);
	print_message("none closed: %lld ms, 200,000 closed: %lld ms\n", (long long)before,
		      (long long)after);
	assert_in_range(after, 0, 4 * before + 200);
	/* Closed later than a document that comes late: it knows better. */
	put(f, (struct large){ "pve1", 200, T + 200, 0, 0, 100, 9 });
	put(f, (struct large){ "pve1", 201, T + 150, 0, 0, 103, 9 });
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at = 1795269750"), 3);
}

/* Numbers of a few bytes and 300 digits, everywhere where nobody looks at them. */
static void add_numbers(struct buf *b, const char *list, size_t rows, size_t each)
{
	buf_addf(b, "\"%s\":[", list);
	for (size_t i = 0; i < rows; i++) {
		buf_addf(b,
			 "%s{\"vmid\":%zu,\"name\":\"s%zu\",\"type\":\"qemu\",\"digest\":\"d\","
			 "\"state\":\"stuck\",\"x\":[1",
			 i ? "," : "", 100 + i, i);
		for (size_t k = 0; k < each; k++)
			buf_adds(b, k % 2 ? ",1e300" : ",1e-300");
		buf_adds(b, "]}");
	}
	buf_addc(b, ']');
}

static const char *const kept[] = {
	"SELECT sum(length(body)) FROM configs",
	"SELECT sum(length(data)) FROM storages",
	"SELECT sum(length(data)) FROM guests",
	"SELECT sum(length(data)) FROM findings WHERE part = 'watch'",
};

/* What is kept as text is no longer than it came. */
static void test_as_written(void **state)
{
	CLEANUP(buf_done) struct buf body = {};
	struct fixture *f = *state;
	struct large l = { "pve1", 1, T, 0, 0, 0, 0 };
	struct store_document d = document_of(&l, &body), *list[] = { &d };
	struct err e = {};

	buf_reset(&body);
	buf_adds(&body, "{");
	add_numbers(&body, "configs", 100, 4000);
	buf_addc(&body, ',');
	add_numbers(&body, "storages", 100, 1000);
	buf_addc(&body, ',');
	add_numbers(&body, "guests", 100, 1000);
	buf_adds(&body, ",\"parts\":{\"watch\":{");
	add_numbers(&body, "guests", 100, 100);
	buf_adds(&body, "}}}");
	d.body = buf_slice(&body);
	if (store_ingest(f->s, list, 1, &e) < 0 || d.error)
		fail_msg("%s%s", e.text, d.why);
	buf_done(&d.unheard);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_in_range(number(f, kept[i]), 50000, body.len);
}

/* As many of everything as may be, @state of each guest. */
static void make_full(const char *node, const char *state, bool configs, struct buf *b)
{
	struct large l = { .node = node, .first_guest = 100, .first_vmid = 100, .vmids = VMIDS };

	make_body(&l, b);
	b->len -= strlen("\"guests\":[]}");
	buf_adds(b, "\"reporter\":true,\"cluster\":{\"config_version\":7},\"nodes\":[");
	for (int i = 0; i < 256; i++)
		buf_addf(b, "%s{\"name\":\"%s%d\",\"id\":%d,\"online\":%s}", i ? "," : "", node, i,
			 i + 1, i % 2 ? "true" : "false");
	buf_adds(b, "],\"guests\":[");
	for (int i = 0; i < GUESTS; i++)
		buf_addf(b,
			 "%s{\"vmid\":%d,\"type\":\"qemu\",\"node\":\"%s\",\"status\":\"%s\","
			 "\"identity\":\"x\",\"digest\":\"%s\",\"cpu\":0.5,\"name\":\"n%d\"}",
			 i ? "," : "", 100 + i, node, state, state, i);
	buf_adds(b, "],\"storages\":[");
	for (int i = 0; i < 1000; i++)
		buf_addf(b, "%s{\"name\":\"s%d\",\"used\":1,\"total\":2}", i ? "," : "", i);
	buf_adds(b, "],\"configs\":[");
	for (int i = 0; configs && i < GUESTS; i++)
		buf_addf(b, "%s{\"vmid\":%d,\"digest\":\"%s\"}", i ? "," : "", 100 + i, state);
	buf_adds(b, "]}");
}

/* First sight, repetition, all of them changed, and all of them on another node. */
static void test_everything(void **state)
{
	static const struct {
		const char *node, *state;
		bool configs;
	} steps[] = {
		{ "pve1", "running", false }, { "pve1", "running", true },
		{ "pve1", "running", false }, { "pve1", "stopped", true },
		{ "pve2", "running", false }, { "pve1", "stopped", false },
	};
	struct fixture *f = *state;
	struct err e = {};

	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		CLEANUP(buf_done) struct buf body = {}, unused = {};
		struct large l = { steps[i].node, i + 1, T + 60 * i, 0, 0, 0, 0 };
		struct store_document d = document_of(&l, &unused), *list[] = { &d };
		int64_t began = clock_boot_ms();

		make_full(l.node, steps[i].state, steps[i].configs, &body);
		d.body = buf_slice(&body);
		if (store_ingest(f->s, list, 1, &e) < 0 || d.error)
			fail_msg("%s%s", e.text, d.why);
		buf_done(&d.unheard);
		assert_quick("everything", clock_boot_ms() - began);
	}
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE node = 'pve1'"), GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'guest.stopped'"),
			 GUESTS);
	assert_int_equal(number(f, "SELECT count(*) FROM events WHERE kind = 'node.removed'"), 512);
}

/* Inserting a document of pve2 never ends. */
static const char *const endless[] = {
	"CREATE VIEW forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	"SELECT max(i) AS i FROM n; "
	"CREATE TRIGGER stuck BEFORE INSERT ON docs WHEN new.node = 'pve2' "
	"BEGIN SELECT i FROM forever; END",
	"CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS "
	"'BEGIN IF NEW.node = ''pve2'' THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END'; "
	"CREATE TRIGGER stuck BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION stuck()",
};

enum { BATCH = 5 };

/* Those in time, one that is refused for what it says, and two that would never end, tried twice.
 */
static void test_too_long(void **state)
{
	static const char *const nodes[BATCH] = { "pve1", "pve2", "pve3", "pve2", "pve4" };
	struct store_document docs[BATCH], *list[BATCH];
	struct buf bodies[BATCH] = {};
	struct fixture *f = *state;
	struct err e = {};
	int64_t began;

	assert_int_equal(f->s->document_ms, 20000);
	f->s->document_ms = 1000;
	assert_int_equal(fixture_script(f, endless[fixture_engine]), 0);
	for (unsigned int i = 0; i < BATCH; i++) {
		struct large l = { nodes[i], i + 1, T + i, 100, 3, 100, 3 };

		docs[i] = document_of(&l, &bodies[i]);
		list[i] = &docs[i];
	}
	docs[2].body = slice_of("{\"configs\": [1, {\"vmid\": }]}");
	began = clock_boot_ms();
	if (store_ingest(f->s, list, BATCH, &e) < 0)
		fail_msg("%s", e.text);
	assert_in_range(clock_boot_ms() - began, 4000, LONG_MS);
	assert_int_equal(docs[0].error, 0);
	assert_int_equal(docs[1].error, -ETIME);
	assert_string_equal(docs[1].why, "took the database longer than 1 s");
	assert_true(docs[2].error < 0 && docs[2].error != -ETIME);
	assert_int_equal(docs[3].error, -ETIME);
	assert_int_equal(docs[4].error, 0);
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 2);
	/* What comes afterwards has all its time. */
	put(f, (struct large){ "pve1", 9, T + 60, 100, 3, 100, 3 });
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 3);
	for (unsigned int i = 0; i < BATCH; i++) {
		buf_done(&bodies[i]);
		buf_done(&docs[i].unheard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_all_others), FIXTURE_TEST(test_late_guests),
		FIXTURE_TEST(test_everything), FIXTURE_TEST(test_as_written),
		FIXTURE_TEST(test_too_long),   FIXTURE_TEST(test_closed_long_ago),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
