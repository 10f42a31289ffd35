/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_html.h"

#include <stdio.h>

#include "util/str.h"

/* A longer one is looked up in the attached report: half a command must never be copied. */
enum { COMMAND_MAX = 1200 };

#define MONO "Consolas,Menlo,monospace"

enum tone page_severity_tone(enum dm_severity s)
{
	switch (s) {
	case DM_SEVERITY_CRITICAL:
		return TONE_BAD;
	case DM_SEVERITY_UNKNOWN:
	case DM_SEVERITY_WARNING:
		return TONE_WARN;
	case DM_SEVERITY_NOTICE:
		return TONE_INFO;
	case DM_SEVERITY_NONE:
	default:
		return TONE_GOOD;
	}
}

void page_el(struct page *p, const char *tag, const char *class, const char *style)
{
	html_begin(&p->h, tag);
	if (class)
		html_attr(&p->h, "class", class);
	if (style)
		html_attr(&p->h, "style", style);
}

void page_layout(struct page *p, const char *class, const char *style)
{
	html_begin(&p->h, "table");
	html_attr(&p->h, "role", "presentation");
	html_attr(&p->h, "width", "100%");
	html_attr(&p->h, "cellpadding", "0");
	html_attr(&p->h, "cellspacing", "0");
	html_attr(&p->h, "border", "0");
	if (class)
		html_attr(&p->h, "class", class);
	if (style)
		html_attr(&p->h, "style", style);
}

void page_end(struct page *p, unsigned int elements)
{
	while (elements--)
		html_end(&p->h);
}

void page_section(struct page *p, const char *title, const char *note)
{
	html_raw(&p->h, "\n");
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", "pad ink",
		"padding:28px 32px 0;font-size:14px;line-height:21px;color:#1f2933");
	page_el(p, "h2", "ink",
		"margin:0 0 10px;font-size:17px;line-height:22px;font-weight:600;color:#1f2933");
	html_text(&p->h, title);
	html_end(&p->h);
	if (!note)
		return;
	page_el(p, "p", "mut", "margin:0 0 12px;font-size:13px;line-height:19px;color:#5f6c7b");
	html_text(&p->h, note);
	html_end(&p->h);
}

void page_section_end(struct page *p)
{
	page_end(p, 2);
}

void page_para(struct page *p, const char *text)
{
	page_el(p, "p", NULL, "margin:0 0 10px");
	html_text(&p->h, text);
	html_end(&p->h);
}

/* Dark letters on a light ground of the same colour: readable, and the word says it as well. */
void page_pill(struct page *p, enum tone tone, const char *text)
{
	static const struct {
		const char *class, *style;
	} looks[] = {
#define PILL "padding:1px 7px;border-radius:9px;font-size:12px;font-weight:600;"
		[TONE_GOOD] = { "tg", PILL "background:#d4edda;color:#155724" },
		[TONE_INFO] = { "ti", PILL "background:#d1ecf1;color:#0c5460" },
		[TONE_WARN] = { "tw", PILL "background:#fff3cd;color:#6b5000" },
		[TONE_BAD] = { "tb", PILL "background:#f8d7da;color:#721c24" },
		[TONE_MUTED] = { "tm", PILL "background:#e9ecef;color:#495057" },
	};

	page_el(p, "span", looks[tone].class, looks[tone].style);
	html_text(&p->h, text);
	html_end(&p->h);
}

static void command_lines(struct page *p, struct slice rest)
{
	struct slice line;

	for (bool first = true; slice_split(&rest, '\n', &line); first = false) {
		if (!first)
			html_void(&p->h, "br");
		html_slice(&p->h, line);
	}
}

#define CODE                                                                     \
	"padding:9px 14px;background:#f3f5f7;color:#1f2933;font:12px/18px " MONO \
	";white-space:pre-wrap;"

static void command_cell(struct page *p, const char *style, const char *command)
{
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", "code", style);
	if (strlen(command) > COMMAND_MAX)
		html_text(&p->h, "The command is too long for a mail: see the attached report, or "
				 "pvewarden dm check on the node.");
	else
		command_lines(p, slice_of(command));
	page_end(p, 2);
}

void page_command_row(struct page *p, const char *command)
{
	command_cell(p, CODE "border-top:1px solid #dde2e7", command);
}

void page_command(struct page *p, const char *command)
{
	page_layout(p, NULL, NULL);
	command_cell(p, CODE "border:1px solid #dde2e7", command);
	html_end(&p->h);
}

/* Word knows no margins of tables. */
void page_gap(struct page *p)
{
	page_el(p, "div", NULL, "height:10px;line-height:10px;font-size:1px");
	html_raw(&p->h, "&#160;");
	html_end(&p->h);
}

struct cut page_cut(const struct page *p, size_t max_rows, size_t max_bytes)
{
	return (struct cut){ .max_rows = max_rows, .end = p->h.out->len + max_bytes };
}

bool page_room(const struct page *p, struct cut *c)
{
	if (c->rows >= c->max_rows || p->h.out->len >= c->end)
		return false;
	c->rows++;
	return true;
}

/* "1,960" */
static const char *grouped(size_t n, char buf[32])
{
	char digits[24];
	size_t len, at = 0;

	(void)snprintf(digits, sizeof(digits), "%zu", n);
	len = strlen(digits);
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

void page_more(struct page *p, const struct cut *c, size_t total, const char *what)
{
	char number[32];

	if (total <= c->rows)
		return;
	page_el(p, "p", "mut", "margin:8px 0 0;font-size:13px;color:#5f6c7b");
	html_textf(&p->h, "and %s more %s: see the attached report.",
		   grouped(total - c->rows, number), what);
	html_end(&p->h);
}

void page_table(struct page *p, const struct column *columns, size_t n)
{
	html_begin(&p->h, "table");
	html_attr(&p->h, "width", "100%");
	html_attr(&p->h, "cellpadding", "0");
	html_attr(&p->h, "cellspacing", "0");
	html_attr(&p->h, "border", "0");
	html_attr(&p->h, "style",
		  "table-layout:fixed;border-collapse:collapse;font-size:13px;line-height:18px");
	page_el(p, "tr", NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		page_el(p, "th", columns[i].optional ? "mut line opt" : "mut line",
			"padding:0 8px 5px 0;text-align:left;font-size:12px;font-weight:600;"
			"color:#5f6c7b;border-bottom:2px solid #e3e7eb");
		html_attr(&p->h, "scope", "col");
		if (columns[i].width)
			html_attr(&p->h, "width", columns[i].width);
		html_text(&p->h, columns[i].title);
		html_end(&p->h);
	}
	html_end(&p->h);
}

void page_table_end(struct page *p)
{
	html_end(&p->h);
}

void page_row(struct page *p)
{
	html_raw(&p->h, "\n");
	html_begin(&p->h, "tr");
	html_attr(&p->h, "valign", "top");
}

void page_cell_begin(struct page *p, bool optional)
{
	page_el(p, "td", optional ? "line opt" : "line",
		"padding:6px 8px 6px 0;border-bottom:1px solid #e9edf0");
}

void page_cell(struct page *p, const char *text)
{
	page_cell_begin(p, false);
	html_text(&p->h, text);
	html_end(&p->h);
}

static void fact_row(struct page *p, const struct report_row *row)
{
	const char *word = report_level_word(row->level);

	page_row(p);
	page_el(p, "td", "mut line",
		"padding:6px 12px 6px 0;width:130px;color:#5f6c7b;border-bottom:1px solid #e9edf0");
	html_text(&p->h, row->label);
	html_end(&p->h);
	page_cell_begin(p, false);
	html_text_cut(&p->h, row->value, 900);
	if (word) {
		html_raw(&p->h, " ");
		page_pill(p, row->level == HOST_TOO_HIGH ? TONE_BAD : TONE_WARN, word);
	}
	page_end(p, 2);
}

void page_fact_rows(struct page *p, const struct report_rows *rows, size_t max_bytes)
{
	struct cut cut = page_cut(p, rows->n, max_bytes);

	page_layout(p, NULL, "font-size:13px;line-height:18px");
	vec_each (row, rows)
		if (page_room(p, &cut))
			fact_row(p, row);
	html_end(&p->h);
}
