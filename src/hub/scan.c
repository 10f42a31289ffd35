/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/scan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "util/str.h"

/* What a byte can be the beginning of. */
enum {
	IS_SPACE = 1,
	IS_DIGIT = 2,
	IS_HEX = 4,
	ENDS_RUN = 8,  /* quote, backslash, control, not ASCII: a string's bytes are looked at */
	IS_PLAIN = 16, /* stands in a path without quotes */
};

static const uint8_t class[256] = {
	[0 ... 0x08] = ENDS_RUN,
	['\t'] = ENDS_RUN | IS_SPACE,
	['\n'] = ENDS_RUN | IS_SPACE,
	[0x0b ... 0x0c] = ENDS_RUN,
	['\r'] = ENDS_RUN | IS_SPACE,
	[0x0e ... 0x1f] = ENDS_RUN,
	[' '] = IS_SPACE,
	['"'] = ENDS_RUN,
	['\\'] = ENDS_RUN,
	['-'] = IS_PLAIN,
	['_'] = IS_PLAIN,
	['0' ... '9'] = IS_DIGIT | IS_HEX | IS_PLAIN,
	['A' ... 'F'] = IS_HEX | IS_PLAIN,
	['a' ... 'f'] = IS_HEX | IS_PLAIN,
	['G' ... 'Z'] = IS_PLAIN,
	['g' ... 'z'] = IS_PLAIN,
	[0x80 ... 0xff] = ENDS_RUN,
};

static bool is(char c, unsigned int what)
{
	return class[(unsigned char)c] & what;
}

static enum scan_kind fail(struct scan *s, const char *why)
{
	s->fault = why;
	return SCAN_FAULT;
}

static enum scan_kind too_much(struct scan *s, const char *why)
{
	s->limit = true;
	return fail(s, why);
}

static enum scan_kind cut_off(struct scan *s)
{
	return fail(s, "the text ends in the middle");
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && is(*s->at, IS_SPACE))
		s->at++;
}

/* --- strings --- */

/* Eight bytes at a time while none of them ends a run. May stop early, never late: a borrow can
 * only make a harmless byte look like the end of the run. */
static const char *skip_run(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

	for (; end - p >= 8; p += 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p, 8);
		quote = w ^ ones * '"';
		slash = w ^ ones * '\\';
		if ((w | (w - ones * ' ') | (quote - ones) | (slash - ones)) & tops)
			break;
	}
	while (p < end && !is(*p, ENDS_RUN))
		p++;
	return p;
}

/* Four hexadecimal digits at @p; -1 if they are not. */
static int32_t hex4(const char *p, const char *end)
{
	uint64_t v;

	if (end - p < 4 || !str_hex_to_u64((struct slice){ p, 4 }, &v))
		return -1;
	return (int32_t)v;
}

static bool is_high(int32_t unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* "\uXXXX" at s->at, with its second half if it is a pair. */
static bool unicode_escape(struct scan *s)
{
	int32_t unit = hex4(s->at + 2, s->end);

	s->fault = unit < 0	  ? "\\u is not followed by four hexadecimal digits"
		   : unit == 0	  ? "a string holds a NUL"
		   : is_low(unit) ? "a string holds half a surrogate pair"
				  : NULL;
	if (s->fault)
		return false;
	s->at += 6;
	if (!is_high(unit))
		return true;
	if (s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u' ||
	    !is_low(hex4(s->at + 2, s->end)))
		return fail(s, "a string holds half a surrogate pair");
	s->at += 6;
	return true;
}

static bool escape(struct scan *s)
{
	s->escaped = true;
	if (s->end - s->at < 2)
		return cut_off(s);
	switch (s->at[1]) {
	case 'u':
		return unicode_escape(s);
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->at += 2;
		return true;
	default:
		return fail(s, "a backslash is followed by what it cannot escape");
	}
}

/* One character that ended a run and is not the closing quote. */
static bool special(struct scan *s)
{
	size_t len;

	if (*s->at == '\\')
		return escape(s);
	if ((unsigned char)*s->at < ' ')
		return fail(s, "a control character stands in a string");
	len = str_utf8_len((struct slice){ s->at, (size_t)(s->end - s->at) });
	if (!len)
		return fail(s, "a string is not UTF-8");
	s->at += len;
	return true;
}

/* s->at is behind the opening quote. */
static enum scan_kind string(struct scan *s)
{
	const char *begin = s->at;

	s->escaped = false;
	for (;;) {
		s->at = skip_run(s->at, s->end);
		if (s->at == s->end)
			return cut_off(s);
		if (*s->at == '"')
			break;
		if (!special(s))
			return SCAN_FAULT;
	}
	s->text = (struct slice){ begin, (size_t)(s->at - begin) };
	s->at++;
	if (s->text.n > s->max_string)
		return too_much(s, "a string is too long");
	return SCAN_STRING;
}

/* --- numbers --- */

static bool digits(struct scan *s)
{
	const char *begin = s->at;

	while (s->at < s->end && is(*s->at, IS_DIGIT))
		s->at++;
	return s->at > begin;
}

static bool whole_part(struct scan *s)
{
	if (s->at < s->end && *s->at == '-')
		s->at++;
	if (s->at < s->end && *s->at == '0') {
		s->at++;
		return true;
	}
	return digits(s);
}

static bool fraction(struct scan *s)
{
	s->at++;
	return digits(s);
}

static bool exponent(struct scan *s)
{
	s->at++;
	if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
		s->at++;
	return digits(s);
}

static bool fits_integer(struct scan *s)
{
	bool negative = s->text.p[0] == '-';
	int64_t v = 0;

	for (size_t i = negative; i < s->text.n; i++) {
		int digit = s->text.p[i] - '0';

		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, negative ? -digit : digit, &v))
			return false;
	}
	s->integer = v;
	return true;
}

/* Neither past the largest double, nor so small that it would become 0. The program never sets
 * LC_NUMERIC, so strtod() wants a point. */
static bool fits_double(struct slice text)
{
	char copy[SCAN_NUMBER_MAX + 1];
	size_t mantissa = 0;
	double v;

	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	v = strtod(copy, NULL);
	while (copy[mantissa] != 'e' && copy[mantissa] != 'E')
		mantissa++;
	copy[mantissa] = 0;
	return isfinite(v) && (v != 0 || !strpbrk(copy, "123456789")) &&
	       strlen(copy + mantissa + 1) <= 6;
}

static enum scan_kind number(struct scan *s)
{
	const char *begin = s->at;
	bool real = false, powered = false;

	if (!whole_part(s))
		return fail(s, "a number without digits");
	if (s->at < s->end && *s->at == '.') {
		real = true;
		if (!fraction(s))
			return fail(s, "a number without digits behind its point");
	}
	if (s->at < s->end && (*s->at | 0x20) == 'e') {
		real = powered = true;
		if (!exponent(s))
			return fail(s, "a number without digits in its exponent");
	}
	s->text = (struct slice){ begin, (size_t)(s->at - begin) };
	if (s->text.n > SCAN_NUMBER_MAX)
		return too_much(s, "a number is too long");
	if (!real)
		return fits_integer(s) ? SCAN_INT : too_much(s, "an integer is past 64 bits");
	if (powered && !fits_double(s->text))
		return too_much(s, "a number is past a double's range");
	return SCAN_REAL;
}

/* --- structure --- */

static enum scan_kind word(struct scan *s, struct slice w, enum scan_kind kind)
{
	if ((size_t)(s->end - s->at) < w.n || memcmp(s->at, w.p, w.n) != 0)
		return fail(s, "a word that is not true, false or null");
	s->at += w.n;
	s->truth = w.p[0] == 't';
	return kind;
}

static enum scan_kind open_level(struct scan *s, bool object)
{
	if (s->depth == s->max_depth)
		return too_much(s, "too deep");
	s->at++;
	s->levels[s->depth++] = (struct scan_level){ .object = object };
	return object ? SCAN_OBJECT : SCAN_ARRAY;
}

static enum scan_kind close_level(struct scan *s)
{
	s->at++;
	s->depth--;
	return SCAN_CLOSE;
}

static enum scan_kind value(struct scan *s)
{
	if (s->at == s->end)
		return cut_off(s);
	switch (*s->at) {
	case '"':
		s->at++;
		return string(s);
	case '{':
		return open_level(s, true);
	case '[':
		return open_level(s, false);
	case 't':
		return word(s, SLICE("true"), SCAN_BOOL);
	case 'f':
		return word(s, SLICE("false"), SCAN_BOOL);
	case 'n':
		return word(s, SLICE("null"), SCAN_NULL);
	default:
		if (*s->at != '-' && !is(*s->at, IS_DIGIT))
			return fail(s, "no value begins like that");
		return number(s);
	}
}

/* The member's key and its colon. */
static bool key(struct scan *s, struct scan_level *level)
{
	level->key = (struct slice){};
	if (s->at == s->end)
		return cut_off(s);
	if (*s->at != '\"')
		return fail(s, "a member without a key in quotes");
	s->at++;
	if (string(s) == SCAN_FAULT)
		return false;
	level->key = s->text;
	level->key_escaped = s->escaped;
	skip_space(s);
	if (s->at == s->end)
		return cut_off(s);
	if (*s->at != ':')
		return fail(s, "a key without a colon");
	s->at++;
	skip_space(s);
	return true;
}

/* What follows inside of an object or array. */
static enum scan_kind next_inside(struct scan *s, struct scan_level *level)
{
	if (s->at == s->end)
		return cut_off(s);
	if (*s->at == (level->object ? '}' : ']'))
		return close_level(s);
	if (level->count) {
		if (*s->at != ',')
			return fail(s, "no comma between two values");
		s->at++;
		skip_space(s);
	}
	level->count++;
	if (level->object && !key(s, level))
		return SCAN_FAULT;
	return value(s);
}

enum scan_kind scan_next(struct scan *s)
{
	if (s->fault)
		return SCAN_FAULT;
	skip_space(s);
	if (s->depth)
		return next_inside(s, &s->levels[s->depth - 1]);
	if (!s->done) {
		s->done = true;
		return value(s);
	}
	return s->at == s->end ? SCAN_DONE : fail(s, "more text behind the end");
}

void scan_begin(struct scan *s, struct slice text)
{
	s->at = text.p;
	s->end = text.p + text.n;
	s->max_depth = SCAN_DEPTH_MAX;
	s->max_string = SIZE_MAX;
	s->depth = 0;
	s->done = s->limit = false;
	s->fault = NULL;
	s->text = (struct slice){};
}

/* --- for people --- */

static bool is_plain(struct slice k)
{
	for (size_t i = 0; i < k.n; i++)
		if (!is(k.p[i], IS_PLAIN))
			return false;
	return k.n > 0;
}

static int path_step(const struct scan_level *level, char *ret, size_t size)
{
	char shown[128];

	if (!level->object)
		return snprintf(ret, size, "[%u]", level->count - 1);
	if (is_plain(level->key))
		return snprintf(ret, size, "." SLICE_FMT, SLICE_ARG(level->key));
	str_printable(shown, sizeof(shown), level->key);
	return snprintf(ret, size, "[\"%s\"]", shown);
}

void scan_path(const struct scan *s, unsigned int depth, char *ret, size_t size)
{
	size_t at = (size_t)snprintf(ret, size, "$");

	for (unsigned int i = 0; i < depth && at < size; i++) {
		const struct scan_level *level = &s->levels[i];
		int n = 0;

		if (level->count && (!level->object || level->key.p))
			n = path_step(level, ret + at, size - at);
		at += n > 0 ? (size_t)n : 0;
	}
}

static size_t put_utf8(uint32_t cp, char ret[4])
{
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; cp >>= 6)
		ret[i] = (char)(0x80 | (cp & 0x3f));
	ret[0] = (char)(n == 1 ? cp : (0xf00u >> n & 0xff) | cp);
	return n;
}

/* The escape at the front of @in as UTF-8; takes it away. */
static size_t take_escape(struct slice *in, char ret[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *end = in->p + in->n, *at;
	uint32_t cp;

	if (in->p[1] != 'u') {
		at = strchr(from, in->p[1]);
		ret[0] = at ? to[at - from] : in->p[1];
		*in = slice_from(*in, 2);
		return 1;
	}
	cp = (uint32_t)hex4(in->p + 2, end);
	*in = slice_from(*in, 6);
	if (is_high((int32_t)cp)) {
		cp = 0x10000 + ((cp - 0xd800) << 10) + ((uint32_t)hex4(in->p + 2, end) - 0xdc00);
		*in = slice_from(*in, 6);
	}
	return put_utf8(cp, ret);
}

bool scan_unescape(struct slice text, char *ret, size_t size)
{
	size_t at = 0;

	while (text.n) {
		char bytes[4] = { text.p[0] };
		size_t n = 1;

		if (text.p[0] == '\\')
			n = take_escape(&text, bytes);
		else
			text = slice_from(text, 1);
		if (at + n >= size)
			return false;
		memcpy(ret + at, bytes, n);
		at += n;
	}
	ret[at] = 0;
	return true;
}
