/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/shape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

/* One open object or array of the text, with what is known of it. */
struct level {
	const struct shape *shape; /* NULL: free */
	uint64_t seen;		   /* members that had their turn, a bit a rule */
	uint32_t next;		   /* the rule that will match if members come in our order */
};

struct walk {
	struct scan scan;
	struct level levels[WIRE_DEPTH_MAX];
	struct shape_value *slots;
	struct check_fault *fault;
};

static const struct shape free_shape;

/* --- faults --- */

/* The fault belongs to what stands @up levels above the token at hand. */
static bool PRINTF_LIKE(3, 4) refuse(struct walk *w, unsigned int up, const char *fmt, ...)
{
	struct check_fault *f = w->fault;
	va_list ap;

	f->status = 422;
	scan_path(&w->scan, w->scan.depth - up, f->path, sizeof(f->path));
	va_start(ap, fmt);
	(void)vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
	return false;
}

static const char *kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[SCAN_NULL] = "null",	     [SCAN_BOOL] = "true or false",
		[SCAN_INT] = "an integer",   [SCAN_REAL] = "a number",
		[SCAN_STRING] = "a string",  [SCAN_ARRAY] = "an array",
		[SCAN_OBJECT] = "an object",
	};

	return names[kind];
}

static bool wrong_kind(struct walk *w, unsigned int may, unsigned int up)
{
	char words[128] = "";

	if (may & MAY_REAL)
		may &= ~MAY_INT;
	may &= ~1u;
	for (unsigned int kind = SCAN_OBJECT; kind >= SCAN_NULL; kind--) {
		size_t at = strlen(words);

		if (may & 1u << kind)
			(void)snprintf(words + at, sizeof(words) - at, "%s%s", at ? " or " : "",
				       kind_name(kind));
	}
	return refuse(w, up, "must be %s", words);
}

/* --- strings --- */

static bool two_digits(const char *p, int *ret)
{
	unsigned int tens = (unsigned char)p[0] - '0', ones = (unsigned char)p[1] - '0';

	*ret = (int)(tens * 10 + ones);
	return tens < 10 && ones < 10;
}

static int days_of(int year, int month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970; years begin in March here, so that the leap day is the last one. */
static int64_t day_number(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1, m = (month + 9) % 12;

	return 365LL * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

bool shape_time(struct slice t, int64_t *ret)
{
	int century, year, month, day, hour, minute, second;

	if (t.n != 20 || t.p[4] != '-' || t.p[7] != '-' || t.p[10] != 'T' || t.p[13] != ':' ||
	    t.p[16] != ':' || t.p[19] != 'Z')
		return false;
	if (!two_digits(t.p, &century) || !two_digits(t.p + 2, &year) ||
	    !two_digits(t.p + 5, &month) || !two_digits(t.p + 8, &day) ||
	    !two_digits(t.p + 11, &hour) || !two_digits(t.p + 14, &minute) ||
	    !two_digits(t.p + 17, &second))
		return false;
	year += century * 100;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of(year, month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	*ret = day_number(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

static bool is_word(struct slice text, const char *const *words)
{
	while (*words && !slice_eq(text, *words))
		words++;
	return *words;
}

static bool is_hex(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!strchr("0123456789abcdef", text.p[i]))
			return false;
	return text.n == 32;
}

/* A name's bytes are counted without its escapes. */
static bool name_fits(const struct scan *s)
{
	char plain[WIRE_NAME_MAX + 1];

	if (!s->escaped)
		return s->text.n <= WIRE_NAME_MAX;
	return scan_unescape(s->text, plain, sizeof(plain));
}

/* A name stands in the path of an URL, where none of these may. */
static bool has_control(const struct scan *s)
{
	char plain[WIRE_NAME_MAX + 1];
	struct slice name = s->text;

	if (s->escaped && scan_unescape(s->text, plain, sizeof(plain)))
		name = slice_of(plain);
	return str_has_control(name);
}

static bool check_words(struct walk *w, const struct shape_rule *rule)
{
	if (is_word(w->scan.text, rule->words))
		return true;
	if (!rule->words[1])
		return refuse(w, 0, "must be \"%s\"", rule->words[0]);
	return refuse(w, 0, "must be \"%s\" or \"%s\"%s", rule->words[0], rule->words[1],
		      rule->words[2] ? " or another of its words" : "");
}

static bool check_string(struct walk *w, const struct shape_rule *rule)
{
	const struct scan *s = &w->scan;

	switch (rule->form) {
	case FORM_ANY:
		return true;
	case FORM_NAME:
		if (slice_empty(s->text))
			return refuse(w, 0, "must not be empty");
		if (has_control(s))
			return refuse(w, 0, "has a control character");
		__attribute__((fallthrough));
	case FORM_TEXT:
		return name_fits(s) || refuse(w, 0, "longer than %d bytes", WIRE_NAME_MAX);
	case FORM_TIME:
		return shape_time(s->text, &w->scan.integer) ||
		       refuse(w, 0, "must be a time as \"2026-11-21T14:00:00Z\"");
	case FORM_HEX:
		return is_hex(s->text) || refuse(w, 0, "must be 32 hexadecimal digits");
	case FORM_WORD:
		return check_words(w, rule);
	}
	return false;
}

/* --- values --- */

static bool check_range(struct walk *w, const struct shape_rule *rule)
{
	int64_t v = w->scan.integer;

	if ((!rule->min && !rule->max) || (v >= rule->min && v <= rule->max))
		return true;
	if (rule->max == INT64_MAX)
		return refuse(w, 0, "must be at least %lld", (long long)rule->min);
	return refuse(w, 0, "must be from %lld to %lld", (long long)rule->min,
		      (long long)rule->max);
}

/* The same of a number with a point or an exponent. */
static bool check_real(struct walk *w, const struct shape_rule *rule)
{
	char copy[SCAN_NUMBER_MAX + 1];
	double v;

	if (!rule->min && !rule->max)
		return true;
	(void)snprintf(copy, sizeof(copy), SLICE_FMT, SLICE_ARG(w->scan.text));
	v = strtod(copy, NULL);
	if (v >= (double)rule->min && v <= (double)rule->max)
		return true;
	return refuse(w, 0, "must be from %g to %g", (double)rule->min, (double)rule->max);
}

static bool check_value(struct walk *w, enum scan_kind kind, const struct shape_rule *rule)
{
	const struct scan *s = &w->scan;

	if (!(rule->may & 1u << kind))
		return wrong_kind(w, rule->may, kind >= SCAN_ARRAY);
	if (kind == SCAN_INT && !check_range(w, rule))
		return false;
	if (kind == SCAN_REAL && !check_real(w, rule))
		return false;
	if (kind == SCAN_STRING && !check_string(w, rule))
		return false;
	if (rule->slot && kind != SCAN_NULL && w->slots)
		w->slots[rule->slot] = (struct shape_value){ true, s->text, s->integer };
	return true;
}

static const struct shape_rule *look_up(const struct shape *shape, struct slice key)
{
	for (uint32_t i = 0; i < shape->n; i++)
		if (slice_eq2(shape->rules[i].key, key))
			return &shape->rules[i];
	return NULL;
}

/* The rule of the member at hand, NULL if it is free. Nearly always it is the next one. */
static const struct shape_rule *member_rule(const struct level *l, const struct scan_level *at)
{
	char plain[64];

	if (l->next < l->shape->n && slice_eq2(l->shape->rules[l->next].key, at->key))
		return &l->shape->rules[l->next];
	if (!at->key_escaped)
		return look_up(l->shape, at->key);
	return scan_unescape(at->key, plain, sizeof(plain)) ? look_up(l->shape, slice_of(plain))
							    : NULL;
}

/* A member that counts may stand there once only, and as it is written in docs/wire.md: databases
 * do not agree which one of two is meant, nor whether "vm\u0069d" is "vmid". */
static bool find_member(struct walk *w, struct level *l, const struct scan_level *at,
			unsigned int up, const struct shape_rule **ret)
{
	const struct shape_rule *rule = member_rule(l, at);
	uint64_t bit;

	*ret = rule;
	if (!rule)
		return true;
	if (at->key_escaped)
		return refuse(w, up, "its key must be written without escapes");
	l->next = (uint32_t)(rule - l->shape->rules) + 1;
	bit = 1ull << (l->next - 1);
	if (l->seen & bit)
		return refuse(w, up, "stands there twice");
	l->seen |= bit;
	return true;
}

static bool find_element(struct walk *w, const struct level *l, const struct scan_level *at,
			 unsigned int up, const struct shape_rule **ret)
{
	const struct shape *shape = l->shape;
	uint32_t max = shape->max ? shape->max : WIRE_ARRAY_MAX;

	*ret = NULL;
	if (at->count > max)
		return refuse(w, up + 1, "more than %u elements", max);
	if (!shape->tuple) {
		*ret = shape->rules;
		return true;
	}
	if (at->count > shape->n)
		return refuse(w, up + 1, "must have %u elements", shape->n);
	*ret = &shape->rules[at->count - 1];
	return true;
}

/* A value, and if it opens an object or array, what is to be in there. */
static bool take_value(struct walk *w, enum scan_kind kind)
{
	bool opens = kind >= SCAN_ARRAY;
	unsigned int outer = w->scan.depth - opens;
	const struct scan_level *at = &w->scan.levels[outer - 1];
	struct level *l = &w->levels[outer - 1];
	const struct shape_rule *rule;

	if (!(at->object ? find_member(w, l, at, opens, &rule)
			 : find_element(w, l, at, opens, &rule)))
		return false;
	if (rule && !check_value(w, kind, rule))
		return false;
	if (opens)
		w->levels[outer] = (struct level){
			.shape = rule && rule->inside ? rule->inside : &free_shape,
		};
	return true;
}

static bool take_close(struct walk *w)
{
	const struct scan_level *closed = &w->scan.levels[w->scan.depth];
	const struct level *l = &w->levels[w->scan.depth];

	if (!closed->object)
		return !l->shape->tuple || closed->count == l->shape->n ||
		       refuse(w, 0, "must have %u elements", l->shape->n);
	for (uint32_t i = 0; i < l->shape->n_required; i++)
		if (!(l->seen & 1ull << i))
			return refuse(w, 0, "has no \"%s\"", l->shape->rules[i].key.p);
	return true;
}

static bool take_root(struct walk *w, enum scan_kind kind, const struct shape *root)
{
	w->levels[0] = (struct level){ .shape = root ? root : &free_shape };
	return kind == SCAN_OBJECT || wrong_kind(w, MAY_OBJECT, w->scan.depth);
}

static int scan_fault(const struct walk *w)
{
	struct check_fault *f = w->fault;

	f->status = w->scan.limit ? 422 : 400;
	scan_path(&w->scan, w->scan.depth, f->path, sizeof(f->path));
	(void)snprintf(f->why, sizeof(f->why), "%s", w->scan.fault);
	return -EBADMSG;
}

int shape_check(struct slice text, const struct shape *root, struct shape_value slots[SHAPE_SLOTS],
		struct check_fault *fault)
{
	struct walk w = { .slots = slots, .fault = fault };
	enum scan_kind kind;
	bool fine;

	scan_begin(&w.scan, text);
	w.scan.max_depth = WIRE_DEPTH_MAX;
	w.scan.max_string = WIRE_STRING_MAX;
	kind = scan_next(&w.scan);
	fine = kind != SCAN_FAULT && take_root(&w, kind, root);
	while (fine && (kind = scan_next(&w.scan)) > SCAN_DONE)
		fine = kind == SCAN_CLOSE ? take_close(&w) : take_value(&w, kind);
	if (kind == SCAN_FAULT)
		return scan_fault(&w);
	return fine ? 0 : -EBADMSG;
}
