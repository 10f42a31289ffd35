/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The next time that local clocks show a minute, where they are put forward and back. */

#include "watch/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "util/clock.h"

static int64_t at(const char *text)
{
	int64_t t = 0;

	if (!clock_parse(slice_of(text), &t))
		fail_msg("%s is no time", text);
	return t;
}

static void set_zone(const char *zone)
{
	(void)setenv("TZ", zone, 1);
	tzset();
}

static void changes(void **state)
{
	static const struct {
		const char *zone, *now;
		int minute;
		const char *next;
	} rows[] = {
		{ "UTC", "2026-11-21T04:04:04Z", 4 * 60 + 4, "2026-11-22T04:04:00Z" },
		{ "UTC", "2026-11-21T04:03:59Z", 4 * 60 + 4, "2026-11-21T04:04:00Z" },
		{ "UTC", "2026-11-21T04:04:00Z", 4 * 60 + 4, "2026-11-22T04:04:00Z" },
		{ "UTC", "2026-12-31T23:59:59Z", 0, "2027-01-01T00:00:00Z" },
		/* 2026-03-29 02:00 is 03:00: 02:30 comes when the clocks are put forward. */
		{ "Europe/Amsterdam", "2026-03-28T12:00:00Z", 150, "2026-03-29T01:00:00Z" },
		{ "Europe/Amsterdam", "2026-03-29T01:00:00Z", 150, "2026-03-30T00:30:00Z" },
		{ "Europe/Amsterdam", "2026-03-28T12:00:00Z", 119, "2026-03-29T00:59:00Z" },
		{ "Europe/Amsterdam", "2026-03-28T12:00:00Z", 120, "2026-03-29T01:00:00Z" },
		{ "Europe/Amsterdam", "2026-03-28T12:00:00Z", 180, "2026-03-29T01:00:00Z" },
		{ "Europe/Amsterdam", "2026-03-29T00:30:00Z", 239, "2026-03-29T01:59:00Z" },
		/* 2026-10-25 03:00 is 02:00 again: 02:30 counts the first time. */
		{ "Europe/Amsterdam", "2026-10-24T12:00:00Z", 150, "2026-10-25T00:30:00Z" },
		{ "Europe/Amsterdam", "2026-10-25T00:30:00Z", 150, "2026-10-26T01:30:00Z" },
		{ "Europe/Amsterdam", "2026-10-25T00:59:00Z", 150, "2026-10-26T01:30:00Z" },
		{ "Europe/Amsterdam", "2026-10-25T00:59:00Z", 180, "2026-10-25T02:00:00Z" },
		{ "Europe/Amsterdam", "2026-10-24T12:00:00Z", 120, "2026-10-25T00:00:00Z" },
		{ "America/New_York", "2026-03-08T05:30:00Z", 150, "2026-03-08T07:00:00Z" },
		{ "America/New_York", "2026-11-01T05:00:00Z", 90, "2026-11-01T05:30:00Z" },
		{ "America/New_York", "2026-11-01T05:30:00Z", 90, "2026-11-02T06:30:00Z" },
		/* Half an hour: 02:00 is 02:30 on 2026-10-04, 02:00 is 01:30 on 2026-04-05. */
		{ "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 135, "2026-10-03T15:30:00Z" },
		{ "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 150, "2026-10-03T15:30:00Z" },
		{ "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 105, "2026-04-04T14:45:00Z" },
		{ "Australia/Lord_Howe", "2026-04-04T14:45:00Z", 105, "2026-04-05T15:15:00Z" },
		/* Midnight itself is skipped. */
		{ "America/Santiago", "2026-09-05T12:00:00Z", 30, "2026-09-06T04:00:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char got[CLOCK_TEXT_MAX];

		set_zone(rows[i].zone);
		clock_rfc3339(schedule_next(at(rows[i].now), rows[i].minute), got);
		if (strcmp(got, rows[i].next) != 0)
			fail_msg("%s, %s, minute %d: %s, expected %s", rows[i].zone, rows[i].now,
				 rows[i].minute, got, rows[i].next);
	}
}

static int minute_at(int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	assert_non_null(localtime_r(&at, &tm));
	return tm.tm_hour * 60 + tm.tm_min;
}

/* The clocks jumped over that minute just then. */
static bool jumped_over(int64_t t, int minute)
{
	int before = minute_at(t - 1), after = minute_at(t);

	if (after < before)
		return minute > before || minute < after;
	return before < minute && minute < after;
}

static void check(const char *zone, int64_t now, int minute)
{
	int64_t next = schedule_next(now, minute);

	if (next <= now || next - now > 25 * 3600 ||
	    (minute_at(next) != minute && !jumped_over(next, minute)))
		fail_msg("%s: %lld, minute %d: %lld", zone, (long long)now, minute,
			 (long long)next);
}

/* Three days from @start on: every minute of the day now and then, some of them every minute. */
static void walk(const char *zone, const char *start)
{
	int64_t first = at(start);

	set_zone(zone);
	for (int64_t now = first; now < first + 3 * 86400; now += 43 * 60 + 1)
		for (int minute = 0; minute < 1440; minute++)
			check(zone, now, minute);
	for (int64_t now = first; now < first + 3 * 86400; now += 60)
		for (int minute = 0; minute <= 180; minute += 15)
			check(zone, now, minute);
}

static void every_minute(void **state)
{
	(void)state;
	walk("Europe/Amsterdam", "2026-03-28T00:00:00Z");
	walk("Europe/Amsterdam", "2026-10-24T00:00:00Z");
	walk("America/New_York", "2026-03-07T00:00:00Z");
	walk("America/New_York", "2026-10-31T00:00:00Z");
	walk("Australia/Lord_Howe", "2026-04-03T00:00:00Z");
	walk("Australia/Lord_Howe", "2026-10-02T00:00:00Z");
	walk("America/Santiago", "2026-09-05T00:00:00Z");
	walk("UTC", "2026-12-31T00:00:00Z");
}

/* Once a day and not twice: from one time to the next. */
static void once_a_day(void **state)
{
	static const char *const zones[] = { "Europe/Amsterdam", "America/New_York",
					     "Australia/Lord_Howe", "UTC" };

	(void)state;
	for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
		set_zone(zones[z]);
		for (int minute = 0; minute < 1440; minute += 15) {
			int64_t t = at("2026-01-01T12:00:00Z"), end = at("2027-01-01T12:00:00Z");
			int n = 0;

			for (t = schedule_next(t, minute); t <= end; t = schedule_next(t, minute))
				n++;
			assert_int_equal(n, 365);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(every_minute),
		cmocka_unit_test(once_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
