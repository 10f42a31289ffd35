/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Writing HTML so that it cannot come out wrong: every element that was begun is ended in the right
 * order (asserted), and text from outside is always escaped, with control and direction-changing
 * characters made visible first. Tags, attributes and their fixed values are literals of the
 * program; a value from outside goes through html_attr().
 */

#include "util/buf.h"

enum { HTML_DEPTH = 24 };

struct html {
	struct buf *out;
	const char *open[HTML_DEPTH];
	unsigned int depth;
	bool in_tag; /* the last start tag still takes attributes */
};

void html_begin(struct html *h, const char *tag); /* <tag, closed by whatever comes next */
void html_attr(struct html *h, const char *name, const char *value);
void html_end(struct html *h);

/* <br>, <meta ...>: no content, no end; attributes follow as for html_begin(). */
void html_void(struct html *h, const char *tag);

void html_text(struct html *h, const char *text);
void html_slice(struct html *h, struct slice text);
void html_textf(struct html *h, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A literal of the program that is markup already. */
void html_raw(struct html *h, const char *markup);

/* As much of @text as fits @max characters, then "...". */
void html_text_cut(struct html *h, const char *text, size_t max);

/* Everything begun has been ended. */
void html_done(struct html *h);
