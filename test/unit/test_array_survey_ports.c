/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A session counts when it has worked for a while, so that who scans by himself has had the time;
 * one that was lost and comes back is new. */

#include "array/survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "test_pve_tree.h"

enum { ROUND_MS = 20000, BEGIN_MS = 5000000 };

static struct tree tree;

static int end(void **state)
{
	(void)state;
	tree_done(&tree);
	return 0;
}

#define SESSION "sys/devices/platform/host4/session1/iscsi_session/session1"

static void session(const char *state)
{
	tree_write(&tree, SESSION "/state", state);
}

static int begin(void **state)
{
	(void)state;
	tree_make(&tree);
	tree_write(&tree, SESSION "/targetname", "iqn.2010-06.com.purestorage:flasharray.a\n");
	tree_link(&tree, "sys/class/iscsi_session/session1",
		  "../../devices/platform/host4/session1/iscsi_session/session1");
	session("LOGGED_IN\n");
	return 0;
}

/* Whether a map without a path lacks one, as a survey at @now sees it. */
static bool lacks(struct survey_memory *memory, int64_t now)
{
	struct map_found found = { .ways_known = true };
	struct survey_map map = { .found = &found };
	struct survey s = { .maps = &map, .n_maps = 1 };
	bool ret;

	survey_ports(&s, &tree.root, memory, now);
	assert_int_equal(s.n_ports, 1);
	ret = survey_may_lack(&s);
	assert_int_equal(ret, survey_lacks(&map, &s.ports[0]));
	/* With a path over it nothing lacks. */
	found.ways[found.n_ways++].host = 4;
	assert_false(survey_may_lack(&s));
	arena_done(&s.arena);
	return ret;
}

static void what_works_for_a_while_counts(void **state)
{
	struct survey_memory memory = {};
	int64_t now = BEGIN_MS;

	(void)state;
	assert_false(lacks(&memory, now));
	assert_false(lacks(&memory, now += ROUND_MS));
	assert_true(lacks(&memory, now += ROUND_MS));
	assert_true(lacks(&memory, now += ROUND_MS));
	session("FAILED\n");
	assert_false(lacks(&memory, now += ROUND_MS));
	session("LOGGED_IN\n");
	assert_false(lacks(&memory, now += ROUND_MS));
	assert_false(lacks(&memory, now += ROUND_MS));
	assert_true(lacks(&memory, now + ROUND_MS));
	survey_memory_done(&memory);
}

/* Who asks for it now has it now. */
static void without_a_memory_it_counts_at_once(void **state)
{
	(void)state;
	assert_true(lacks(NULL, BEGIN_MS));
	session("FREE\n");
	assert_false(lacks(NULL, BEGIN_MS));
}

static void where_nothing_is_mapped_nothing_is_read(void **state)
{
	struct survey s = {};

	(void)state;
	survey_ports(&s, &tree.root, NULL, BEGIN_MS);
	assert_int_equal(s.n_ports, 0);
	arena_done(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_works_for_a_while_counts, begin, end),
		cmocka_unit_test_setup_teardown(without_a_memory_it_counts_at_once, begin, end),
		cmocka_unit_test_setup_teardown(where_nothing_is_mapped_nothing_is_read, begin,
						end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
