/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

#define GAP 2

void table_done(struct table *t)
{
	vec_free(t);
	arena_done(&t->arena);
}

void table_column(struct table *t, const char *title, unsigned int flags)
{
	if (t->n_columns == TABLE_COLUMNS_MAX)
		return;
	t->columns[t->n_columns].title = title;
	t->columns[t->n_columns++].flags = flags;
}

void table_add_styled(struct table *t, enum term_style style, const char *text)
{
	char shown[1024];
	struct table_cell *cell = vec_push(t);

	str_printable(shown, sizeof(shown), slice_of(text && *text ? text : "-"));
	cell->text = arena_str(&t->arena, slice_of(shown));
	cell->style = style;
}

void table_add(struct table *t, const char *text)
{
	table_add_styled(t, TERM_PLAIN, text);
}

void table_addf(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, text);
}

static void measure(const struct table *t, size_t indent, size_t width, size_t *ret)
{
	size_t sum = indent;

	for (size_t c = 0; c < t->n_columns; c++)
		ret[c] = str_width(t->columns[c].title);
	for (size_t i = 0; i < t->n; i++) {
		size_t w = str_width(t->items[i].text);

		if (w > ret[i % t->n_columns])
			ret[i % t->n_columns] = w;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		sum += ret[c] + (c ? GAP : 0);
	for (size_t c = 0; c < t->n_columns && sum > width; c++) {
		size_t floor = str_width(t->columns[c].title), over = sum - width;

		if (!(t->columns[c].flags & TABLE_ELASTIC))
			continue;
		if (floor < 8)
			floor = 8;
		if (ret[c] > floor) {
			size_t cut = ret[c] - floor < over ? ret[c] - floor : over;

			ret[c] -= cut;
			sum -= cut;
		}
	}
}

/* @text cut to @width columns, the last one being a '~' if anything was cut. */
static void add_cut(struct buf *out, const char *text, size_t width)
{
	struct slice rest = slice_of(text);
	struct buf one = {};
	size_t used = 0;

	if (str_width(text) <= width) {
		buf_adds(out, text);
		return;
	}
	while (rest.n) {
		size_t len = str_utf8_len(rest), w;

		len = len ? len : 1;
		buf_reset(&one);
		buf_add(&one, rest.p, len);
		w = str_width(buf_str(&one));
		if (used + w + 1 > width)
			break;
		buf_add(out, rest.p, len);
		used += w;
		rest = slice_from(rest, len);
	}
	buf_done(&one);
	buf_addc(out, '~');
}

static void add_tail(struct buf *out, const char *text, size_t width)
{
	if (str_width(text) > width) {
		while (str_width(text) + 1 > width) {
			size_t len = str_utf8_len(slice_of(text));

			text += len ? len : 1;
		}
		buf_addc(out, '~');
	}
	buf_adds(out, text);
}

static void add_cell(struct buf *out, const struct table_cell *cell, size_t width,
		     unsigned int flags, bool last, bool color)
{
	CLEANUP(buf_done) struct buf shown = {};
	size_t w, pad;

	if (flags & TABLE_TAIL)
		add_tail(&shown, cell->text, width);
	else
		add_cut(&shown, cell->text, width);
	w = str_width(buf_str(&shown));
	pad = w < width ? width - w : 0;
	if (flags & TABLE_RIGHT)
		buf_addf(out, "%*s", (int)pad, "");
	term_add(out, color, cell->style, buf_str(&shown));
	if (!(flags & TABLE_RIGHT) && !last)
		buf_addf(out, "%*s", (int)pad, "");
}

void table_write(const struct table *t, struct buf *out, size_t indent, size_t width, bool color)
{
	size_t widths[TABLE_COLUMNS_MAX] = {};

	if (!t->n_columns)
		return;
	measure(t, indent, width, widths);
	for (size_t row = 0; row <= t->n / t->n_columns; row++) {
		buf_addf(out, "%*s", (int)indent, "");
		for (size_t c = 0; c < t->n_columns; c++) {
			struct table_cell title = { t->columns[c].title, TERM_DIM };
			const struct table_cell *cell =
				row ? &t->items[(row - 1) * t->n_columns + c] : &title;

			if (c)
				buf_addf(out, "%*s", GAP, "");
			add_cell(out, cell, widths[c], t->columns[c].flags, c + 1 == t->n_columns,
				 color);
		}
		buf_addc(out, '\n');
	}
}
