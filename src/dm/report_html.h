/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The pieces that the HTML report is made of. It is a mail, so everything that matters is inline
 * and laid out with tables (Outlook draws with Word), classes only carry what a dark or a narrow
 * screen changes, and the whole stays below what Gmail cuts off: each long list has a number of
 * rows and of bytes, and says how many rows are left out.
 */

#include "dm/report_words.h"
#include "util/html.h"

struct page {
	struct html h;
	const struct dm_report *r;
	struct arena a;
};

enum tone { TONE_GOOD, TONE_INFO, TONE_WARN, TONE_BAD, TONE_MUTED };

enum tone page_severity_tone(enum dm_severity s);

/* <tag class= style=>; @class may be NULL. Both are the program's literals. */
void page_el(struct page *p, const char *tag, const char *class, const char *style);
/* Begins a table for layout; page_end() ends it and its row and cell as they were begun. */
void page_layout(struct page *p, const char *class, const char *style);
void page_end(struct page *p, unsigned int elements);

/* A row of the page with a heading; @note under it, may be NULL. Ended by page_section_end(). */
void page_section(struct page *p, const char *title, const char *note);
void page_section_end(struct page *p);

void page_para(struct page *p, const char *text);
void page_pill(struct page *p, enum tone tone, const char *text);
/* A block to copy from; lines are kept. Too long for a mail: said so. */
void page_command(struct page *p, const char *command);
void page_command_row(struct page *p, const char *command); /* the foot of a card */
void page_gap(struct page *p);

/* A list that ends at a number of rows or bytes, whichever comes first. */
struct cut {
	size_t rows, max_rows, end;
};
struct cut page_cut(const struct page *p, size_t max_rows, size_t max_bytes);
bool page_room(const struct page *p, struct cut *c);
/* "and 1,960 more guests: see the attached report", if @total is more than what was shown. */
void page_more(struct page *p, const struct cut *c, size_t total, const char *what);

/* A table of data: a head of @n titles with their widths, then cells row by row. */
struct column {
	const char *title, *width;
	bool optional; /* not on a narrow screen */
};
void page_table(struct page *p, const struct column *columns, size_t n);
void page_table_end(struct page *p);
void page_row(struct page *p);
void page_cell(struct page *p, const char *text);
void page_cell_begin(struct page *p, bool optional);
/* Label and value, with a pill for what is too high. */
void page_fact_rows(struct page *p, const struct report_rows *rows, size_t max_bytes);

/* The sections. */
void page_findings(struct page *p);
void page_notices(struct page *p);
void page_in_use(struct page *p);
void page_missing(struct page *p);
void page_guests(struct page *p);
void page_volumes(struct page *p);
void page_environment(struct page *p);
void page_host(struct page *p);
