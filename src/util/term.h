/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the terminal on stdout can show: colour, width, UTF-8. Styles are no-ops without colour. */

#include "util/buf.h"

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_GREEN,
	TERM_YELLOW,
	TERM_RED,
	TERM_CYAN,
	TERM_BAD, /* white on red */
};

/* stdout is a terminal, TERM is not "dumb" and NO_COLOR is not set. */
bool term_wants_color(void);

/* Columns of stdout's terminal, 100 when it is none, never below 60. */
size_t term_width(void);

/* The locale's character set is UTF-8. */
bool term_utf8(void);

/* @text with @style around it if @color; @text is escaped (str_printable). */
void term_add(struct buf *out, bool color, enum term_style style, const char *text);

/* @text folded at blanks to @width columns, each line after the first behind @indent blanks. The
 * text is taken as it is: escape names before they go into it. */
void term_wrap(struct buf *out, const char *text, size_t indent, size_t width);
