/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/jsonw.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/clock.h"
#include "util/str.h"

void jsonw_begin(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
	jsonw_object(w, NULL);
}

void jsonw_begin_row(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
	jsonw_row(w, NULL);
}

void jsonw_end(struct jsonw *w)
{
	jsonw_close(w);
	assert(w->depth == 0);
	buf_addc(w->out, '\n');
}

static void indent(struct jsonw *w)
{
	buf_addc(w->out, '\n');
	for (unsigned int i = 0; i < w->depth; i++)
		buf_addc(w->out, '\t');
}

void jsonw_quote(struct buf *out, struct slice s)
{
	size_t plain = 0;

	buf_addc(out, '"');
	while (plain < s.n) {
		unsigned char c = (unsigned char)s.p[plain];
		size_t len;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			plain++;
			continue;
		}
		buf_add(out, s.p, plain);
		s = slice_from(s, plain);
		plain = 0;
		len = str_utf8_len(s);
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c && (c < 0x20 || c == 0x7f))
			buf_addf(out, "\\u%04x", c);
		else if (c && len)
			buf_add(out, s.p, len);
		else
			buf_adds(out, "\\ufffd");
		s = slice_from(s, len ? len : 1);
	}
	buf_add(out, s.p, s.n);
	buf_addc(out, '"');
}

/* Comma, place and key of the next value. */
static void lead(struct jsonw *w, const char *key)
{
	if (w->depth) {
		bool flat = w->flat[w->depth - 1];

		if (w->used[w->depth - 1])
			buf_adds(w->out, flat ? ", " : ",");
		w->used[w->depth - 1] = true;
		if (!flat)
			indent(w);
	}
	if (key) {
		jsonw_quote(w->out, slice_of(key));
		buf_adds(w->out, ": ");
	}
}

static void open_level(struct jsonw *w, const char *key, char open, char close, bool flat)
{
	assert(w->depth < JSONW_DEPTH);
	lead(w, key);
	buf_addc(w->out, open);
	w->used[w->depth] = false;
	w->close[w->depth] = close;
	w->flat[w->depth] = flat || (w->depth && w->flat[w->depth - 1]);
	w->depth++;
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_level(w, key, '{', '}', false);
}

void jsonw_array(struct jsonw *w, const char *key)
{
	open_level(w, key, '[', ']', false);
}

void jsonw_row(struct jsonw *w, const char *key)
{
	open_level(w, key, '{', '}', true);
}

void jsonw_close(struct jsonw *w)
{
	assert(w->depth > 0);
	w->depth--;
	if (w->used[w->depth] && !w->flat[w->depth])
		indent(w);
	buf_addc(w->out, w->close[w->depth]);
}

void jsonw_slice(struct jsonw *w, const char *key, struct slice v)
{
	lead(w, key);
	jsonw_quote(w->out, v);
}

void jsonw_str(struct jsonw *w, const char *key, const char *v)
{
	if (v)
		jsonw_slice(w, key, slice_of(v));
	else
		jsonw_null(w, key);
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t v)
{
	lead(w, key);
	buf_addu(w->out, v);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t v)
{
	lead(w, key);
	buf_addf(w->out, "%lld", (long long)v);
}

void jsonw_num(struct jsonw *w, const char *key, double v)
{
	if (!isfinite(v)) {
		jsonw_null(w, key);
		return;
	}
	lead(w, key);
	buf_addf(w->out, "%.2f", v);
}

void jsonw_bool(struct jsonw *w, const char *key, bool v)
{
	lead(w, key);
	buf_adds(w->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *key)
{
	lead(w, key);
	buf_adds(w->out, "null");
}

void jsonw_time(struct jsonw *w, const char *key, int64_t v)
{
	char text[CLOCK_TEXT_MAX];

	jsonw_str(w, key, v ? clock_rfc3339(v, text) : NULL);
}

void jsonw_raw(struct jsonw *w, const char *key, struct slice json)
{
	lead(w, key);
	buf_add(w->out, json.p, json.n);
}

void jsonw_fmt(struct jsonw *w, const char *key, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jsonw_str(w, key, text);
}
