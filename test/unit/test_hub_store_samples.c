/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

/* What stands in rows of its own while a node's guests are no news, and how it comes back. */

enum { T = 1795269600 };

struct said {
	const char *node;
	int minute;
	int from, to; /* guests */
	int changed;  /* one of them has another status */
	int list;     /* how many the cluster has, from 100 on; 0: the document is not complete */
	int storages; /* so many of @type */
	const char *type;
};

static void write_body(const struct said *d, struct buf *b)
{
	buf_adds(b, "{\"interval\":60,\"quorate\":true,\"reporter\":false,");
	buf_addf(b, "\"complete\":%s,\"vmids\":[", d->list ? "true" : "false");
	for (int i = 0; i < d->list; i++)
		buf_addf(b, "%s[%d,\"qemu\",\"%s\"]", i ? "," : "", 100 + i, d->node);
	buf_adds(b, "],\"guests\":[");
	for (int i = d->from; i < d->to; i++)
		buf_addf(b,
			 "%s{\"vmid\":%d,\"type\":\"qemu\",\"node\":\"%s\",\"name\":\"n%d\","
			 "\"status\":\"%s\",\"identity\":\"1/x\",\"cpu\":0.%d,\"mem\":%d,\n"
			 "\"pressure\":{\"cpu_some\":\r\n0.5}}",
			 i > d->from ? "," : "", i, d->node, i,
			 i == d->changed ? "stopped" : "running", i, d->minute);
	buf_adds(b, "]");
	for (int i = 0; i < d->storages; i++)
		buf_addf(b, "%s{\"name\":\"s%d\",\"type\":\"%s\",\n\"used\":%d}",
			 i ? "," : ",\"storages\":[", i, d->type, 100 * d->minute + i);
	buf_adds(b, d->storages ? "]}" : "}");
}

static void say(struct fixture *f, const struct said *d)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document doc = { .org = "o",
				      .agent = "a",
				      .cluster = "c",
				      .node = d->node,
				      .instance = "i",
				      .sequence = (uint64_t)d->minute,
				      .collected_at = T + 60 * d->minute,
				      .received_at = T + 60 * d->minute },
			      *list[] = { &doc };
	struct err e = {};

	write_body(d, &body);
	doc.body = buf_slice(&body);
	if (store_ingest(f->s, list, 1, &e) < 0 || doc.error)
		fail_msg("%s%s", e.text, doc.why);
	buf_done(&doc.unheard);
}

static void assert_sampled(struct fixture *f, int guests, int parts)
{
	assert_int_equal(number(f, FIXTURE_GUESTS_LOST), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE sampled > 0"), guests);
	assert_int_equal(number(f, "SELECT count(*) FROM samples WHERE part > 0"), parts);
}

/* As the list of guests and the page of one show it. */
static void assert_shown(struct fixture *f, const char *cluster, int vmid, int minute,
			 const char *live)
{
	CLEANUP(buf_done) struct buf one = {}, items = {}, cursor = {};
	struct store_query q = { .org = "o", .list = STORE_LIST_GUESTS, .limit = 10 };
	char key[16], seen[64];
	struct err e = {};

	(void)snprintf(key, sizeof(key), "%d", vmid);
	(void)snprintf(seen, sizeof(seen), "2026-11-21T14:%02d:00Z", minute);
	q.filters[q.n_filters++] = (struct store_filter){ "cluster", cluster };
	q.filters[q.n_filters++] = (struct store_filter){ "vmid", key };
	q.filters[q.n_filters++] = (struct store_filter){ "state", "all" };
	if (store_list(f->s, &q, &items, &cursor, &e) < 0 ||
	    store_one(f->s, "o", STORE_LIST_GUESTS, cluster, key, &one, &e) < 0)
		fail_msg("%s", e.text);
	if (!strstr(buf_str(&items), seen) || !strstr(buf_str(&one), seen))
		fail_msg("not seen at %s: %s %s", seen, buf_str(&items), buf_str(&one));
	if (live && (!strstr(buf_str(&items), live) || !strstr(buf_str(&one), live)))
		fail_msg("without %s: %s %s", live, buf_str(&items), buf_str(&one));
}

static const char *mem(int minute)
{
	static char text[32];

	(void)snprintf(text, sizeof(text), "\"mem\":%d,", minute);
	return text;
}

/* 150 guests are three parts. One that changes gives all of its node their rows back; it is with
 * them again when nothing is news. */
static void test_parts(void **state)
{
	struct fixture *f = *state;

	say(f, &(struct said){ "pve1", 1, 100, 250, 0, 150 });
	assert_sampled(f, 0, 0);
	say(f, &(struct said){ "pve1", 2, 100, 250, 0, 150 });
	assert_sampled(f, 150, 3);
	say(f, &(struct said){ "pve1", 3, 100, 250, 0, 150 });
	assert_sampled(f, 150, 3);
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE seen_at > 1795269660"), 0);
	for (int vmid = 100; vmid < 250; vmid += 21)
		assert_shown(f, "c", vmid, 3, mem(3));
	/* From before that, by a slow way. */
	say(f, &(struct said){ "pve1", 1, 100, 250, 120, 150 });
	assert_shown(f, "c", 120, 3, "running");
	say(f, &(struct said){ "pve1", 5, 100, 250, 130, 150 });
	assert_sampled(f, 0, 0);
	for (int vmid = 100; vmid < 250; vmid += 21)
		assert_shown(f, "c", vmid, 5, mem(5));
	assert_shown(f, "c", 130, 5, "stopped");
	for (int minute = 6; minute < 9; minute++) {
		say(f, &(struct said){ "pve1", minute, 100, 250, 130, 150 });
		assert_sampled(f, 150, 3);
		assert_shown(f, "c", 249, minute, mem(minute));
	}
	say(f, &(struct said){ "pve1", 7, 100, 250, 130, 150 });
	assert_shown(f, "c", 249, 8, mem(8));
}

/* Exactly one part, and one guest more or less. */
static void test_borders(void **state)
{
	struct fixture *f = *state;

	for (int minute = 1, n = 63; n <= 65; n++) {
		say(f, &(struct said){ "pve1", minute++, 100, 100 + n, 0, 0 });
		say(f, &(struct said){ "pve1", minute++, 100, 100 + n, 0, 0 });
		assert_sampled(f, n, n > 64 ? 2 : 1);
		assert_shown(f, "c", 99 + n, minute - 1, mem(minute - 1));
	}
	/* Fewer again: who was not shown stays as it was shown last. */
	say(f, &(struct said){ "pve1", 8, 100, 101, 0, 0 });
	assert_sampled(f, 1, 1);
	assert_shown(f, "c", 100, 8, mem(8));
	assert_shown(f, "c", 164, 6, mem(6));
	say(f, &(struct said){ "pve1", 9, 100, 100, 0, 0 });
	assert_shown(f, "c", 100, 8, mem(8));
}

/* A guest goes to another node, and then all of them. */
static void test_moved(void **state)
{
	struct fixture *f = *state;

	for (int minute = 1; minute <= 2; minute++) {
		say(f, &(struct said){ "pve1", minute, 100, 104, 0, 6 });
		say(f, &(struct said){ "pve2", minute, 104, 106, 0, 6 });
	}
	assert_sampled(f, 6, 2);
	say(f, &(struct said){ "pve2", 3, 103, 106, 0, 6 });
	assert_shown(f, "c", 102, 2, mem(2));
	assert_shown(f, "c", 103, 3, "pve2");
	say(f, &(struct said){ "pve1", 4, 100, 103, 0, 6 });
	say(f, &(struct said){ "pve2", 4, 103, 106, 0, 6 });
	assert_sampled(f, 6, 2);
	say(f, &(struct said){ "pve2", 5, 100, 106, 0, 6 });
	say(f, &(struct said){ "pve2", 6, 100, 106, 0, 6 });
	assert_sampled(f, 6, 1);
	/* The first node does not know it yet, and then shows others. */
	say(f, &(struct said){ "pve1", 5, 100, 103, 0, 6 });
	for (int vmid = 100; vmid < 106; vmid++)
		assert_shown(f, "c", vmid, 6, "pve2");
	say(f, &(struct said){ "pve1", 7, 106, 108, 0, 8 });
	say(f, &(struct said){ "pve1", 8, 106, 108, 0, 8 });
	say(f, &(struct said){ "pve2", 8, 100, 106, 0, 8 });
	assert_sampled(f, 8, 2);
}

/* One that no list has is closed, its node's others are seen as before. */
static void test_closed(void **state)
{
	struct fixture *f = *state;

	for (int minute = 1; minute <= 2; minute++) {
		say(f, &(struct said){ "pve1", minute, 104, 106, 0, 6 });
		say(f, &(struct said){ "pve2", minute, 100, 104, 0, 6 });
	}
	assert_sampled(f, 6, 2);
	say(f, &(struct said){ "pve2", 3, 100, 104, 0, 5 });
	assert_int_equal(number(f, FIXTURE_GUESTS_LOST), 0);
	assert_int_equal(number(f, "SELECT max(closed_at) FROM guests"), T + 180);
	assert_int_equal(number(f, "SELECT vmid FROM guests WHERE closed_at IS NOT NULL"), 105);
	assert_shown(f, "c", 104, 2, mem(2));
	assert_shown(f, "c", 105, 2, mem(2));
	assert_shown(f, "c", 103, 3, mem(3));
	/* Shown after all. */
	say(f, &(struct said){ "pve1", 4, 104, 106, 0, 6 });
	say(f, &(struct said){ "pve1", 5, 104, 106, 0, 6 });
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), 6);
	assert_shown(f, "c", 105, 5, mem(5));
	assert_sampled(f, 6, 2);
}

/* An old agent speaks of a guest that documents showed, when those have been silent for long. */
static void test_objects(void **state)
{
	static const char *const node = "{\"node\":{\"cluster_uuid\":\"c\",\"name\":\"pve1\"}}";
	static const char *const guest =
		"{\"guest\":{\"cluster_uuid\":\"c\",\"vmid\":101,\"node\":\"pve1\",\"status\":"
		"\"paused\",\"config\":{}}}";
	struct fixture *f = *state;
	char id[STORE_ID_MAX];
	struct err e = {};

	for (int minute = 1; minute <= 2; minute++)
		say(f, &(struct said){ "pve1", minute, 100, 104, 0, 4 });
	assert_sampled(f, 4, 1);
	for (int minute = 3; minute <= 43; minute += 40) {
		int64_t at = T + minute * 60;

		assert_int_equal(
			store_object(f->s, STORE_NODE, "o", "b", slice_of(node), at, id, &e), 0);
		assert_int_equal(
			store_object(f->s, STORE_QEMU, "o", "b", slice_of(guest), at, id, &e), 0);
		if (minute == 3)
			assert_sampled(f, 4, 1);
	}
	assert_sampled(f, 0, 0);
	assert_shown(f, "c", 100, 2, mem(2));
	assert_shown(f, "c", 101, 43, "paused");
	say(f, &(struct said){ "pve1", 44, 100, 104, 0, 4 });
	say(f, &(struct said){ "pve1", 45, 100, 104, 0, 4 });
	assert_sampled(f, 4, 1);
	assert_shown(f, "c", 101, 45, mem(45));
}

/* The cluster that an agent's objects named without a name has documents as well: all of it goes.
 */
static void test_named(void **state)
{
	static const char *const cluster =
		"{\"cluster\":{\"name\":\"prod\",\"quorate\":true,\"version\":7}}";
	struct fixture *f = *state;
	char id[STORE_ID_MAX];
	struct err e = {};

	for (int minute = 1; minute <= 2; minute++)
		say(f, &(struct said){ "pve1", minute, 100, 104, 0, 4 });
	assert_int_equal(fixture_script(f, "UPDATE clusters SET cluster = 'agent:b'; "
					   "UPDATE nodes SET cluster = 'agent:b'; "
					   "UPDATE guests SET cluster = 'agent:b'; "
					   "UPDATE samples SET cluster = 'agent:b'"),
			 0);
	assert_sampled(f, 4, 1);
	assert_int_equal(
		store_object(f->s, STORE_CLUSTER, "o", "b", slice_of(cluster), T + 180, id, &e), 0);
	assert_sampled(f, 0, 0);
	assert_shown(f, "name:prod", 103, 2, mem(2));
}

static void assert_storages(struct fixture *f, const struct said *d)
{
	struct store_query q = { .org = "o", .list = STORE_LIST_STORAGES, .limit = 10 };
	CLEANUP(buf_done) struct buf items = {}, cursor = {}, expected = {};
	struct err e = {};
	size_t n = 0;

	if (store_list(f->s, &q, &items, &cursor, &e) < 0)
		fail_msg("%s", e.text);
	for (const char *at = buf_str(&items); (at = strstr(at, "\"details\"")); at++, n++) {
		buf_reset(&expected);
		buf_addf(&expected, "\"used\":%d}", 100 * d->minute + (int)n);
		assert_non_null(strstr(at, buf_str(&expected)));
		assert_true(strstr(at, buf_str(&expected)) < at + 80);
	}
	assert_int_equal(n, d->storages);
	buf_reset(&expected);
	buf_addf(&expected, "2026-11-21T14:%02d:00Z", d->minute);
	if (!strstr(buf_str(&items), buf_str(&expected)) || !strstr(buf_str(&items), d->type))
		fail_msg("%s", buf_str(&items));
}

/* Their rows change only with their names and types, what is shown always. */
static void test_storages(void **state)
{
	static const struct said steps[] = {
		{ "pve1", 1, 100, 101, 0, 0, 3, "dir" }, { "pve1", 2, 100, 101, 0, 0, 3, "dir" },
		{ "pve1", 4, 100, 101, 0, 0, 3, "lvm" }, { "pve1", 5, 100, 101, 0, 0, 3, "lvm" },
		{ "pve1", 6, 100, 101, 0, 0, 2, "lvm" }, { "pve1", 7, 100, 101, 0, 0, 2, "lvm" },
		{ "pve1", 8, 100, 101, 0, 0, 4, "lvm" }, { "pve1", 9, 100, 101, 7, 0, 4, "lvm" },
	};
	static const int rows[] = { 1, 1, 4, 4, 6, 6, 8, 8 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		say(f, &steps[i]);
		assert_storages(f, &steps[i]);
		assert_int_equal(number(f, "SELECT max(seq) FROM storages"), rows[i]);
	}
	/* By a slow way, and once more. */
	say(f, &(struct said){ "pve1", 3, 100, 101, 0, 0, 5, "nfs" });
	say(f, &steps[6]);
	assert_storages(f, &steps[7]);
	/* A document without any says nothing of them. */
	say(f, &(struct said){ "pve1", 10, 100, 101, 0, 0, 0, "" });
	assert_storages(f, &steps[7]);
}

/* --- a database of the schema before --- */

static void make_old(struct fixture *f)
{
	const char *again = fixture_engine ? "SELECT 1"
					   : "ANALYZE sqlite_master; "
					     "DELETE FROM sqlite_stat1; "
					     "ANALYZE sqlite_master";

	assert_int_equal(fixture_script(f, again), 0);
	assert_int_equal(fixture_script(f, "DROP INDEX guests_closed; DROP TABLE samples; "
					   "ALTER TABLE guests DROP COLUMN sampled; "
					   "ALTER TABLE storages DROP COLUMN line; "
					   "ALTER TABLE hours DROP COLUMN taken; "
					   "ALTER TABLE hours DROP COLUMN counts; "
					   "DELETE FROM schema_version WHERE version > 5"),
			 0);
}

/* What it showed it shows, and goes on from there. */
static void test_migrated(void **state)
{
	static const char *const rows = "SELECT count(*) FROM guests AS g JOIN schema_version AS v "
					"ON v.version = 5";
	struct fixture *f = *state;
	unsigned int from = 0, to = 0;
	struct err e = {};

	say(f, &(struct said){ "pve1", 1, 100, 110, 0, 10 });
	say(f, &(struct said){ "pve2", 2, 110, 120, 0, 20 });
	say(f, &(struct said){ "pve1", 3, 100, 109, 101, 9 });
	assert_sampled(f, 0, 0);
	make_old(f);
	assert_int_equal(number(f, rows), 20);
	store_close(f->s);
	f->s = fixture_open(f);
	if (store_migrate(f->s, &from, &to, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(from, 5);
	assert_int_equal(to, SQL_MIGRATIONS);
	assert_sampled(f, 0, 0);
	assert_shown(f, "c", 100, 3, mem(3));
	assert_shown(f, "c", 109, 1, mem(1));
	assert_shown(f, "c", 119, 2, mem(2));
	assert_int_equal(number(f, "SELECT count(*) FROM guests WHERE closed_at IS NULL"), 9);
	say(f, &(struct said){ "pve1", 4, 100, 109, 101, 9 });
	assert_sampled(f, 9, 1);
	say(f, &(struct said){ "pve1", 5, 100, 109, 101, 9 });
	assert_shown(f, "c", 100, 5, mem(5));
	assert_shown(f, "c", 109, 1, mem(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_parts),    FIXTURE_TEST(test_borders),  FIXTURE_TEST(test_moved),
		FIXTURE_TEST(test_closed),   FIXTURE_TEST(test_objects),  FIXTURE_TEST(test_named),
		FIXTURE_TEST(test_storages), FIXTURE_TEST(test_migrated),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
