/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_reply.h"

/* What the next byte may be, or inside what it is. */
enum {
	AT_START,
	AT_KEY_OR_END,
	AT_KEY,
	AT_COLON,
	AT_VALUE,
	AT_VALUE_OR_END,
	AT_COMMA_OR_END,
	AT_STRING,
	AT_ESCAPE,
	AT_HEX,
	AT_LITERAL,
	AT_NUMBER, /* the first of the parts of a number, which come last */
	AT_MINUS = AT_NUMBER,
	AT_ZERO,
	AT_INTEGER,
	AT_POINT,
	AT_FRACTION,
	AT_E,
	AT_E_SIGN,
	AT_EXPONENT,
};

bool probe_word_is(const struct probe_word *w, const char *text)
{
	size_t n = strlen(text);

	return w->n == n && n <= sizeof(w->text) && memcmp(w->text, text, n) == 0;
}

static void word_add(struct probe_word *w, char c)
{
	if (w->n < sizeof(w->text))
		w->text[w->n++] = c;
	else
		w->n = sizeof(w->text) + 1;
}

static bool in_object(const struct probe_reply *r)
{
	return r->objects & 1U << (r->depth - 1);
}

/* A value of the outermost object begins. */
static void note_member(struct probe_reply *r, char c)
{
	const struct probe_word *key = &r->keys[0];

	if (probe_word_is(key, "QMP"))
		r->greeting = true;
	else if (probe_word_is(key, "event"))
		r->event = true;
	else if (probe_word_is(key, "error"))
		r->error = true;
	if (!probe_word_is(key, "return"))
		return;
	r->returns = true;
	r->returns_object = c == '{';
	r->number.n = r->status.n = 0;
}

/* A string or a number has ended. */
static void note_scalar(struct probe_reply *r, bool number)
{
	if (r->depth == 1 && probe_word_is(&r->keys[0], "id"))
		r->id = r->value;
	if (r->depth == 1 && number && probe_word_is(&r->keys[0], "return"))
		r->number = r->value;
	if (r->depth == 2 && in_object(r) && !number && probe_word_is(&r->keys[0], "return") &&
	    probe_word_is(&r->keys[1], "status"))
		r->status = r->value;
}

static bool open_level(struct probe_reply *r, char c)
{
	if (r->depth == PROBE_DEPTH_MAX)
		return false;
	r->objects &= ~(1U << r->depth);
	r->objects |= (uint32_t)(c == '{') << r->depth++;
	r->at = c == '{' ? AT_KEY_OR_END : AT_VALUE_OR_END;
	return true;
}

static bool close_level(struct probe_reply *r, char c)
{
	if (c != (in_object(r) ? '}' : ']'))
		return false;
	r->at = AT_COMMA_OR_END;
	if (--r->depth == 0)
		r->state = PROBE_REPLY_DONE;
	return true;
}

static bool begin_string(struct probe_reply *r, bool key)
{
	r->at = AT_STRING;
	r->in_key = key;
	if (!key)
		r->value.n = 0;
	else if (r->depth <= ARRAY_SIZE(r->keys))
		r->keys[r->depth - 1].n = 0;
	return true;
}

static bool begin_number(struct probe_reply *r, char c)
{
	r->value.n = 0;
	word_add(&r->value, c);
	r->at = c == '-' ? AT_MINUS : c == '0' ? AT_ZERO : AT_INTEGER;
	return true;
}

static bool begin_literal(struct probe_reply *r, char c)
{
	r->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
	r->at = AT_LITERAL;
	return c == 't' || c == 'f' || c == 'n';
}

static bool begin_value(struct probe_reply *r, char c)
{
	if (r->depth == 1)
		note_member(r, c);
	if (c == '{' || c == '[')
		return open_level(r, c);
	if (c == '"')
		return begin_string(r, false);
	if (c == '-' || (c >= '0' && c <= '9'))
		return begin_number(r, c);
	return begin_literal(r, c);
}

static bool between(struct probe_reply *r, char c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return true;
	switch (r->at) {
	case AT_START:
		return c == '{' && open_level(r, c);
	case AT_KEY_OR_END:
		return c == '"' ? begin_string(r, true) : close_level(r, c);
	case AT_KEY:
		return c == '"' && begin_string(r, true);
	case AT_COLON:
		r->at = AT_VALUE;
		return c == ':';
	case AT_VALUE_OR_END:
		return c == ']' ? close_level(r, c) : begin_value(r, c);
	case AT_VALUE:
		return begin_value(r, c);
	default: /* AT_COMMA_OR_END */
		if (c != ',')
			return close_level(r, c);
		r->at = in_object(r) ? AT_KEY : AT_VALUE;
		return true;
	}
}

/* Escapes stay as they are written: no word that is looked for has one. */
static void keep(struct probe_reply *r, char c)
{
	if (!r->in_key)
		word_add(&r->value, c);
	else if (r->depth <= ARRAY_SIZE(r->keys))
		word_add(&r->keys[r->depth - 1], c);
}

static bool string_byte(struct probe_reply *r, char c)
{
	if ((unsigned char)c < 0x20)
		return false;
	if (c == '"' && r->in_key) {
		r->at = AT_COLON;
	} else if (c == '"') {
		r->at = AT_COMMA_OR_END;
		note_scalar(r, false);
	} else {
		keep(r, c);
		if (c == '\\')
			r->at = AT_ESCAPE;
	}
	return true;
}

static bool escape_byte(struct probe_reply *r, char c)
{
	keep(r, c);
	r->at = c == 'u' ? AT_HEX : AT_STRING;
	r->left = 4;
	return c && strchr("\"\\/bfnrtu", c);
}

static bool hex_byte(struct probe_reply *r, char c)
{
	keep(r, c);
	if (--r->left == 0)
		r->at = AT_STRING;
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool literal_byte(struct probe_reply *r, char c)
{
	if (c != *r->literal)
		return false;
	if (!*++r->literal)
		r->at = AT_COMMA_OR_END;
	return true;
}

/* The part of a number that @c continues with, 0 when it belongs to none. */
static uint8_t number_part(uint8_t at, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (at == AT_MINUS && digit)
		return c == '0' ? AT_ZERO : AT_INTEGER;
	if (at == AT_INTEGER && digit)
		return AT_INTEGER;
	if ((at == AT_ZERO || at == AT_INTEGER) && c == '.')
		return AT_POINT;
	if ((at == AT_POINT || at == AT_FRACTION) && digit)
		return AT_FRACTION;
	if ((at == AT_ZERO || at == AT_INTEGER || at == AT_FRACTION) && (c == 'e' || c == 'E'))
		return AT_E;
	if (at == AT_E && (c == '+' || c == '-'))
		return AT_E_SIGN;
	if ((at == AT_E || at == AT_E_SIGN || at == AT_EXPONENT) && digit)
		return AT_EXPONENT;
	return 0;
}

static bool number_byte(struct probe_reply *r, char c)
{
	uint8_t next = number_part(r->at, c);

	if (next) {
		word_add(&r->value, c);
		r->at = next;
		return true;
	}
	if (r->at != AT_ZERO && r->at != AT_INTEGER && r->at != AT_FRACTION && r->at != AT_EXPONENT)
		return false;
	note_scalar(r, true);
	r->at = AT_COMMA_OR_END;
	return between(r, c);
}

static bool take(struct probe_reply *r, char c)
{
	switch (r->at) {
	case AT_STRING:
		return string_byte(r, c);
	case AT_ESCAPE:
		return escape_byte(r, c);
	case AT_HEX:
		return hex_byte(r, c);
	case AT_LITERAL:
		return literal_byte(r, c);
	default:
		return r->at >= AT_NUMBER ? number_byte(r, c) : between(r, c);
	}
}

enum probe_reply_state probe_reply_byte(struct probe_reply *r, char c)
{
	if (r->state == PROBE_REPLY_MORE && !take(r, c))
		r->state = PROBE_REPLY_BAD;
	return r->state;
}
