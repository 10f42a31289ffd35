/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "util/clock.h"

/* A document is refused for what it says, never for what ails the database: an agent throws away
 * what is refused. SQLite has no states of its own for that. */
enum { T = 1795269600, SOON_MS = 10000 };

static struct store_document document_of(const char *node)
{
	return (struct store_document){
		.org = "o",
		.agent = "a",
		.cluster = "c",
		.node = node,
		.instance = "i",
		.sequence = 1,
		.collected_at = T,
		.received_at = T,
		.body = slice_of("{\"quorate\":true,\"complete\":true,\"vmids\":[[100,\"qemu\","
				 "\"pve1\"]],\"guests\":[{\"vmid\":100,\"type\":\"qemu\","
				 "\"node\":\"pve1\",\"status\":\"running\"}]}"),
	};
}

static int ingest(struct fixture *f, struct store_document *d, size_t n)
{
	struct store_document *list[4];
	struct err e = {};
	int r;

	for (size_t i = 0; i < n; i++)
		list[i] = &d[i];
	r = store_ingest(f->s, list, n, &e);
	for (size_t i = 0; i < n; i++)
		buf_done(&d[i].unheard);
	return r;
}

static bool is_postgres(const struct fixture *f)
{
	return f->s->ops->postgres;
}

/* A page that cannot be read, a right that somebody took away, a table that is being restored. */
static void test_not_its_fault(void **state)
{
	static const char *const states[] = { "58030", "42501", "42P01" };
	struct fixture *f = *state;
	char sql[512];

	if (!is_postgres(f))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct store_document d[] = { document_of("pve1"), document_of("pve2"),
					      document_of("pve3") };

		(void)snprintf(
			sql, sizeof(sql),
			"CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE "
			"plpgsql AS 'BEGIN IF NEW.node = ''pve2'' THEN RAISE EXCEPTION "
			"''broken'' USING ERRCODE = ''%s''; END IF; RETURN NEW; END'; "
			"DROP TRIGGER IF EXISTS broken ON docs; CREATE TRIGGER broken BEFORE "
			"INSERT ON docs FOR EACH ROW EXECUTE FUNCTION broken()",
			states[i]);
		assert_int_equal(fixture_script(f, sql), 0);
		d[2].body = slice_of("{\"configs\": [1, {\"vmid\": }]}");
		assert_int_equal(ingest(f, d, 3), 0);
		assert_int_equal(d[0].error, 0);
		assert_int_equal(d[1].error, -EREMOTEIO);
		assert_int_equal(d[2].error, -EBADMSG);
	}
}

/* As while an index is made. */
static void test_lock_of_somebody(void **state)
{
	struct fixture *f = *state;
	struct store_document d = document_of("pve1");
	struct store *other;
	int64_t began;

	if (!is_postgres(f))
		return;
	other = fixture_open(f);
	assert_int_equal(other->ops->script(other, "BEGIN; LOCK TABLE docs IN SHARE MODE", NULL),
			 0);
	f->s->document_ms = 2000;
	began = clock_boot_ms();
	assert_int_equal(ingest(f, &d, 1), -EBUSY);
	assert_in_range(clock_boot_ms() - began, 0, SOON_MS);
	assert_int_equal(other->ops->script(other, "ROLLBACK", NULL), 0);
	assert_int_equal(ingest(f, &d, 1), 0);
	assert_int_equal(d.error, 0);
	store_close(other);
}

/* The database or this program stood still for a while: not the document's doing. A sequence goes
 * on when a transaction is rolled back. */
static void test_stood_still(void **state)
{
	struct fixture *f = *state;
	struct store_document d = document_of("pve1");

	if (!is_postgres(f))
		return;
	assert_int_equal(
		fixture_script(
			f, "CREATE SEQUENCE tries; CREATE FUNCTION once() RETURNS trigger "
			   "LANGUAGE plpgsql AS 'BEGIN IF nextval(''tries'') = 1 THEN PERFORM "
			   "pg_sleep(600); END IF; RETURN NEW; END'; CREATE TRIGGER once BEFORE "
			   "INSERT ON docs FOR EACH ROW EXECUTE FUNCTION once()"),
		0);
	f->s->document_ms = 1000;
	assert_int_equal(ingest(f, &d, 1), 0);
	assert_int_equal(d.error, 0);
}

/* A table that is being mended. */
static void test_no_table(void **state)
{
	struct fixture *f = *state;
	struct store_document d[] = { document_of("pve1"), document_of("pve2") };

	d[1].body = slice_of("{\"configs\": [1, {\"vmid\": }]}");
	assert_int_equal(fixture_script(f, "ALTER TABLE views RENAME TO away"), 0);
	assert_int_equal(ingest(f, d, 1), 0);
	assert_int_equal(d[0].error, -EREMOTEIO);
	assert_int_equal(fixture_script(f, "ALTER TABLE away RENAME TO views"), 0);
	assert_int_equal(ingest(f, d, 2), 0);
	assert_int_equal(d[0].error, 0);
	assert_int_equal(d[1].error, fixture_engine ? -EBADMSG : -EEXIST);
}

/* Everything takes long: each document, and two seconds what is nothing. */
static const char *const stalls[] = {
	"CREATE VIEW forever AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	"SELECT max(i) AS i FROM n; CREATE VIEW for_long AS WITH RECURSIVE n(i) AS (SELECT 1 UNION "
	"ALL SELECT i + 1 FROM n WHERE i < 12000000) SELECT max(i) AS i FROM n; "
	"CREATE TRIGGER stuck BEFORE INSERT ON docs BEGIN SELECT i FROM forever; END; "
	"CREATE TRIGGER slow BEFORE UPDATE ON clusters BEGIN SELECT i FROM for_long; END",
	"CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(CASE "
	"TG_TABLE_NAME WHEN ''docs'' THEN 600 ELSE 2 END); RETURN NEW; END'; "
	"CREATE TRIGGER stuck BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION nap(); "
	"CREATE TRIGGER slow BEFORE UPDATE ON clusters FOR EACH ROW EXECUTE FUNCTION nap()",
};

static void test_disk_stalls(void **state)
{
	struct fixture *f = *state;
	struct store_document d = document_of("pve1");

	assert_int_equal(fixture_script(f, "INSERT INTO clusters (org, cluster, name, at, node, "
					   "seq, closing_at) VALUES ('o', 'c', '', 0, '', 0, 0)"),
			 0);
	assert_int_equal(fixture_script(f, stalls[fixture_engine]), 0);
	f->s->document_ms = 500;
	assert_int_equal(ingest(f, &d, 1), 0);
	assert_int_equal(d.error, -EREMOTEIO);
	/* In the end it is the document alone. */
	assert_int_equal(fixture_script(f, fixture_engine ? "DROP TRIGGER slow ON clusters"
							  : "DROP TRIGGER slow"),
			 0);
	assert_int_equal(ingest(f, &d, 1), 0);
	assert_int_equal(d.error, -ETIME);
}

static void hear(struct fixture *f, const char *node, uint64_t sequence, int64_t at,
		 int64_t received, const char *reporter, const char *unheard)
{
	struct store_document d = document_of(node), *list[] = { &d };

	d.sequence = sequence;
	d.collected_at = at;
	d.received_at = received;
	d.body =
		slice_of("{\"quorate\":true,\"complete\":true,\"interval\":60,\"nodes\":[{\"name\":"
			 "\"pve1\",\"id\":1},{\"name\":\"pve2\",\"id\":2}],\"vmids\":[]}");
	assert_int_equal(store_ingest(f->s, list, 1, NULL), 0);
	assert_int_equal(d.error, 0);
	assert_string_equal(d.reporter, reporter);
	assert_string_equal(buf_str(&d.unheard), unheard);
	buf_done(&d.unheard);
}

/* The hub's clock was a month ahead for a while, and a node died when it was right again: the
 * others would wait for its reports as long. */
static void test_heard_in_the_future(void **state)
{
	enum { MONTH = 33 * 86400 };
	struct fixture *f = *state;

	hear(f, "pve1", 1, T, T + MONTH, "pve1", "[\"pve2\"]");
	hear(f, "pve2", 1, T + 60, T + 60, "pve2", "[\"pve1\"]");
	hear(f, "pve1", 2, T + 61, T + 61, "pve1", "[]");
	hear(f, "pve2", 2, T + 62, T + 62, "pve1", "[]");
	/* What it said earlier comes late. */
	hear(f, "pve1", 3, T + 30, T + MONTH, "pve1", "[\"pve2\"]");
	hear(f, "pve1", 4, T + 40, T + 90, "pve1", "[]");
	hear(f, "pve2", 3, T + 400, T + 400, "pve2", "[\"pve1\"]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_not_its_fault), FIXTURE_TEST(test_lock_of_somebody),
		FIXTURE_TEST(test_stood_still),	  FIXTURE_TEST(test_no_table),
		FIXTURE_TEST(test_disk_stalls),	  FIXTURE_TEST(test_heard_in_the_future),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
