/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/html.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

static void close_tag(struct html *h)
{
	if (h->in_tag)
		buf_addc(h->out, '>');
	h->in_tag = false;
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_addc(out, *text);
			break;
		}
	}
}

/* One byte becomes four at most (\xNN), three bytes of a code point eight (\u{202e}). */
static void add_safe(struct buf *out, struct slice text)
{
	size_t room = text.n * 4 + 16;
	CLEANUP_FREE char *shown = xmalloc(room);

	str_printable(shown, room, text);
	add_escaped(out, shown);
}

void html_begin(struct html *h, const char *tag)
{
	assert(h->depth < HTML_DEPTH);
	html_void(h, tag);
	h->open[h->depth++] = tag;
}

void html_void(struct html *h, const char *tag)
{
	close_tag(h);
	buf_addc(h->out, '<');
	buf_adds(h->out, tag);
	h->in_tag = true;
}

void html_attr(struct html *h, const char *name, const char *value)
{
	assert(h->in_tag);
	buf_addf(h->out, " %s=\"", name);
	add_safe(h->out, slice_of(value));
	buf_addc(h->out, '"');
}

void html_end(struct html *h)
{
	assert(h->depth > 0);
	close_tag(h);
	buf_addf(h->out, "</%s>", h->open[--h->depth]);
}

void html_slice(struct html *h, struct slice text)
{
	close_tag(h);
	add_safe(h->out, text);
}

void html_text(struct html *h, const char *text)
{
	html_slice(h, slice_of(text));
}

void html_textf(struct html *h, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	html_text(h, text);
	free(text);
}

void html_raw(struct html *h, const char *markup)
{
	close_tag(h);
	buf_adds(h->out, markup);
}

void html_text_cut(struct html *h, const char *text, size_t max)
{
	struct slice rest = slice_of(text);
	size_t n = 0, at = 0;

	while (at < rest.n && n < max) {
		size_t len = str_utf8_len(slice_from(rest, at));

		at += len ? len : 1;
		n++;
	}
	html_slice(h, (struct slice){ rest.p, at });
	if (at < rest.n)
		html_raw(h, "\xe2\x80\xa6");
}

void html_done(struct html *h)
{
	close_tag(h);
	assert(h->depth == 0);
}
