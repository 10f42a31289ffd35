/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_docs.h"
#include "store_fixture.h"

enum { T = 1795269600, HOUR = 3600 };

/* All but history and what keeps the hub fast. */
static const char *const states[] = {
	"SELECT * FROM " FIXTURE_GUESTS " ORDER BY org, cluster, vmid, identity",
	"SELECT * FROM configs ORDER BY org, cluster, vmid",
	"SELECT * FROM events ORDER BY org, cluster, at, id",
	"SELECT node, at, seq, instance, version, data, findings, wanted FROM nodes ORDER BY 1",
	"SELECT * FROM " FIXTURE_STORAGES " ORDER BY org, cluster, node, name",
	"SELECT * FROM findings ORDER BY org, cluster, node, part, number",
	"SELECT org, cluster, name, members, at, node, seq FROM clusters ORDER BY 1, 2",
	"SELECT * FROM docs ORDER BY org, cluster, node, instance, seq",
	"SELECT * FROM hours ORDER BY org, cluster, subject, slot",
};

static void dump(struct fixture *f, struct buf *ret)
{
	buf_reset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		buf_addf(ret, "--- %zu\n", i);
		add_rows(f->s, states[i], ret);
	}
}

static void retain(struct fixture *f, int64_t now, unsigned int *ret_steps)
{
	struct err e = {};
	bool more = true;

	for (*ret_steps = 0; more; (*ret_steps)++)
		if (store_retain(f->s, now, &more, &e) < 0)
			fail_msg("%s", e.text);
}

static void put(struct fixture *f, struct store_document *d)
{
	struct store_document *list[] = { d };
	struct err e = {};

	if (store_ingest(f->s, list, 1, &e) < 0 || d->error)
		fail_msg("%s%s", e.text, d->why);
}

static void put_all(struct fixture *f, struct history *h, int64_t later)
{
	for (size_t i = 0; i < h->n; i++) {
		struct store_document d = document_row(&h->items[i]);

		d.received_at += later;
		put(f, &d);
		buf_done(&d.unheard);
	}
}

static const char *yes(void)
{
	return fixture_engine ? "t\n" : "1\n";
}

/* The whole of it comes once more after the hub has forgotten it: nothing opens, closes or happens
 * a second time. */
static void test_forgotten(void **state)
{
	CLEANUP(buf_done) struct buf before = {}, after = {};
	struct fixture *f = *state;
	struct history h = {};
	unsigned int steps;

	history_make(&h, 5, 3, 40);
	put_all(f, &h, 0);
	assert_rows(f, "SELECT count(*) > 15 FROM events WHERE kind LIKE 'guest.%'", yes());
	retain(f, T + 60 * HOUR, &steps);
	assert_rows(f, "SELECT count(*) FROM docs", "0\n");
	dump(f, &before);
	put_all(f, &h, 60 * HOUR);
	assert_rows(f, "SELECT count(*) > 0 FROM node_minutes", yes());
	assert_rows(f, "SELECT count(*) > 0 FROM guest_slots", yes());
	assert_rows(f, "SELECT count(*) > 0 FROM storage_minutes", yes());
	retain(f, T + 60 * HOUR, &steps);
	assert_rows(f, "SELECT count(*) FROM node_minutes", "0\n");
	assert_rows(f, "SELECT count(*) FROM guest_slots", "0\n");
	dump(f, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	history_done(&h);
}

/* A clock that is days behind: the node is there with its age, and keeps its minutes. */
static void test_far_behind(void **state)
{
	struct fixture *f = *state;
	struct history h = {};

	history_make(&h, 5, 1, 2);
	put_all(f, &h, 72 * HOUR);
	assert_rows(f, "SELECT node, at < 1795273200, received_at > 1795359600 FROM nodes",
		    fixture_engine ? "pve0|t|t\n" : "pve0|1|1\n");
	assert_rows(f, "SELECT count(*) > 0 FROM node_minutes", yes());
	assert_rows(f, "SELECT count(*) FROM guests", "0\n");
	assert_rows(f, "SELECT count(*) FROM guest_slots", "0\n");
	history_done(&h);
}

/* Steps are an hour each, and hours that were gathered in steps are those of one go. */
static void test_steps(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	unsigned int steps, hours = 0;

	history_make(&h, 7, 2, 30);
	for (size_t i = 0; i < h.n; i++)
		h.items[i].at = T + (int64_t)i * 600;
	put_all(f, &h, 0);
	hours = (unsigned int)(h.n - 1) / 6 + 1;
	retain(f, T + 200 * HOUR, &steps);
	/* One each, one that finds no more of this cluster, one that finds no more cluster. */
	assert_int_equal(steps, hours + 2);
	assert_rows(f, "SELECT count(*) FROM node_minutes", "0\n");
	assert_rows(f, "SELECT count(*) FROM storage_minutes", "0\n");
	assert_rows(f, "SELECT count(*) FROM guest_slots", "0\n");
	assert_rows(f, "SELECT count(*) FROM views", "0\n");
	assert_rows(f,
		    "SELECT count(*) > 5 FROM hours WHERE subject = 'node/pve1' AND data LIKE "
		    "'%cpu_max%'",
		    yes());
	history_done(&h);
}

static const char *const breaks[] = {
	"CREATE TRIGGER broken BEFORE INSERT ON hours WHEN new.cluster = 'bad' "
	"BEGIN SELECT RAISE(ABORT, 'no'); END",
	/* The square of what they differ in is past what a double holds. */
	"UPDATE node_minutes SET cpu = CASE slot % 120 WHEN 0 THEN 1e200 ELSE -1e200 END "
	"WHERE cluster = 'bad'",
};

/* What cannot be gathered stays where it is, and keeps nobody else from his turn. */
static void test_past_a_failure(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	struct err e = {};
	bool more = true;
	int r = 0;

	history_make(&h, 5, 1, 10);
	for (size_t i = 0; i < h.n; i++)
		(void)snprintf(h.items[i].cluster, sizeof(h.items[i].cluster), "%s",
			       i % 2 ? "bad" : "good");
	put_all(f, &h, 0);
	for (size_t i = 0; i < h.n; i++)
		h.items[i].sequence += 1000, h.items[i].at += 60;
	put_all(f, &h, 0);
	assert_int_equal(
		fixture_script(f, "INSERT INTO tokens (org, hash, id, kind, agent, person, label, "
				  "created_at, expires_at, revoked_at, used_at) VALUES "
				  "('o', 'h', 'i', 1, '', '', "
				  "'', 1, 2, 0, 0)"),
		0);
	assert_int_equal(fixture_script(f, breaks[fixture_engine]), 0);
	for (int i = 0; r == 0 && more && i < 100; i++)
		r = store_retain(f->s, T + 200 * HOUR, &more, &e);
	assert_true(r < 0);
	assert_false(more);
	assert_non_null(strstr(e.text, "cluster bad: "));
	assert_rows(f, "SELECT count(*) > 0 FROM node_minutes WHERE cluster = 'bad'", yes());
	assert_rows(f, "SELECT count(*) FROM node_minutes WHERE cluster = 'good'", "0\n");
	assert_rows(f, "SELECT count(*) > 0 FROM hours WHERE cluster = 'good'", yes());
	assert_rows(f, "SELECT count(*) FROM tokens", "0\n");
	/* The next round begins at the start, with nothing to complain of once it is well. */
	assert_int_equal(fixture_script(f, fixture_engine ? "UPDATE node_minutes SET cpu = 0"
							  : "DROP TRIGGER broken"),
			 0);
	for (more = true; more;)
		assert_int_equal(store_retain(f->s, T + 200 * HOUR, &more, &e), 0);
	assert_rows(f, "SELECT count(*) FROM node_minutes", "0\n");
	history_done(&h);
}

static struct store_document of(const char *node, uint64_t sequence, int64_t at, const char *body)
{
	return (struct store_document){
		.org = "o",
		.agent = "a",
		.cluster = "c",
		.node = node,
		.instance = "i",
		.sequence = sequence,
		.collected_at = at,
		.received_at = at,
		.body = slice_of(body),
	};
}

/* The same twice in one list is one; the first. */
static void test_repeats(void **state)
{
	CLEANUP(buf_done) struct buf items = {}, cursor = {};
	struct store_query q = { .org = "o", .list = STORE_LIST_NODES, .limit = 10 };
	struct fixture *f = *state;
	struct store_document d = of(
		"pve1", 1, T,
		"{\"cluster\":{},\"quorate\":true,\"complete\":true,\"reporter\":true,"
		"\"nodes\":[{\"name\":\"pve1\",\"id\":1,\"online\":true},"
		"{\"name\":\"pve1\",\"id\":1,\"online\":false}],"
		"\"vmids\":[[100,\"qemu\",\"pve1\"],[100,\"qemu\",\"pve1\"]],"
		"\"guests\":[{\"vmid\":100,\"name\":\"a\",\"identity\":\"x\"},"
		"{\"vmid\":101,\"name\":\"c\"},"
		"{\"vmid\":100,\"name\":\"b\",\"identity\":\"x\"},"
		"{\"vmid\":100,\"name\":\"b\",\"identity\":\"y\"}],"
		"\"configs\":[{\"vmid\":100,\"digest\":\"1\"},{\"vmid\":101,\"digest\":\"2\"},"
		"{\"digest\":\"3\",\"vmid\":100}],"
		"\"storages\":[{\"name\":\"local\",\"total\":1},{\"name\":\"local\",\"total\":2}]}");
	struct err e = {};

	put(f, &d);
	buf_done(&d.unheard);
	assert_rows(f, "SELECT vmid, identity, name FROM guests ORDER BY 1", "100|x|a\n101||c\n");
	assert_rows(f, "SELECT vmid, digest FROM configs ORDER BY 1", "100|1\n101|2\n");
	assert_rows(f, "SELECT name, CAST(total AS BIGINT) FROM storage_minutes", "local|1\n");
	if (store_list(f->s, &q, &items, &cursor, &e) < 0)
		fail_msg("%s", e.text);
	assert_non_null(strstr(buf_str(&items), "\"pve1\""));
}

/* --- hours that come in pieces --- */

/* A minute of an hour that is over for three days when it comes; the first came at once. */
static void put_minute(struct fixture *f, int minute, const char *cpu, const char *mem)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document d = of("pve1", (uint64_t)minute + 1, T + 60 * minute, "");

	buf_addf(&body,
		 "{\"host\":{\"cpu\":%s,\"memory\":{\"used\":%s}},\"guests\":[{\"vmid\":100,"
		 "\"identity\":\"x\",\"type\":\"qemu\",\"node\":\"pve1\",\"cpu\":%s,\"mem\":%s}],"
		 "\"storages\":[{\"name\":\"local\",\"used\":%s,\"total\":%d}]}",
		 cpu, mem, cpu, mem, mem, 100 + minute);
	d.body = buf_slice(&body);
	d.received_at = minute ? T + 72 * HOUR : T;
	put(f, &d);
	buf_done(&d.unheard);
}

static void put_minutes(struct fixture *f, int from, int until, const char *cpu)
{
	unsigned int steps;

	for (int i = from; i < until; i++)
		put_minute(f, i, cpu, i % 20 ? "1000" : "null");
	retain(f, T + 72 * HOUR, &steps);
}

/* In thousandths. */
static int64_t hour_of(struct fixture *f, const char *subject, const char *field)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT CAST(round(1000 * CAST(%s ->> '%s' AS DOUBLE PRECISION)) AS BIGINT) "
		       "FROM hours WHERE subject = '%s'",
		       fixture_engine ? "CAST(data AS json)" : "data", field, subject);
	return number(f, sql);
}

/* Twenty minutes, forty more after they were gathered, and all of it a second time. */
static void test_hour_in_pieces(void **state)
{
	CLEANUP(buf_done) struct buf before = {}, after = {};
	struct fixture *f = *state;

	put_minutes(f, 0, 20, "0.1");
	assert_int_equal(hour_of(f, "node/pve1", "cpu"), 100);
	put_minutes(f, 15, 60, "0.9");
	assert_int_equal(hour_of(f, "node/pve1", "cpu"), (20 * 100 + 40 * 900) / 60);
	assert_int_equal(hour_of(f, "node/pve1", "cpu_max"), 900);
	assert_int_equal(hour_of(f, "node/pve1", "mem"), 1000000);
	assert_int_equal(hour_of(f, "guest/100", "cpu"), (5 * 100 + 8 * 900) / 13);
	assert_int_equal(hour_of(f, "guest/100", "cpu_max"), 900);
	assert_int_equal(hour_of(f, "storage/pve1/local", "used"), 1000000);
	assert_int_equal(hour_of(f, "storage/pve1/local", "total"), 159000);
	assert_rows(f, "SELECT subject, counts FROM hours ORDER BY 1",
		    "guest/100|13 12 0 0 0\nnode/pve1|60 0 0 57 0 0 0 0\nstorage/pve1/local|57\n");
	dump(f, &before);
	put_minutes(f, 1, 60, "0.7");
	dump(f, &after);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_rows(f, "SELECT count(*) FROM node_minutes", "0\n");
}

/* A row from before minutes were counted may have them all. */
static void test_hour_of_before(void **state)
{
	struct fixture *f = *state;

	put_minutes(f, 0, 20, "0.1");
	assert_int_equal(fixture_script(f, "UPDATE hours SET taken = -1, counts = ''"), 0);
	put_minutes(f, 20, 60, "0.9");
	assert_int_equal(hour_of(f, "node/pve1", "cpu"), 100);
}

/* Somebody is about to put down one more: it would be dropped without having been gathered. */
static void test_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	struct err e = {};
	bool more;

	put_minutes(f, 0, 20, "0.1");
	if (!fixture_engine)
		return;
	other = fixture_open(f);
	assert_int_equal(other->ops->script(other, "BEGIN; SELECT 1 FROM clusters FOR UPDATE", &e),
			 0);
	assert_int_equal(fixture_script(f, "SET lock_timeout = '200ms'"), 0);
	assert_int_equal(store_retain(f->s, T + 72 * HOUR, &more, &e), -EBUSY);
	assert_int_equal(other->ops->script(other, "COMMIT", &e), 0);
	assert_int_equal(store_retain(f->s, T + 72 * HOUR, &more, &e), 0);
	store_close(other);
}

#define MEMBERS                                                                                 \
	"\"interval\":60,\"nodes\":[{\"name\":\"pve3\",\"id\":3},{\"name\":\"pve1\",\"id\":1}," \
	"{\"name\":\"pve2\",\"id\":2}]"

static void assert_answer(struct fixture *f, const char *node, uint64_t sequence, int64_t at,
			  const char *reporter, const char *unheard)
{
	struct store_document d = of(node, sequence, T + at, "{" MEMBERS "}");

	put(f, &d);
	assert_string_equal(d.reporter, reporter);
	assert_string_equal(buf_str(&d.unheard), unheard);
	buf_done(&d.unheard);
}

static void test_reporter(void **state)
{
	struct fixture *f = *state;

	assert_answer(f, "pve2", 1, 0, "pve2", "[\"pve1\",\"pve3\"]");
	assert_answer(f, "pve1", 1, 10, "pve1", "[\"pve3\"]");
	assert_answer(f, "pve2", 2, 189, "pve1", "[\"pve3\"]");
	assert_answer(f, "pve2", 3, 190, "pve2", "[\"pve1\",\"pve3\"]");
	/* A duplicate is a sign of life as well. */
	assert_answer(f, "pve3", 1, 191, "pve2", "[\"pve1\"]");
	assert_answer(f, "pve1", 2, 192, "pve1", "[]");
	assert_answer(f, "pve\"1", 1, 193, "pve1", "[]");
}

static void assert_wanted(struct fixture *f, uint64_t sequence, const char *digest,
			  const char *config, bool wanted)
{
	CLEANUP(buf_done) struct buf body = {};
	struct store_document d;
	char id[STORE_ID_MAX] = "";

	buf_addf(&body, "{\"guests\":[{\"vmid\":100,\"node\":\"pve1\",\"digest\":\"%s\"}]", digest);
	if (*config)
		buf_addf(&body, ",\"configs\":[{\"vmid\":100,\"digest\":\"%s\"}]", config);
	buf_adds(&body, "}");
	for (int again = 0; again < 2; again++) {
		d = of("pve1", sequence, T + (int64_t)sequence, buf_str(&body));
		put(f, &d);
		assert_int_equal(d.configs_wanted, wanted);
		assert_int_equal(d.duplicate, again);
		assert_string_equal(d.id, again ? id : d.id);
		(void)snprintf(id, sizeof(id), "%s", d.id);
		buf_done(&d.unheard);
	}
}

static void test_wanted(void **state)
{
	struct fixture *f = *state;

	assert_wanted(f, 1, "d1", "", true);
	assert_wanted(f, 2, "d1", "", true);
	assert_wanted(f, 3, "d1", "d1", false);
	assert_wanted(f, 4, "d1", "", false);
	assert_wanted(f, 5, "d2", "", true);
	assert_wanted(f, 6, "d2", "d2", false);
}

/* --- tenants --- */

static const char *const tenant_tables[] = {
	"tokens",	 "users",	    "agents",	   "docs",
	"views",	 "clusters",	    "nodes",	   "guests",
	"configs",	 "storages",	    "findings",	   "events",
	"node_minutes",	 "storage_minutes", "guest_slots", "hours",
	"nanny_objects", "nanny_agents_of", "samples",
};

/* Of the command line of whoever may read the database, and of the hub itself. */
static const char *const for_all[] = { "counts",      "drop_agents",	"drop_tokens",
				       "retain_next", "token_each_org", "user_each_org" };

static bool is_one_of(const char *word, size_t n, const char *const *list, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (strlen(list[i]) == n && strncmp(list[i], word, n) == 0)
			return true;
	return false;
}

static bool is_tenant_table(const char *word)
{
	return is_one_of(word, strspn(word, "abcdefghijklmnopqrstuvwxyz_"), tenant_tables,
			 ARRAY_SIZE(tenant_tables));
}

static size_t count_after(const char *sql, const char *word)
{
	size_t n = 0;

	for (const char *at = sql; (at = strstr(at, word)); at += strlen(word))
		n += is_tenant_table(at + strlen(word));
	return n;
}

static size_t count_of(const char *sql, const char *word)
{
	size_t n = 0;

	for (const char *at = sql; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

/* Each table that a statement reads or changes has its own "org = $1", each row that it adds $1. */
static bool is_of_one_org(const char *sql, bool postgres)
{
	size_t tables =
		count_after(sql, "FROM ") + count_after(sql, "JOIN ") + count_after(sql, "UPDATE ");
	const char *into = strstr(sql, "INSERT INTO ");
	const char *first = postgres ? "$1" : "?1";

	if (into && is_tenant_table(into + strlen("INSERT INTO "))) {
		char values[16], select[16];

		(void)snprintf(values, sizeof(values), "VALUES (%s,", first);
		(void)snprintf(select, sizeof(select), "SELECT %s,", first);
		if (!strstr(sql, " (org, ") || (!strstr(sql, values) && !strstr(sql, select)))
			return false;
	}
	return count_of(sql, postgres ? "org = $1" : "org = ?1") >= tables;
}

static void test_every_where(void **state)
{
	size_t exceptions = 0, with_tables = 0;

	(void)state;
	for (int engine = 0; engine < 2; engine++)
		for (int i = 0; i < SQL_COUNT; i++) {
			const char *sql = sql_texts[engine][i], *name = sql_names[i];
			bool one = is_of_one_org(sql, engine);
			bool all = is_one_of(name, strlen(name), for_all, ARRAY_SIZE(for_all));

			if (one == all)
				fail_msg("%s: %s", name, sql);
			exceptions += all;
			with_tables += count_after(sql, "FROM ") > 0;
		}
	assert_int_equal(exceptions, 2 * ARRAY_SIZE(for_all));
	assert_true(with_tables > 100);
	assert_false(is_of_one_org("SELECT 1 FROM nodes AS n JOIN docs AS d ON d.node = n.node "
				   "WHERE n.org = $1",
				   true));
	assert_false(is_of_one_org("INSERT INTO nodes (org, node) VALUES ($2, $1)", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_forgotten),	   FIXTURE_TEST(test_far_behind),
		FIXTURE_TEST(test_steps),	   FIXTURE_TEST(test_past_a_failure),
		FIXTURE_TEST(test_repeats),	   FIXTURE_TEST(test_reporter),
		FIXTURE_TEST(test_hour_in_pieces), FIXTURE_TEST(test_hour_of_before),
		FIXTURE_TEST(test_one_at_a_time),  FIXTURE_TEST(test_wanted),
		FIXTURE_TEST(test_every_where),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
