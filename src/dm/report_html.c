/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_html.h"

#include "util/clock.h"

/* What a class changes where the screen is dark or narrow; a client that knows none of it shows the
 * light page of 600 pixels. */
static const char head[] =
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta name=\"supported-color-schemes\" content=\"light dark\">\n"
	"<meta name=\"format-detection\" content=\"telephone=no\">\n"
	"<!--[if mso]><style>td,th,p,h1,h2,div,span{font-family:Arial,sans-serif !important}"
	"</style><![endif]-->\n"
	"<style>\n"
	":root{color-scheme:light dark;supported-color-schemes:light dark}\n"
	"body{margin:0;padding:0;-webkit-text-size-adjust:100%}\n"
	"@media (max-width:620px){.box{width:100%!important}.edge{padding:0!important}"
	".pad{padding-left:16px!important;padding-right:16px!important}.opt{display:none!important}"
	".stack{display:block!important;width:100%!important;padding:0 0 10px!important}"
	".num{font-size:22px!important}}\n"
	"@media (prefers-color-scheme:dark){.bg{background:#0e1318!important}"
	".box{background:#182028!important}.ink{color:#e4e9ee!important}"
	".mut{color:#9fadba!important}.line{border-color:#2d3842!important}"
	".card{border-top-color:#2d3842!important;border-right-color:#2d3842!important;"
	"border-bottom-color:#2d3842!important}"
	".code{background:#10161c!important;border-color:#2d3842!important;color:#dbe2e8!important}"
	".tile{background:#1f2932!important}"
	".tg{background:#163a22!important;color:#9be3b0!important}"
	".ti{background:#12363d!important;color:#97dbe7!important}"
	".tw{background:#413408!important;color:#f6d87c!important}"
	".tb{background:#4a1a20!important;color:#f5aab2!important}"
	".tm{background:#303a44!important;color:#ccd4db!important}"
	".ng{color:#6fd18b!important}.nw{color:#f0c64c!important}.nb{color:#f2808b!important}"
	".nm{color:#ccd4db!important}}\n"
	"</style>\n";

static void page_head(struct page *p)
{
	html_raw(&p->h, "<!DOCTYPE html>\n");
	html_begin(&p->h, "html");
	html_attr(&p->h, "lang", "en");
	html_raw(&p->h, "\n");
	html_begin(&p->h, "head");
	html_raw(&p->h, "\n");
	html_raw(&p->h, head);
	html_begin(&p->h, "title");
	html_text_cut(&p->h, p->r->subject, 200);
	html_end(&p->h);
	html_end(&p->h);
	html_raw(&p->h, "\n");
}

/* The line that a list of mails shows beside the subject. */
static void preheader(struct page *p)
{
	page_el(p, "div", NULL,
		"display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;color:#eef1f4");
	html_text(&p->h, p->r->summary);
	html_end(&p->h);
}

static void banner(struct page *p)
{
	const struct node *n = &p->r->check->look->scan.cluster.node;
	char when[CLOCK_TEXT_MAX];

	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", "pad", "padding:22px 32px 20px;background:#17212b;color:#ffffff");
	page_el(p, "div", NULL, "font-size:13px;line-height:18px;color:#a9b8c6");
	html_text(&p->h, "pvewarden \xc2\xb7 Device mapper report");
	html_end(&p->h);
	page_el(p, "h1", NULL,
		"margin:2px 0 4px;font-size:24px;line-height:30px;font-weight:600;color:#ffffff");
	html_text_cut(&p->h, n->name, 80);
	html_end(&p->h);
	page_el(p, "div", NULL, "font-size:13px;line-height:18px;color:#a9b8c6");
	html_text(&p->h, clock_rfc3339(n->now, when));
	if (n->recorded)
		html_text(&p->h, " (a recorded node)");
	if (n->release)
		html_textf(&p->h, " \xc2\xb7 Proxmox VE %s", n->release);
	page_end(p, 3);
}

static void verdict(struct page *p)
{
	static const struct {
		const char *class, *style;
	} looks[] = {
#define STRIP "padding:16px 32px;font-size:14px;line-height:21px;border-left:6px solid "
		[TONE_GOOD] = { "pad tg", STRIP "#28a745;background:#d4edda;color:#155724" },
		[TONE_INFO] = { "pad tg", STRIP "#28a745;background:#d4edda;color:#155724" },
		[TONE_WARN] = { "pad tw", STRIP "#ffc107;background:#fff3cd;color:#6b5000" },
		[TONE_BAD] = { "pad tb", STRIP "#dc3545;background:#f8d7da;color:#721c24" },
	};
	static const char *const words[] = {
		[DM_SEVERITY_NONE] = "OK: all is well",
		[DM_SEVERITY_NOTICE] = "OK: nothing has to be done",
		[DM_SEVERITY_WARNING] = "WARNING: entries that should not be here",
		[DM_SEVERITY_UNKNOWN] = "UNKNOWN: not everything could be told",
		[DM_SEVERITY_CRITICAL] = "CRITICAL: act now",
	};
	enum dm_severity answer = p->r->check->summary.answer;
	enum tone tone = page_severity_tone(answer);

	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", looks[tone].class, looks[tone].style);
	page_el(p, "div", NULL,
		"font-size:18px;line-height:24px;font-weight:600;margin-bottom:4px");
	html_text(&p->h, words[answer]);
	html_end(&p->h);
	html_text(&p->h, p->r->summary);
	page_end(p, 2);
}

/* The old scripts' colours; dark letters where white ones could not be read. */
static const char *badge_style(const char *grade)
{
#define BADGE                                                                        \
	"width:52px;height:52px;border-radius:8px;text-align:center;font-size:24px;" \
	"line-height:52px;font-weight:700;"
	if (!grade)
		return BADGE "background:#6c757d;color:#ffffff";
	switch (*grade) {
	case 'A':
		return BADGE "background:#28a745;color:#ffffff";
	case 'B':
		return BADGE "background:#17a2b8;color:#ffffff";
	case 'C':
		return BADGE "background:#ffc107;color:#212529";
	case 'D':
		return BADGE "background:#fd7e14;color:#212529";
	default:
		return BADGE "background:#dc3545;color:#ffffff";
	}
}

static void grade(struct page *p, const char *title, const char *letter, const char *why)
{
	page_el(p, "td", "stack", "width:50%;vertical-align:top;padding:0 8px 0 0");
	page_layout(p, NULL, NULL);
	page_el(p, "tr", NULL, NULL);
	html_begin(&p->h, "td");
	html_attr(&p->h, "width", "52");
	html_attr(&p->h, "style", badge_style(letter));
	html_text(&p->h, letter ? letter : "?");
	html_end(&p->h);
	page_el(p, "td", "ink", "padding:0 0 0 12px;font-size:13px;line-height:18px;color:#1f2933");
	page_el(p, "b", NULL, NULL);
	html_textf(&p->h, "%s%s%s", title, letter ? " grade " : ": not graded",
		   letter ? letter : "");
	html_end(&p->h);
	html_void(&p->h, "br");
	page_el(p, "span", "mut", "color:#5f6c7b");
	html_text(&p->h, why);
	page_end(p, 5);
}

static void tile(struct page *p, const char *label, size_t n, enum tone tone)
{
	static const struct {
		const char *class, *style;
	} looks[] = {
#define NUMBER "font-size:26px;line-height:32px;font-weight:600;"
		[TONE_GOOD] = { "num ng", NUMBER "color:#1d7a35" },
		[TONE_INFO] = { "num nm", NUMBER "color:#33414e" },
		[TONE_WARN] = { "num nw", NUMBER "color:#8a6500" },
		[TONE_BAD] = { "num nb", NUMBER "color:#c02434" },
		[TONE_MUTED] = { "num nm", NUMBER "color:#33414e" },
	};

	page_el(p, "td", "tile ink",
		"width:33%;padding:10px 4px 9px;text-align:center;background:#f3f5f7;"
		"border-radius:6px;font-size:12px;line-height:16px;color:#1f2933");
	page_el(p, "div", looks[tone].class, looks[tone].style);
	html_textf(&p->h, "%zu", n);
	html_end(&p->h);
	page_el(p, "span", "mut", "color:#5f6c7b");
	html_text(&p->h, label);
	page_end(p, 2);
}

static void tiles(struct page *p)
{
	const struct dm_summary *s = &p->r->check->summary;

	html_begin(&p->h, "table");
	html_attr(&p->h, "role", "presentation");
	html_attr(&p->h, "width", "100%");
	html_attr(&p->h, "cellpadding", "0");
	html_attr(&p->h, "cellspacing", "6");
	html_attr(&p->h, "border", "0");
	/* The outer gaps stand in the margin, so that the tiles are flush with the text. */
	html_attr(&p->h, "style", "table-layout:fixed;width:calc(100% + 12px);margin:0 -6px");
	page_el(p, "tr", NULL, NULL);
	tile(p, "Total entries", s->mappings, TONE_MUTED);
	tile(p, "Valid", s->by_class[DM_OK], TONE_GOOD);
	tile(p, "Critical", s->critical, s->critical ? TONE_BAD : TONE_GOOD);
	html_end(&p->h);
	page_el(p, "tr", NULL, NULL);
	tile(p, "Orphans (tombstones)", s->orphans,
	     s->orphans > 20 ? TONE_BAD
	     : s->orphans    ? TONE_WARN
			     : TONE_GOOD);
	tile(p, "Findings in use", s->in_use, s->in_use ? TONE_WARN : TONE_GOOD);
	tile(p, "Unknown", s->unknowns, s->unknowns ? TONE_WARN : TONE_GOOD);
	page_end(p, 2);
}

static void overview(struct page *p)
{
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", "pad", "padding:20px 32px 0");
	page_layout(p, NULL, NULL);
	page_el(p, "tr", NULL, NULL);
	grade(p, "Device mapper", p->r->check->summary.grade, report_grade_reason(p->r, &p->a));
	grade(p, "Host", p->r->grade.grade, report_host_reason(p->r, &p->a));
	page_end(p, 2);
	page_gap(p);
	tiles(p);
	page_end(p, 2);
}

/* A list of sentences, each cut where no sentence of ours ends. */
static void bullets(struct page *p, const char *title, const char *note,
		    const struct dm_texts *list, size_t max_rows)
{
	struct cut cut = page_cut(p, max_rows, 2000);

	if (!list->n)
		return;
	page_section(p, title, note);
	page_el(p, "ul", NULL, "margin:0;padding:0 0 0 20px");
	vec_each (text, list) {
		if (!page_room(p, &cut))
			break;
		page_el(p, "li", NULL, "margin:0 0 6px");
		html_text_cut(&p->h, *text, 700);
		html_end(&p->h);
	}
	html_end(&p->h);
	page_more(p, &cut, list->n, "of these");
	page_section_end(p);
}

static void odd_lines(struct page *p)
{
	const struct diags *d = &p->r->check->look->scan.cluster.diags;
	struct dm_texts texts = {};

	for (size_t i = 0; i < d->n && i < 100; i++)
		*vec_push(&texts) =
			d->items[i].line
				? arena_fmt(&p->a, "/%s, line %u: %s", d->items[i].file,
					    d->items[i].line, d->items[i].text)
				: arena_fmt(&p->a, "/%s: %s", d->items[i].file, d->items[i].text);
	bullets(p, "Odd lines in configuration files", NULL, &texts, 6);
	vec_free(&texts);
}

static void steps(struct page *p)
{
	struct report_steps list = {};

	page_section(p, "What to do", NULL);
	report_steps(&list, p->r, &p->a);
	for (size_t i = 0; i < list.n; i++) {
		page_el(p, "p", NULL, "margin:0 0 6px");
		if (list.n > 1)
			html_textf(&p->h, "%zu. ", i + 1);
		html_text(&p->h, list.items[i].text);
		html_end(&p->h);
		if (list.items[i].command)
			page_command(p, list.items[i].command);
		page_gap(p);
	}
	vec_free(&list);
	page_section_end(p);
}

static void fixed_list(struct page *p, const char *title, const char *const *texts)
{
	page_section(p, title, NULL);
	page_el(p, "ul", NULL, "margin:0;padding:0 0 0 20px");
	for (; *texts; texts++) {
		page_el(p, "li", NULL, "margin:0 0 6px");
		html_text(&p->h, *texts);
		html_end(&p->h);
	}
	html_end(&p->h);
	page_section_end(p);
}

static void footer(struct page *p)
{
	page_el(p, "tr", NULL, NULL);
	page_el(p, "td", "pad mut",
		"padding:28px 32px 26px;font-size:12px;line-height:18px;color:#5f6c7b");
	html_textf(&p->h, "Made by pvewarden %s, which changed nothing on this node. ",
		   PVEWARDEN_VERSION);
	html_text(&p->h, "The attached JSON document has every finding and every guest. Everything "
			 "is explained in pvewarden-dm(8).");
	page_end(p, 2);
}

static void sections(struct page *p)
{
	banner(p);
	verdict(p);
	overview(p);
	bullets(p, "Could not tell everything, because", NULL, &p->r->check->blind, 10);
	page_findings(p);
	page_in_use(p);
	page_missing(p);
	steps(p);
	page_guests(p);
	page_volumes(p);
	page_notices(p);
	page_environment(p);
	page_host(p);
	bullets(p, "Advice", NULL, &p->r->check->advice, 6);
	odd_lines(p);
	fixed_list(p, "Before anything is changed", report_safety);
	fixed_list(p, "How the grades come about", report_grades_explained);
	footer(p);
}

void dm_report_html(const struct dm_report *r, struct buf *out)
{
	struct page p = { .h = { .out = out }, .r = r };

	page_head(&p);
	page_el(&p, "body", "bg",
		"margin:0;padding:0;background:#eef1f4;font-family:-apple-system,BlinkMacSystemFont,"
		"'Segoe UI',Roboto,Helvetica,Arial,sans-serif");
	preheader(&p);
	page_layout(&p, "bg", "background:#eef1f4");
	page_el(&p, "tr", NULL, NULL);
	html_begin(&p.h, "td");
	html_attr(&p.h, "align", "center");
	html_attr(&p.h, "class", "edge");
	html_attr(&p.h, "style", "padding:24px 8px");
	html_raw(&p.h, "<!--[if mso]><table role=\"presentation\" width=\"600\" cellpadding=\"0\" "
		       "cellspacing=\"0\"><tr><td><![endif]-->\n");
	page_layout(
		&p, "box",
		"width:100%;max-width:600px;background:#ffffff;text-align:left;table-layout:fixed;"
		"word-break:break-word;overflow-wrap:anywhere");
	sections(&p);
	html_end(&p.h);
	html_raw(&p.h, "\n<!--[if mso]></td></tr></table><![endif]-->");
	page_end(&p, 5);
	html_raw(&p.h, "\n");
	html_done(&p.h);
	arena_done(&p.a);
}
