/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "store_fixture.h"
#include "store_docs.h"

/* What is stored, but for when it came and what is only kept to work faster. */
static const char *const dumps[] = {
	"SELECT org, cluster, name, config_version, quorate, members, at, node, seq FROM clusters "
	"ORDER BY 1, 2",
	"SELECT org, cluster, node, at, seq, instance, version, data, findings FROM nodes ORDER BY "
	"1, 2, 3",
	"SELECT org, cluster, vmid, identity, seen_at, seen_node, seen_seq, closed_at, first_at, "
	"node, name, status, digest, data, live FROM " FIXTURE_GUESTS " ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, vmid, at, node, seq, digest, body FROM configs ORDER BY 1, 2, 3",
	"SELECT org, cluster, node, name, at, seq, data FROM " FIXTURE_STORAGES
	" ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, node, part, number, class, vmid, data FROM findings ORDER BY 1, 2, "
	"3, 4, 5",
	"SELECT org, cluster, at, id, kind, node, vmid, data FROM events ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, node, slot, at, seq, cpu, mem FROM node_minutes ORDER BY 1, 2, 3, 4",
	"SELECT org, cluster, node, name, slot, at, used FROM storage_minutes ORDER BY 1, 2, 3, 4, "
	"5",
	"SELECT org, cluster, vmid, slot, identity, at, node, seq, live FROM guest_slots ORDER BY "
	"1, 2, 3, 4, 5",
	"SELECT org, cluster, node, instance, seq, at, ids, list, own, host, members FROM docs "
	"ORDER BY 1, 2, 3, 4, 5",
};

static void dump(struct store *s, struct buf *ret)
{
	buf_reset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		buf_addf(ret, "--- %zu\n", i);
		add_rows(s, dumps[i], ret);
	}
}

static void assert_same(const struct buf *a, const struct buf *b, unsigned int seed)
{
	size_t at = 0, line = 0;

	if (a->len == b->len && memcmp(a->data, b->data, a->len) == 0)
		return;
	for (; at < a->len && at < b->len && a->data[at] == b->data[at]; at++)
		if (a->data[at] == '\n')
			line = at + 1;
	fail_msg("seed %u:\n%.1500s\n--- but\n%.1500s", seed, a->data + line, b->data + line);
}

static void ingest(struct store *s, struct document *docs, size_t n)
{
	struct store_document rows[32] = {}, *list[32];
	struct err e = {};

	for (size_t i = 0; i < n; i++) {
		rows[i] = document_row(&docs[i]);
		list[i] = &rows[i];
	}
	if (store_ingest(s, list, n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].error)
			fail_msg("%s", rows[i].why);
		buf_done(&rows[i].unheard);
	}
}

static void ingest_in_batches(struct store *s, struct document *docs, size_t n, unsigned int *rnd)
{
	for (size_t i = 0; i < n;) {
		size_t k = 1 + (size_t)rand_r(rnd) % 8;

		k = k < n - i ? k : n - i;
		ingest(s, docs + i, k);
		if (rand_r(rnd) % 5 == 0) /* an answer that was lost: once more */
			ingest(s, docs + i, k);
		i += k;
	}
}

static const char *const tables[] = { "clusters", "nodes",	 "guests",	    "configs",
				      "storages", "findings",	 "events",	    "node_minutes",
				      "samples",  "guest_slots", "storage_minutes", "docs",
				      "views" };

static void empty(struct fixture *f)
{
	char sql[64];

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		(void)snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		assert_int_equal(fixture_script(f, sql), 0);
	}
}

/* Any order of arrival, duplicates, batches of any size: one state. */
static void test_order(void **state)
{
	struct fixture *f = *state;
	unsigned int rounds = fixture_engine ? 6 : 12;
	int64_t sampled = 0;

	for (unsigned int seed = 1; seed <= rounds; seed++) {
		CLEANUP(buf_done) struct buf first = {}, then = {};
		struct history h = {};
		unsigned int rnd = seed;

		history_make(&h, seed, 3, 12);
		empty(f);
		ingest_in_batches(f->s, h.items, h.n, &rnd);
		dump(f->s, &first);
		assert_non_null(strstr(buf_str(&first), "guest."));
		for (int again = 0; again < 4; again++) {
			history_shuffle(&h, &rnd, again < 2);
			empty(f);
			ingest_in_batches(f->s, h.items, h.n, &rnd);
			dump(f->s, &then);
			assert_same(&first, &then, seed);
			assert_int_equal(number(f, FIXTURE_GUESTS_LOST), 0);
			sampled += number(f, "SELECT count(*) FROM guests WHERE sampled > 0");
		}
		history_done(&h);
	}
	assert_true(sampled > 0);
}

#define SHOWN(vmid)       \
	"{\"vmid\":" vmid \
	",\"type\":\"qemu\",\"node\":\"pve1\",\"status\":\"running\",\"identity\":\"1/x\"}"
#define LISTED(vmid) "[" vmid ",\"qemu\",\"pve1\"]"

/* What each of a node's documents has for vmids and guests, a minute after the one before. */
static const char *const lists[][2] = {
	{ LISTED("100") "," LISTED("101"), SHOWN("100") "," SHOWN("101") },
	{ "", "" },
	{ LISTED("100") "," LISTED("101"), SHOWN("100") "," SHOWN("101") },
	{ "", "" },
	{ "", SHOWN("100") },
	{ LISTED("100"), SHOWN("100") },
	{ "", "" },
	{ LISTED("100") "," LISTED("102"), SHOWN("100") "," SHOWN("102") },
	{ "", "" },
};

static void make_lists(struct history *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct document *d = vec_push(h);

		(void)snprintf(d->org, sizeof(d->org), "acme");
		(void)snprintf(d->cluster, sizeof(d->cluster), "uuid-1");
		(void)snprintf(d->node, sizeof(d->node), "pve1");
		(void)snprintf(d->instance, sizeof(d->instance), "i1");
		d->sequence = i + 1;
		d->at = 1795269600 + (int64_t)i * 60;
		buf_addf(&d->body,
			 "{\"cluster\": {}, \"quorate\": true, \"complete\": true, "
			 "\"vmids\": [%s], \"guests\": [%s]}",
			 lists[i][0], lists[i][1]);
	}
}

/* An empty list neither ends a guest nor makes the one that is listed again a new one. */
static void test_empty_list(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	unsigned int rnd = 1;

	make_lists(&h);
	for (int again = 0; again < 20; again++) {
		empty(f);
		ingest_in_batches(f->s, h.items, h.n, &rnd);
		assert_rows(f, "SELECT at - 1795269600, kind, vmid FROM events ORDER BY 1, 2, 3",
			    "300|guest.destroyed|101\n420|guest.created|102\n");
		assert_rows(
			f,
			"SELECT vmid, CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END "
			"FROM guests ORDER BY 1",
			"100|open\n101|closed\n102|open\n");
		history_shuffle(&h, &rnd, false);
	}
	history_done(&h);
}

static void test_two_orgs(void **state)
{
	CLEANUP(buf_done) struct buf alone = {}, together = {};
	struct fixture *f = *state;
	struct history a = {}, b = {};
	unsigned int rnd = 5;

	history_make(&a, 3, 3, 8);
	history_make(&b, 4, 3, 8);
	for (size_t i = 0; i < b.n; i++)
		(void)snprintf(b.items[i].org, sizeof(b.items[i].org), "%s", "z-other");
	ingest_in_batches(f->s, a.items, a.n, &rnd);
	dump(f->s, &alone);
	ingest_in_batches(f->s, b.items, b.n, &rnd);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		char sql[96];

		(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE org = 'z-other'",
			       tables[i]);
		assert_true(number(f, sql) > 0 || strcmp(tables[i], "samples") == 0);
		(void)snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE org = 'z-other'", tables[i]);
		assert_int_equal(fixture_script(f, sql), 0);
	}
	dump(f->s, &together);
	assert_same(&alone, &together, 0);
	history_done(&a);
	history_done(&b);
}

/* One that the database refuses does not take its neighbours along. */
static void test_one_fails(void **state)
{
	struct fixture *f = *state;
	struct history h = {};
	struct store_document rows[3] = {}, *list[3];
	const char *broken = "{\"guests\": [], \"configs\": [1, 2, 3, {\"vmid\": }]}";

	history_make(&h, 9, 3, 3);
	for (size_t i = 0; i < 3; i++) {
		rows[i] = document_row(&h.items[i]);
		list[i] = &rows[i];
	}
	rows[1].body = slice_of(broken);
	assert_int_equal(store_ingest(f->s, list, 3, NULL), 0);
	assert_int_equal(rows[0].error, 0);
	assert_true(rows[1].error < 0);
	assert_true(*rows[1].why);
	assert_int_equal(rows[2].error, 0);
	assert_int_equal(number(f, "SELECT count(*) FROM docs"), 2);
	for (size_t i = 0; i < 3; i++)
		buf_done(&rows[i].unheard);
	history_done(&h);
}

/* Every key begins with the tenant, but for the tables that have none. */
static void test_tenant_first(void **state)
{
	static const char *const lite =
		"SELECT count(*) FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = "
		"'table' AND m.name NOT IN ('orgs', 'devices', 'schema_version') AND (i.\"unique\" "
		"= 1) AND (SELECT name FROM pragma_index_info(i.name) WHERE seqno = 0) <> 'org'";
	static const char *const pg =
		"SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN "
		"pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = "
		"c.oid AND a.attnum = i.indkey[0] WHERE n.nspname = current_schema() AND "
		"i.indisunique AND c.relname NOT IN ('orgs', 'devices', 'schema_version') AND "
		"a.attname <> 'org'";
	struct fixture *f = *state;

	assert_int_equal(number(f, fixture_engine ? pg : lite), 0);
	assert_int_equal(fixture_script(f, "CREATE TABLE bad (cluster TEXT PRIMARY KEY)"), 0);
	assert_int_equal(number(f, fixture_engine ? pg : lite), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_order),	 FIXTURE_TEST(test_empty_list),
		FIXTURE_TEST(test_two_orgs),	 FIXTURE_TEST(test_one_fails),
		FIXTURE_TEST(test_tenant_first),
	};

	return fixture_main(tests, ARRAY_SIZE(tests));
}
