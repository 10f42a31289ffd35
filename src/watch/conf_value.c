/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/conf_value.h"

#include "util/str.h"

#define SECONDS_EXPECTED "seconds from 1 to 315360000, or a time such as 90s, 10m, 6h, 7d"

static bool equals_any_case(struct slice v, const char *word)
{
	return v.n == strlen(word) && strncasecmp(v.p, word, v.n) == 0;
}

const char *conf_take_bool(struct slice v, bool *ret)
{
	static const char *const words[] = { "no", "false", "off", "0", "yes", "true", "on", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (equals_any_case(v, words[i])) {
			*ret = i >= ARRAY_SIZE(words) / 2;
			return NULL;
		}
	}
	return "true or false";
}

static bool take_ms(struct slice v, bool fractions, int64_t *ret)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	int64_t ms = 1000;
	uint32_t n;

	for (size_t i = fractions ? 0 : 1; i < ARRAY_SIZE(units); i++) {
		if (slice_ends(v, units[i].unit)) {
			v.n -= strlen(units[i].unit);
			ms = units[i].ms;
			break;
		}
	}
	if (!str_to_u32(v, &n))
		return false;
	*ret = n * ms;
	return true;
}

const char *conf_take_time(struct slice v, int64_t *ret)
{
	int64_t ms;

	if (!take_ms(v, false, &ms) || ms < 1000 || ms > INT64_C(315360000) * 1000)
		return SECONDS_EXPECTED;
	*ret = ms;
	return NULL;
}

const char *conf_take_timeout(struct slice v, int64_t *ret)
{
	int64_t ms;

	if (!take_ms(v, true, &ms) || ms < 100 || ms > 60000)
		return "seconds from 1 to 60, or 100ms to 60000ms";
	*ret = ms;
	return NULL;
}

const char *conf_take_minute(struct slice v, int *ret)
{
	size_t colon = slice_find(v, ':');
	struct slice minutes = slice_from(v, colon + 1);
	uint32_t h, m;

	if (colon > 2 || minutes.n != 2 || !str_to_u32((struct slice){ v.p, colon }, &h) ||
	    !str_to_u32(minutes, &m) || h > 23 || m > 59)
		return "a time of day, HH:MM from 00:00 to 23:59";
	*ret = (int)(h * 60 + m);
	return NULL;
}

static bool take_port(struct slice v, uint16_t *ret)
{
	uint32_t port;

	if (!str_to_u32(v, &port) || port < 1 || port > 65535)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool has_port(const uint16_t *ports, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* The next piece of a list between blanks and commas. */
static bool next_piece(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	while (rest->n && (str_is_space(*rest->p) || *rest->p == ','))
		*rest = slice_from(*rest, 1);
	while (n < rest->n && !str_is_space(rest->p[n]) && rest->p[n] != ',')
		n++;
	*ret = (struct slice){ rest->p, n };
	*rest = slice_from(*rest, n);
	return n > 0;
}

const char *conf_take_ports(struct slice v, uint16_t ports[WATCH_PORTS_MAX], size_t *n)
{
	uint16_t taken[WATCH_PORTS_MAX] = {}, port;
	struct slice piece;
	size_t found = 0;

	while (next_piece(&v, &piece)) {
		if (!take_port(piece, &port))
			return "ports from 1 to 65535, separated by blanks or commas";
		if (has_port(taken, found, port))
			continue;
		if (found == WATCH_PORTS_MAX)
			return "at most 16 ports";
		taken[found++] = port;
	}
	if (!found)
		return "ports from 1 to 65535, separated by blanks or commas";
	memcpy(ports, taken, sizeof(taken));
	*n = found;
	return NULL;
}

/* What may be shown as it is: UTF-8 without control characters. */
static bool is_plain(struct slice v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			return false;
	return str_utf8_valid(v);
}

static void copy(char *ret, size_t size, struct slice v)
{
	memset(ret, 0, size);
	memcpy(ret, v.p, v.n);
}

const char *conf_take_name(struct slice v, char ret[PROBE_HOST_MAX])
{
	if (slice_empty(v) || v.n >= PROBE_HOST_MAX || !is_plain(v))
		return "a name of at most 63 bytes without control characters";
	copy(ret, PROBE_HOST_MAX, v);
	return NULL;
}

const char *conf_take_status(struct slice v, uint16_t *low, uint16_t *high)
{
	size_t dash = slice_find(v, '-');
	struct slice first = slice_rtrim((struct slice){ v.p, dash }),
		     last = dash < v.n ? slice_trim(slice_from(v, dash + 1)) : first;
	uint32_t a, b;

	if (!str_to_u32(first, &a) || !str_to_u32(last, &b) || a < 100 || b > 599 || a > b)
		return "an HTTP status or a range of them, such as 204 or 200-399";
	*low = (uint16_t)a;
	*high = (uint16_t)b;
	return NULL;
}

const char *conf_take_need(struct slice v, uint32_t *need, uint32_t *of)
{
	struct slice piece;
	uint32_t m, n = 0;

	if (slice_eq(v, "all")) {
		*need = *of = 0;
		return NULL;
	}
	if (!next_piece(&v, &piece) || !str_to_u32(piece, &m) || m < 1 || m > PROBE_TARGETS_MAX)
		return "how many probes must be good: 2, 2 of 3 or all";
	if (next_piece(&v, &piece)) {
		if (!slice_eq(piece, "of") || !next_piece(&v, &piece) || !str_to_u32(piece, &n) ||
		    n < m || next_piece(&v, &piece))
			return "how many probes must be good: 2, 2 of 3 or all";
	}
	*need = m;
	*of = n;
	return NULL;
}

const char *conf_take_budget(struct slice v, uint32_t *n, int64_t *window)
{
	size_t slash = slice_find(v, '/');
	uint32_t restarts;
	int64_t ms;

	if (!str_to_u32(slice_rtrim((struct slice){ v.p, slash }), &restarts) || restarts < 1 ||
	    restarts > 100 || conf_take_time(slice_trim(slice_from(v, slash + 1)), &ms))
		return "restarts (1 to 100) in a time, such as 3/6h";
	*n = restarts;
	*window = ms;
	return NULL;
}

const char *conf_take_ha(struct slice v, enum watch_ha *ret)
{
	if (!slice_eq(v, "commands") && !slice_eq(v, "leave"))
		return "commands or leave";
	*ret = slice_eq(v, "leave") ? WATCH_HA_LEAVE : WATCH_HA_COMMANDS;
	return NULL;
}
