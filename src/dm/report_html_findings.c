/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What is wrong, finding by finding, and who holds what. */

#include "dm/report_html.h"

#include "dm/explain.h"

#define MONO "font-family:Consolas,Menlo,'DejaVu Sans Mono',monospace;"

/* Longer sentences than this are made of hostile names. */
enum { SENTENCE_MAX = 700, NAME_MAX_SHOWN = 130 };

static void piece(struct page *p, const char *style)
{
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", NULL, style);
}

static void labelled(struct page *p, const char *label, const char *text)
{
	if (!text)
		return;
	piece(p, "padding:6px 14px 0");
	page_el(p, "b", NULL, NULL);
	html_text(&p->h, label);
	html_end(&p->h);
	html_raw(&p->h, " ");
	html_text_cut(&p->h, text, SENTENCE_MAX);
	page_end(p, 2);
}

static void card_title(struct page *p, const struct dm_mapping *map, const struct dm_verdict *v)
{
	piece(p, "padding:12px 14px 0");
	page_pill(p, page_severity_tone(v->severity), dm_class_name(v->class));
	if (v->duplicate) {
		html_raw(&p->h, " ");
		page_pill(p, TONE_BAD, "duplicate");
	}
	if (map->dev->open_count) {
		html_raw(&p->h, " ");
		page_pill(p, TONE_MUTED, "[IN USE]");
	}
	page_el(p, "div", NULL,
		"margin-top:5px;" MONO
		"font-size:14px;font-weight:bold;word-break:break-word;overflow-wrap:anywhere");
	html_text_cut(&p->h, map->dev->name, NAME_MAX_SHOWN);
	page_end(p, 3);
}

static const char *sentence(struct page *p, const char *text)
{
	if (!text || !*text)
		return text;
	return arena_fmt(&p->a, "%c%s.", *text >= 'a' && *text <= 'z' ? *text - 32 : *text,
			 text + 1);
}

static void card(struct page *p, size_t i)
{
	const struct dm_look *l = p->r->check->look;
	const struct dm_verdict *v = &l->verdicts[i];
	const struct dm_mapping *map = &l->model.mappings[i];
	struct dm_explanation text;

	dm_explain(&text, &l->model, map, v, &p->a);
	html_raw(&p->h, "\n");
	page_layout(
		p, "line",
		v->severity == DM_SEVERITY_CRITICAL
			? "table-layout:fixed;border:1px solid #e3e7eb;border-left:4px solid #dc3545"
			: "table-layout:fixed;border:1px solid #e3e7eb;border-left:4px solid #ffc107");
	card_title(p, map, v);
	piece(p, "padding:6px 14px 0");
	html_text_cut(&p->h, sentence(p, text.reason), SENTENCE_MAX);
	page_end(p, 2);
	labelled(p, "Impact:", sentence(p, text.impact));
	labelled(p, "Used by:", dm_report_users(p->r, i, &p->a));
	labelled(p, text.command ? "First:" : "What to do:", text.first);
	if (text.command) {
		piece(p, "padding:8px 14px 0");
		page_command(p, text.command);
		page_end(p, 2);
	}
	piece(p, "padding:0 0 12px;font-size:1px;line-height:1px");
	html_raw(&p->h, "&#160;");
	page_end(p, 3);
	page_gap(p);
}

struct group {
	enum dm_severity severity;
	const char *title, *note, *what;
	size_t max_rows, max_bytes;
};

static void findings_of(struct page *p, const struct group *g)
{
	const struct dm_verdict *v = p->r->check->look->verdicts;
	struct cut cut = page_cut(p, g->max_rows, g->max_bytes);
	size_t total = 0;

	vec_each (i, &p->r->findings)
		total += v[*i].severity == g->severity;
	if (!total)
		return;
	page_section(p, arena_fmt(&p->a, "%s (%zu)", g->title, total), g->note);
	vec_each (i, &p->r->findings)
		if (v[*i].severity == g->severity && page_room(p, &cut))
			card(p, *i);
	page_more(p, &cut, total, g->what);
	page_section_end(p);
}

void page_findings(struct page *p)
{
	static const struct group groups[] = {
		{ DM_SEVERITY_CRITICAL, "Critical issues",
		  "These endanger data or keep guests from starting.", "critical findings", 15,
		  20000 },
		{ DM_SEVERITY_UNKNOWN, "Could not be told",
		  "What it takes to judge these is missing.", "that could not be told", 5, 5000 },
		{ DM_SEVERITY_WARNING, "Warnings: orphans and their like",
		  "They block new guests or migrations, or will.", "warnings", 12, 14000 },
	};

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		findings_of(p, &groups[g]);
}

static void name_cell(struct page *p, const char *name)
{
	page_el(p, "td", "line",
		"padding:6px 8px 6px 0;vertical-align:top;border-bottom:1px solid #e9edf0;"
		"word-break:break-word;overflow-wrap:anywhere;" MONO "font-size:12px");
	html_text_cut(&p->h, name, NAME_MAX_SHOWN);
	html_end(&p->h);
}

/* What needs nothing done: a line each. */
void page_notices(struct page *p)
{
	static const struct column columns[] = { { "What", "76", false },
						 { "Entry", "38%", false },
						 { "Why", NULL, false } };
	const struct dm_look *l = p->r->check->look;
	struct cut cut = page_cut(p, 10, 5000);

	if (!p->r->check->summary.notices)
		return;
	page_section(p, arena_fmt(&p->a, "Notices (%zu)", p->r->check->summary.notices),
		     "Nothing has to be done about these.");
	page_table(p, columns, ARRAY_SIZE(columns));
	vec_each (i, &p->r->findings) {
		struct dm_explanation text;

		if (l->verdicts[*i].severity != DM_SEVERITY_NOTICE || !page_room(p, &cut))
			continue;
		dm_explain(&text, &l->model, &l->model.mappings[*i], &l->verdicts[*i], &p->a);
		page_row(p);
		page_cell_begin(p, false);
		page_pill(p, TONE_INFO, dm_class_name(l->verdicts[*i].class));
		html_end(&p->h);
		name_cell(p, l->model.mappings[*i].dev->name);
		page_cell_begin(p, false);
		html_text_cut(&p->h, sentence(p, text.reason), 300);
		page_end(p, 2);
	}
	page_table_end(p);
	page_more(p, &cut, p->r->check->summary.notices, "notices");
	page_section_end(p);
}

void page_in_use(struct page *p)
{
	static const struct column columns[] = { { "Entry", "50%", false },
						 { "Who has it open", NULL, false } };
	const struct dm_look *l = p->r->check->look;
	size_t total = p->r->check->summary.in_use;
	struct cut cut = page_cut(p, 12, 4500);

	page_section(
		p, arena_fmt(&p->a, "Findings in use (%zu)", total),
		total ? "An open entry cannot be removed. Stop what holds it, then check again."
		      : "No entry that is reported here is open.");
	if (total)
		page_table(p, columns, ARRAY_SIZE(columns));
	vec_each (i, &p->r->findings) {
		if (!l->model.mappings[*i].dev->open_count || !page_room(p, &cut))
			continue;
		page_row(p);
		name_cell(p, l->model.mappings[*i].dev->name);
		page_cell_begin(p, false);
		html_text_cut(&p->h, dm_report_users(p->r, *i, &p->a), 200);
		page_end(p, 2);
	}
	if (total)
		page_table_end(p);
	page_more(p, &cut, total, "in use");
	page_section_end(p);
}

void page_missing(struct page *p)
{
	const char *next = report_next_id(p->r, &p->a);
	struct cut cut = page_cut(p, 60, 2500);

	page_section(p, arena_fmt(&p->a, "Ids of guests that do not exist (%zu)", p->r->missing.n),
		     p->r->missing.n
			     ? "Entries and volumes of these ids are left here. A new guest of "
			       "such an id may fail with \xe2\x80\x9c"
			       "Device or resource busy\xe2\x80\x9d."
			     : "Nothing is left here of guests that no longer exist.");
	if (p->r->missing.n) {
		page_el(p, "p", NULL, "margin:0 0 8px");
		vec_each (t, &p->r->missing) {
			if (!page_room(p, &cut))
				break;
			html_textf(&p->h, "%s%u (%zu)", cut.rows > 1 ? ", " : "", (*t)->vmid,
				   (*t)->in_the_way);
		}
		html_end(&p->h);
	}
	page_more(p, &cut, p->r->missing.n, "ids");
	if (next)
		page_para(p, next);
	page_section_end(p);
}
