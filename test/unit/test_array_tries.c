/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* How often the service tries what it cannot mend, and when that is over. */

#include "array/tries.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, AGAIN = TRIES_AGAIN_S * SECOND };

/* A volume of this node, connected and seen well, with a finding or none. */
struct stage {
	struct registry_entry entry;
	struct survey_map map;
	struct survey survey;
	struct finding_map is;
	struct finding finding;
	struct findings findings;
	struct tries tries;
};

static void set(struct stage *g, enum finding_kind kind)
{
	*g = (struct stage){ .entry = { .verified = true },
			     .map = { .serial = "96622A35A07E4A33000126D2", .settled = true },
			     .is = { .known = true, .state = ARRAY_MAP_CONNECTED } };
	g->map.entry = &g->entry;
	g->finding =
		(struct finding){ .kind = kind, .map = &g->map, .lacking = kind == FINDING_PATHS };
	g->survey.maps = &g->map;
	g->survey.n_maps = 1;
	g->findings = (struct findings){ .maps = &g->is, .items = &g->finding, .n = 1 };
	tries_init(&g->tries);
}

/* What the next look at the node says: 20 s later, with the finding or without. */
static void look(struct stage *g, bool lacks)
{
	g->findings.n = lacks;
	tries_forget(&g->tries, &g->survey, &g->findings);
}

static bool is_due(struct stage *g, int64_t now)
{
	return tries_is_due(&g->tries, &g->finding, now);
}

static void note(struct stage *g, int result, int64_t now)
{
	tries_note(&g->tries, &g->finding, result, now);
}

static void a_connection_waits_as_long_each_time(void **state)
{
	struct stage g;
	int64_t now = MINUTE;

	(void)state;
	set(&g, FINDING_MISSING_CONNECTION);
	for (int i = 0; i < 20; i++, now += AGAIN) {
		assert_true(is_due(&g, now));
		note(&g, -EHOSTUNREACH, now);
		look(&g, true);
		assert_false(is_due(&g, now + AGAIN - 1));
	}
	tries_done(&g.tries);
}

static void paths_wait_twice_as_long_each_time(void **state)
{
	struct stage g;
	int64_t now = MINUTE, wait = AGAIN;

	(void)state;
	set(&g, FINDING_PATHS);
	note(&g, 0, now);
	for (int i = 0; i < TRIES_DOUBLED_MAX + 3; i++) {
		look(&g, true);
		assert_false(is_due(&g, now + wait - 1));
		assert_true(is_due(&g, now + wait));
		now += wait;
		note(&g, 0, now);
		if (i < TRIES_DOUBLED_MAX)
			wait *= 2;
	}
	tries_done(&g.tries);
}

static void what_has_come_is_forgotten(void **state)
{
	struct stage g;

	(void)state;
	set(&g, FINDING_PATHS);
	note(&g, 0, MINUTE);
	look(&g, true);
	assert_false(is_due(&g, 2 * MINUTE));
	look(&g, false);
	assert_true(is_due(&g, 2 * MINUTE));
	note(&g, 0, 2 * MINUTE);
	/* Mapped no more; while one array is out of sight it may be as well. */
	g.survey.n_maps = 0;
	g.survey.n_blind = 1;
	look(&g, false);
	assert_false(is_due(&g, 3 * MINUTE));
	g.survey.n_blind = 0;
	look(&g, false);
	assert_true(is_due(&g, 3 * MINUTE));
	tries_done(&g.tries);
}

/* An attempt that failed leaves the entry unverified until the next look believes in it again:
 * meanwhile nothing lacks, and nothing has come. */
static void what_is_not_seen_well_is_not_over(void **state)
{
	struct stage g;

	(void)state;
	set(&g, FINDING_PATHS);
	note(&g, -EUCLEAN, MINUTE);
	note(&g, -EUCLEAN, 2 * MINUTE);
	g.entry.verified = false;
	look(&g, false);
	g.entry.verified = true;
	look(&g, true);
	assert_false(is_due(&g, 3 * MINUTE));
	g.map.settled = false;
	look(&g, false);
	g.map.settled = true;
	g.is.known = false;
	look(&g, false);
	g.is.known = true;
	look(&g, true);
	assert_false(is_due(&g, 3 * MINUTE));
	tries_done(&g.tries);
}

/* Another volume's path has left the map: its own is looked for at once, and once. */
static void after_a_foreign_path(void **state)
{
	struct stage g;

	(void)state;
	set(&g, FINDING_PATHS);
	note(&g, -EUCLEAN, MINUTE);
	look(&g, true);
	assert_true(is_due(&g, MINUTE + 20 * SECOND));
	note(&g, -EUCLEAN, MINUTE + 20 * SECOND);
	assert_false(is_due(&g, 2 * MINUTE));
	tries_done(&g.tries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_waits_as_long_each_time),
		cmocka_unit_test(paths_wait_twice_as_long_each_time),
		cmocka_unit_test(what_has_come_is_forgotten),
		cmocka_unit_test(what_is_not_seen_well_is_not_over),
		cmocka_unit_test(after_a_foreign_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
