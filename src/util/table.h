/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Tables on a terminal: columns as wide as their content, the one marked as elastic cut to what the
 * width leaves. Cells are escaped, so that a hostile name cannot move the cursor.
 */

#include "util/arena.h"
#include "util/term.h"

enum { TABLE_COLUMNS_MAX = 12 };

/* TABLE_TAIL: cut at the front, because names differ at their ends. */
enum table_flags { TABLE_RIGHT = 1, TABLE_ELASTIC = 2, TABLE_TAIL = 4 };

struct table_cell {
	const char *text;
	enum term_style style;
};

struct table {
	struct {
		const char *title;
		unsigned int flags;
	} columns[TABLE_COLUMNS_MAX];
	size_t n_columns;
	struct table_cell *items; /* row after row */
	size_t n, cap;
	struct arena arena;
};

void table_done(struct table *t);
void table_column(struct table *t, const char *title, unsigned int flags);

/* The next cell from left to right, then down; the text is copied. NULL and "" show "-". */
void table_add(struct table *t, const char *text);
void table_add_styled(struct table *t, enum term_style style, const char *text);
void table_addf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* @indent blanks before each line. A table without rows shows its titles only. */
void table_write(const struct table *t, struct buf *out, size_t indent, size_t width, bool color);
