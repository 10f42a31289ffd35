/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/clock.h"

#include <stdio.h>
#include <time.h>

#include "util/str.h"

int64_t clock_boot_ms(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_boot_us(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now(void)
{
	return (int64_t)time(NULL);
}

const char *clock_rfc3339(int64_t unix_seconds, char buf[CLOCK_TEXT_MAX])
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)snprintf(buf, CLOCK_TEXT_MAX, "%lld", (long long)unix_seconds);
	return buf;
}

static bool digits(struct slice s, size_t from, size_t n, int *ret)
{
	uint64_t v;

	if (from + n > s.n || !str_to_u64((struct slice){ s.p + from, n }, &v))
		return false;
	*ret = (int)v;
	return true;
}

/* "+0100" or "-0330" in seconds. */
static bool parse_offset(struct slice s, int64_t *ret)
{
	int hours, minutes;

	if (s.n != 5 || (*s.p != '+' && *s.p != '-') || !digits(s, 1, 2, &hours) ||
	    !digits(s, 3, 2, &minutes))
		return false;
	*ret = (hours * 3600 + minutes * 60) * (*s.p == '-' ? -1 : 1);
	return true;
}

/* "2026-11-21" and "04:04:04" with what must stand between them; no day 99. */
static bool parse_parts(struct slice s, struct tm *tm)
{
	if (!digits(s, 0, 4, &tm->tm_year) || !digits(s, 5, 2, &tm->tm_mon) ||
	    !digits(s, 8, 2, &tm->tm_mday) || !digits(s, 11, 2, &tm->tm_hour) ||
	    !digits(s, 14, 2, &tm->tm_min) || !digits(s, 17, 2, &tm->tm_sec))
		return false;
	if (s.p[4] != '-' || s.p[7] != '-' || (s.p[10] != 'T' && s.p[10] != ' ') ||
	    s.p[13] != ':' || s.p[16] != ':')
		return false;
	return tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 &&
	       tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 60;
}

bool clock_parse(struct slice text, int64_t *ret)
{
	struct tm tm = {};
	struct slice zone;
	int64_t offset = 0;

	if (!parse_parts(text, &tm))
		return false;
	zone = slice_trim(slice_from(text, 19));
	if (!slice_eq(zone, "Z") && !parse_offset(zone, &offset))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret = (int64_t)timegm(&tm) - offset;
	return true;
}

const char *clock_duration(int64_t seconds, char buf[CLOCK_TEXT_MAX])
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(units) - 1; i++) {
		int64_t more;

		if (seconds < units[i].seconds)
			continue;
		more = seconds % units[i].seconds / units[i + 1].seconds;
		if (more)
			(void)snprintf(buf, CLOCK_TEXT_MAX, "%lld%s%lld%s",
				       (long long)(seconds / units[i].seconds), units[i].name,
				       (long long)more, units[i + 1].name);
		else
			(void)snprintf(buf, CLOCK_TEXT_MAX, "%lld%s",
				       (long long)(seconds / units[i].seconds), units[i].name);
		return buf;
	}
	(void)snprintf(buf, CLOCK_TEXT_MAX, "%llds", (long long)(seconds < 0 ? 0 : seconds));
	return buf;
}
