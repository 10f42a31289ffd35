/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/schedule.h"

#include <time.h>

enum { DAY = 86400 };

/* Seconds that local clocks are ahead of UTC at @t. */
static int64_t offset_at(int64_t t)
{
	time_t at = (time_t)t;
	struct tm tm;

	return localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
}

static bool shows(int64_t t, int64_t local)
{
	return t + offset_at(t) == local;
}

/* The first second in (@early, @late] at which clocks are no longer set as at @early. */
static int64_t jump_between(int64_t early, int64_t late)
{
	int64_t before = offset_at(early);

	while (late - early > 1) {
		int64_t middle = early + (late - early) / 2;

		if (offset_at(middle) == before)
			early = middle;
		else
			late = middle;
	}
	return late;
}

/*
 * When local clocks show @local (seconds as if the zone were UTC) for the first time. No zone
 * changes its clocks twice in two days, so what holds the day before and the day after is all there
 * is to try: both ahead and behind may show it (autumn: the earlier one), or neither (spring).
 */
static int64_t first_showing(int64_t local)
{
	int64_t before = local - offset_at(local - DAY), after = local - offset_at(local + DAY);

	if (shows(before, local))
		return before;
	if (shows(after, local))
		return after;
	return after < before ? jump_between(after, before) : before;
}

/* Not mktime(): where a minute is skipped or comes twice, it leaves open which one is meant. */
int64_t schedule_next(int64_t now, int minute)
{
	int64_t local, day, found = 0;

	tzset();
	local = now + offset_at(now);
	day = local - ((local % DAY) + DAY) % DAY;
	for (int i = -1; i <= 2; i++) {
		int64_t t = first_showing(day + i * DAY + minute * INT64_C(60));

		if (t > now && (!found || t < found))
			found = t;
	}
	return found;
}
