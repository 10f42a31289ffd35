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
