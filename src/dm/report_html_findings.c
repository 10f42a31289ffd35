/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What is wrong, finding by finding, and who holds what. */

#include "dm/report_html.h"

#include "dm/explain.h"

#define MONO "Consolas,Menlo,monospace"

/* Longer sentences than this are made of hostile names. */
enum { SENTENCE_MAX = 700, NAME_MAX_SHOWN = 130 };

/* A sentence begins with a capital, unless its first word is a name. */
static const char *sentence(struct page *p, const char *text)
{
	size_t word = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz") : 0;

	if (!word || !strchr(" :,", text[word]))
		return text ? arena_fmt(&p->a, "%s.", text) : NULL;
	return arena_fmt(&p->a, "%c%s.", *text - 'a' + 'A', text + 1);
}

static void labelled(struct page *p, const char *label, const char *text)
{
	if (!text)
		return;
	page_el(p, "p", NULL, "margin:6px 0 0");
	if (*label) {
		page_el(p, "b", NULL, NULL);
		html_text(&p->h, label);
		html_end(&p->h);
		html_raw(&p->h, " ");
	}
	html_text_cut(&p->h, text, SENTENCE_MAX);
	html_end(&p->h);
}

static void card_title(struct page *p, const struct dm_mapping *map, const struct dm_verdict *v)
{
	page_pill(p, page_severity_tone(v->severity), dm_class_name(v->class));
	if (v->duplicate && v->class != DM_DUPLICATE) {
		html_raw(&p->h, " ");
		page_pill(p, TONE_BAD, "duplicate");
	}
	if (map->dev->open_count) {
		html_raw(&p->h, " ");
		page_pill(p, TONE_MUTED, "[IN USE]");
	}
	page_el(p, "p", NULL, "margin:5px 0 0;font:bold 14px/20px " MONO);
	html_text_cut(&p->h, map->dev->name, NAME_MAX_SHOWN);
	html_end(&p->h);
}

static void card(struct page *p, size_t i)
{
	const struct dm_look *l = p->r->check->look;
	const struct dm_verdict *v = &l->verdicts[i];
	const struct dm_mapping *map = &l->model.mappings[i];
	struct dm_explanation text;

	dm_explain(&text, &l->model, map, v, &p->a);
	html_raw(&p->h, "\n");
	page_layout(p, "card",
		    v->severity == DM_SEVERITY_CRITICAL
			    ? "border:1px solid #e3e7eb;border-left:4px solid #dc3545"
			    : "border:1px solid #e3e7eb;border-left:4px solid #ffc107");
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", NULL, "padding:12px 14px");
	card_title(p, map, v);
	labelled(p, "", sentence(p, text.reason));
	labelled(p, "Impact:", sentence(p, text.impact));
	labelled(p, "Used by:", dm_report_users(p->r, i, &p->a));
	labelled(p, text.command ? "First:" : "What to do:", text.first);
	page_end(p, 2);
	if (text.command)
		page_command_row(p, text.command);
	html_end(&p->h);
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
		  "These endanger data or keep guests from starting.", "critical findings", 12,
		  14000 },
		{ DM_SEVERITY_UNKNOWN, "Could not be told",
		  "What it takes to judge these is missing.", "that could not be told", 4, 3500 },
		{ DM_SEVERITY_WARNING, "Warnings: orphans and their like",
		  "They block new guests or migrations, or will.", "warnings", 12, 12000 },
	};

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		findings_of(p, &groups[g]);
}

static void name_cell(struct page *p, const char *name)
{
	page_el(p, "td", "line",
		"padding:6px 8px 6px 0;border-bottom:1px solid #e9edf0;font:12px/18px " MONO);
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
	struct cut cut = page_cut(p, 8, 3000);

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
	struct cut cut = page_cut(p, 10, 3000);

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
	struct cut cut = page_cut(p, 60, 1500);

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
