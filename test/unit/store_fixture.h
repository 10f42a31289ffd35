/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A store for each test: SQLite in a folder that goes, then, if PVEWARDEN_TEST_PG holds a URL,
 * PostgreSQL in a schema that goes. Include after cmocka.h.
 */

#include "hub/store_engine.h"

struct fixture {
	struct store *s;
	char where[512];
	char folder[64];
	char schema[48];
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Any SQL, behind the store's back. */
int fixture_script(struct fixture *f, const char *sql);

/* One more connection to the same store. */
struct store *fixture_open(struct fixture *f);

/* What a query finds: a line each row, | between columns. The first adds to @ret. */
void add_rows(struct store *s, const char *sql, struct buf *ret);
void assert_rows(struct fixture *f, const char *sql, const char *expected);

/* A query of one number. The second is -1 where the store does not answer. */
int64_t number(struct fixture *f, const char *sql);
int64_t try_number(struct store *s, const char *sql);

/* Guests as they count, wherever it stands that they were seen: as one table, in a fixed order. */
#define FIXTURE_GUESTS                                                                         \
	"(SELECT g.org, g.cluster, g.vmid, g.identity, coalesce(s.at, g.seen_at) AS seen_at, " \
	"g.seen_node, coalesce(s.seq, g.seen_seq) AS seen_seq, g.closed_at, g.first_at, "      \
	"g.fresh, g.type, g.node, g.name, g.status, g.locked, g.tags, g.template, g.backup, "  \
	"g.digest, g.data, coalesce(split_part(split_part(s.live, '\n' || g.vmid || ' ', 2), " \
	"'\n', 1), g.live) AS live, g.nanny FROM guests AS g LEFT JOIN samples AS s "          \
	"ON s.org = g.org AND s.cluster = g.cluster AND s.node = g.seen_node AND s.part = "    \
	"g.sampled AND g.sampled > 0) AS guests"

/* Storages in the same way. */
#define FIXTURE_STORAGES                                                                          \
	"(SELECT t.org, t.cluster, t.node, t.name, coalesce(s.at, t.at) AS at, coalesce(s.seq, "  \
	"t.seq) AS seq, t.type, coalesce(split_part(s.live, '\n', CAST(t.line AS INTEGER) + 1), " \
	"t.data) AS data FROM storages AS t LEFT JOIN samples AS s ON s.org = t.org AND "         \
	"s.cluster = t.cluster AND s.node = t.node AND s.part = 0 AND t.line > 0) AS storages"

/* How many guests say that they are sampled and are not, or not as they should be. */
#define FIXTURE_GUESTS_LOST                                                                       \
	"SELECT count(*) FROM guests AS g WHERE g.sampled > 0 AND (g.closed_at IS NOT NULL OR "   \
	"g.fresh = '' OR NOT EXISTS (SELECT 1 FROM samples AS s JOIN samples AS k ON k.org = "    \
	"s.org AND k.cluster = s.cluster AND k.node = s.node AND k.part = 1 AND k.at = s.at AND " \
	"k.seq = s.seq WHERE s.org = g.org AND s.cluster = g.cluster AND s.node = g.seen_node "   \
	"AND s.part = g.sampled AND k.known LIKE '%[' || g.vmid || ',_' || g.fresh || '_,' || "   \
	"g.sampled || ']%' AND s.live LIKE '%\n' || g.vmid || ' {%'))"

#define FIXTURE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
#define fixture_main(tests, n)                                                                 \
	({                                                                                     \
		(void)(n);                                                                     \
		int failed_ = 0;                                                               \
		for (fixture_engine = 0; fixture_engine < fixture_engines(); fixture_engine++) \
			failed_ += cmocka_run_group_tests(tests, NULL, NULL);                  \
		failed_;                                                                       \
	})
extern int fixture_engine;
int fixture_engines(void);
