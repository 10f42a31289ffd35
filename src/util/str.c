/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/str.h"

#include <stdio.h>
#include <strings.h>

bool slice_eq2(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq(struct slice a, const char *b)
{
	return slice_eq2(a, slice_of(b));
}

bool slice_starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool slice_ends(struct slice s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

bool slice_holds_nocase(struct slice s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.n; i++)
		if (strncasecmp(s.p + i, word, n) == 0)
			return true;
	return false;
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

bool str_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_rtrim(struct slice s)
{
	while (s.n && str_is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct slice slice_trim(struct slice s)
{
	while (s.n && str_is_space(*s.p)) {
		s.p++;
		s.n--;
	}
	return slice_rtrim(s);
}

struct slice slice_from(struct slice s, size_t from)
{
	if (from > s.n)
		from = s.n;
	return (struct slice){ s.p + from, s.n - from };
}

size_t slice_find(struct slice s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

bool slice_split(struct slice *rest, char sep, struct slice *ret_piece)
{
	size_t at;

	if (slice_empty(*rest))
		return false;
	at = slice_find(*rest, sep);
	*ret_piece = (struct slice){ rest->p, at };
	*rest = slice_from(*rest, at + 1);
	return true;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool parse_number(struct slice s, int base, uint64_t *ret)
{
	uint64_t v = 0;

	if (slice_empty(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit_value(s.p[i]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	*ret = v;
	return true;
}

bool str_to_u64(struct slice s, uint64_t *ret)
{
	return parse_number(s, 10, ret);
}

bool str_to_u32(struct slice s, uint32_t *ret)
{
	uint64_t v;

	if (!parse_number(s, 10, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool str_hex_to_u64(struct slice s, uint64_t *ret)
{
	return parse_number(s, 16, ret);
}

/* Takes "B" or "iB" off the end; what is left may end in the unit letter. */
static struct slice size_without_b(struct slice s)
{
	if (s.n && s.p[s.n - 1] == 'B') {
		s.n--;
		if (s.n && s.p[s.n - 1] == 'i')
			s.n--;
	}
	return s;
}

bool str_to_size(struct slice s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t whole, fraction = 0, scale = 1, unit = 1, bytes;
	size_t dot;

	s = size_without_b(s);
	if (slice_empty(s))
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (s.p[s.n - 1] == units[i]) {
			unit = UINT64_C(1) << (10 * (i + 1));
			s.n--;
			break;
		}
	}

	dot = slice_find(s, '.');
	if (dot < s.n) {
		struct slice digits = slice_from(s, dot + 1);

		/* More digits than that are below one byte for every unit there is. */
		if (digits.n > 15 || !str_to_u64(digits, &fraction))
			return false;
		for (size_t i = 0; i < digits.n; i++)
			scale *= 10;
		s.n = dot;
	}
	if (!str_to_u64(s, &whole) || __builtin_mul_overflow(whole, unit, &bytes))
		return false;
	bytes += (uint64_t)((__extension__(unsigned __int128) fraction * unit) / scale);
	*ret = bytes;
	return true;
}

const char *str_human_size(uint64_t bytes, char buf[24])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	(void)snprintf(buf, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

size_t str_utf8_len(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t len;
	uint32_t cp;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		len = 2;
		cp = p[0] & 0x1f;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		len = 3;
		cp = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		len = 4;
		cp = p[0] & 0x07;
	} else {
		return 0;
	}
	if (s.n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates and what is past Unicode are not text. */
	if ((len == 3 && cp < 0x800) || (len == 4 && (cp < 0x10000 || cp > 0x10ffff)) ||
	    (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	return len;
}

bool str_has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

bool str_utf8_valid(struct slice s)
{
	while (s.n) {
		size_t len = str_utf8_len(s);

		if (!len)
			return false;
		s = slice_from(s, len);
	}
	return true;
}

static uint32_t utf8_decode(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t cp;

	if (len == 1)
		return p[0];
	cp = p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		cp = cp << 6 | (p[i] & 0x3fu);
	return cp;
}

static bool in_range(uint32_t cp, uint32_t first, uint32_t last)
{
	return cp >= first && cp <= last;
}

/* Code points that change what stands around them without being seen. */
static bool is_deceptive(uint32_t cp)
{
	return in_range(cp, 0x80, 0x9f) || cp == 0xad || in_range(cp, 0x200b, 0x200f) ||
	       in_range(cp, 0x2028, 0x202e) || in_range(cp, 0x2060, 0x206f) || cp == 0xfeff ||
	       in_range(cp, 0xfff0, 0xfffb) || in_range(cp, 0xe0000, 0xe0fff);
}

static bool is_combining(uint32_t cp)
{
	return in_range(cp, 0x300, 0x36f) || in_range(cp, 0x1ab0, 0x1aff) ||
	       in_range(cp, 0x20d0, 0x20ff) || in_range(cp, 0xfe00, 0xfe0f);
}

static bool is_wide(uint32_t cp)
{
	return in_range(cp, 0x1100, 0x115f) || in_range(cp, 0x2e80, 0xa4cf) ||
	       in_range(cp, 0xac00, 0xd7a3) || in_range(cp, 0xf900, 0xfaff) ||
	       in_range(cp, 0xfe30, 0xfe6f) || in_range(cp, 0xff00, 0xff60) ||
	       in_range(cp, 0x1f300, 0x1f64f) || in_range(cp, 0x20000, 0x3fffd);
}

size_t str_width(const char *s)
{
	struct slice rest = slice_of(s);
	size_t width = 0;

	while (rest.n) {
		size_t len = str_utf8_len(rest);
		uint32_t cp;

		if (!len)
			len = 1;
		cp = utf8_decode(rest.p, len);
		width += is_combining(cp) ? 0 : is_wide(cp) ? 2 : 1;
		rest = slice_from(rest, len);
	}
	return width;
}

/* The shown form of the first character of @s; returns the bytes of @s that it stands for. */
static size_t printable_one(char ret[16], struct slice s)
{
	size_t len = str_utf8_len(s);
	uint32_t cp;

	if (!len) {
		(void)snprintf(ret, 16, "\\x%02x", (unsigned char)s.p[0]);
		return 1;
	}
	cp = utf8_decode(s.p, len);
	if (cp < 0x20 || cp == 0x7f)
		(void)snprintf(ret, 16, "\\x%02x", cp);
	else if (is_deceptive(cp))
		(void)snprintf(ret, 16, "\\u{%x}", cp);
	else
		(void)snprintf(ret, 16, "%.*s", (int)len, s.p);
	return len;
}

/* How much of the start of @s is plain ASCII that is shown as it is. */
static size_t plain_run(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f)
		n++;
	return n;
}

void str_printable(char *ret, size_t size, struct slice s)
{
	size_t used = 0;

	while (s.n) {
		size_t run = plain_run(s), room = size > used ? size - used - 1 : 0, len, n;
		char one[16];

		if (run) {
			run = run < room ? run : room;
			memcpy(ret + used, s.p, run);
			used += run;
			s = slice_from(s, run);
			if (!run)
				break;
			continue;
		}
		len = printable_one(one, s);
		n = strlen(one);

		if (used + n + 1 > size)
			break;
		memcpy(ret + used, one, n);
		used += n;
		s = slice_from(s, len);
	}
	if (size)
		ret[used] = '\0';
}
