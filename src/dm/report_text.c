/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The report as plain text: what --text prints, and what a mail shows where HTML is not wanted. */

#include "dm/report_words.h"

#include "dm/explain.h"
#include "util/clock.h"
#include "util/str.h"
#include "util/table.h"

enum { WIDTH = 76, LABEL = 23 };

struct sheet {
	const struct dm_report *r;
	struct buf *out;
	struct arena a;
	bool whole;
};

static void heading(struct sheet *s, const char *text)
{
	CLEANUP(buf_done) struct buf rule = {};

	for (size_t n = str_width(text); n > 0; n--)
		buf_addc(&rule, '-');
	buf_addf(s->out, "\n%s\n%s\n", text, buf_str(&rule));
}

/* @text from outside, folded behind @indent blanks; the first line stands where the pen is. */
static void folded(struct sheet *s, const char *text, size_t indent)
{
	size_t room = strlen(text) * 4 + 16;
	CLEANUP_FREE char *shown = xmalloc(room);

	str_printable(shown, room, slice_of(text));
	term_wrap(s->out, shown, indent, WIDTH);
	buf_addc(s->out, '\n');
}

static void paragraph(struct sheet *s, const char *text)
{
	folded(s, text, 0);
}

static void item(struct sheet *s, const char *text)
{
	buf_adds(s->out, "  * ");
	folded(s, text, 4);
}

static void labelled(struct sheet *s, const char *label, const char *text)
{
	if (!text)
		return;
	buf_addf(s->out, "    %-9s ", label);
	folded(s, text, 14);
}

static void fact(struct sheet *s, const char *label, const char *text)
{
	buf_addf(s->out, "  %-*s", LABEL - 2, label);
	folded(s, text, LABEL);
}

/* How many of @total rows are shown; says so when not all. */
static size_t limit(const struct sheet *s, size_t total, size_t max)
{
	return s->whole || total < max ? total : max;
}

static void more(struct sheet *s, size_t shown, size_t total, const char *what)
{
	if (total > shown)
		buf_addf(s->out, "  and %zu more %s: see the attached report\n", total - shown,
			 what);
}

static void show_head(struct sheet *s)
{
	const struct dm_report *r = s->r;
	const struct cluster *c = &r->check->look->scan.cluster;
	char when[CLOCK_TEXT_MAX];

	paragraph(s, r->subject);
	buf_addf(s->out, "%s%s%s%s\n\n", clock_rfc3339(c->node.now, when),
		 c->node.recorded ? " (a recorded node)" : "",
		 c->node.release ? ", Proxmox VE " : "", c->node.release ? c->node.release : "");
	paragraph(s, r->summary);
	buf_addc(s->out, '\n');
	fact(s, "Device mapper grade",
	     arena_fmt(&s->a, "%s (%s)",
		       r->check->summary.grade ? r->check->summary.grade : "not graded",
		       report_grade_reason(r, &s->a)));
	fact(s, "Host grade",
	     arena_fmt(&s->a, "%s (%s)", r->grade.grade ? r->grade.grade : "not graded",
		       report_host_reason(r, &s->a)));
}

static void show_counts(struct sheet *s)
{
	const struct dm_summary *m = &s->r->check->summary;
	const struct {
		const char *label;
		size_t n;
		const char *tag;
	} rows[] = {
		{ "Total device mapper entries", m->mappings, "" },
		{ "Guests' entries", m->guest_mappings, "" },
		{ "Valid entries", m->by_class[DM_OK], "" },
		{ "Critical findings", m->critical, "  [CRITICAL]" },
		{ "Duplicate entries", m->duplicates, "  [CRITICAL]" },
		{ "Orphaned (tombstoned) entries", m->orphans, "  [WARNING]" },
		{ "Could not be told", m->unknowns, "  [UNKNOWN]" },
		{ "Entries in use, all", s->r->open, "" },
		{ "Findings in use", m->in_use, "  [IN USE]" },
		{ "Total issues", m->issues, "" },
	};

	heading(s, "Summary");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		buf_addf(s->out, "  %-32s%8zu%s\n", rows[i].label, rows[i].n,
			 rows[i].n ? rows[i].tag : "");
}

static void show_texts(struct sheet *s, const char *title, const struct dm_texts *list, size_t max)
{
	size_t shown = limit(s, list->n, max);

	if (!list->n)
		return;
	heading(s, title);
	for (size_t i = 0; i < shown; i++)
		item(s, list->items[i]);
	more(s, shown, list->n, "of these");
}

static void show_finding(struct sheet *s, size_t i)
{
	const struct dm_look *l = s->r->check->look;
	const struct dm_mapping *map = &l->model.mappings[i];
	struct dm_explanation text;

	dm_explain(&text, &l->model, map, &l->verdicts[i], &s->a);
	buf_addf(s->out, "  %s ", dm_class_name(l->verdicts[i].class));
	term_add(s->out, false, TERM_PLAIN, map->dev->name);
	buf_adds(s->out, map->dev->open_count ? " [IN USE]\n" : "\n");
	labelled(s, "what", text.reason);
	if (l->verdicts[i].severity < DM_SEVERITY_WARNING)
		return;
	labelled(s, "impact", text.impact);
	labelled(s, "used by", dm_report_users(s->r, i, &s->a));
	labelled(s, text.command ? "first" : "to do", text.first);
	if (!text.command)
		return;
	/* On a line of its own and never folded: it is there to be copied. */
	buf_adds(s->out, "    run\n      ");
	term_add(s->out, false, TERM_PLAIN, text.command);
	buf_addc(s->out, '\n');
}

static void show_findings(struct sheet *s)
{
	static const struct {
		enum dm_severity severity;
		const char *title, *what;
		size_t max;
	} groups[] = {
		{ DM_SEVERITY_CRITICAL, "Critical issues", "critical findings", 25 },
		{ DM_SEVERITY_UNKNOWN, "Could not be told", "that could not be told", 10 },
		{ DM_SEVERITY_WARNING, "Warnings: orphans and their like", "warnings", 25 },
		{ DM_SEVERITY_NOTICE, "Notices: nothing to do now", "notices", 15 },
	};

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		size_t total = 0, shown = 0, max;

		vec_each (i, &s->r->findings)
			total += s->r->check->look->verdicts[*i].severity == groups[g].severity;
		if (!total)
			continue;
		heading(s, arena_fmt(&s->a, "%s (%zu)", groups[g].title, total));
		max = limit(s, total, groups[g].max);
		vec_each (i, &s->r->findings) {
			if (s->r->check->look->verdicts[*i].severity != groups[g].severity ||
			    shown == max)
				continue;
			shown++;
			show_finding(s, *i);
		}
		more(s, shown, total, groups[g].what);
	}
}

static void show_in_use(struct sheet *s)
{
	const struct dm_look *l = s->r->check->look;
	size_t total = s->r->check->summary.in_use, max = limit(s, total, 20), shown = 0;

	heading(s, arena_fmt(&s->a, "Findings in use (%zu)", total));
	if (!total)
		buf_adds(s->out, "  none\n");
	vec_each (i, &s->r->findings) {
		if (!l->model.mappings[*i].dev->open_count || shown == max)
			continue;
		shown++;
		item(s, arena_fmt(&s->a, "%s: %s", l->model.mappings[*i].dev->name,
				  dm_report_users(s->r, *i, &s->a)));
	}
	more(s, shown, total, "in use");
}

static void show_missing(struct sheet *s)
{
	size_t total = s->r->missing.n, shown = limit(s, total, 60);
	const char *next = report_next_id(s->r, &s->a);
	CLEANUP(buf_done) struct buf ids = {};

	heading(s, arena_fmt(&s->a, "Ids of guests that do not exist (%zu)", total));
	for (size_t i = 0; i < shown; i++)
		buf_addf(&ids, "%s%u (%zu)", i ? ", " : "", s->r->missing.items[i]->vmid,
			 s->r->missing.items[i]->in_the_way);
	buf_adds(s->out, "  ");
	folded(s, ids.len ? buf_str(&ids) : "none", 2);
	more(s, shown, total, "ids");
	if (next) {
		buf_adds(s->out, "  ");
		folded(s, next, 2);
	}
}

static void show_steps(struct sheet *s)
{
	struct report_steps steps = {};

	heading(s, "What to do");
	report_steps(&steps, s->r, &s->a);
	for (size_t i = 0; i < steps.n; i++) {
		struct slice rest = slice_of(steps.items[i].command ? steps.items[i].command : "");
		struct slice line;

		buf_addf(s->out, "  %zu. ", i + 1);
		folded(s, steps.items[i].text, 5);
		while (slice_split(&rest, '\n', &line))
			buf_addf(s->out, "       " SLICE_FMT "\n", SLICE_ARG(line));
	}
	vec_free(&steps);
}

static void show_guests(struct sheet *s)
{
	size_t shown = limit(s, s->r->guests.n, 60);
	CLEANUP(table_done) struct table t = {};

	heading(s, "Guests of this node");
	table_column(&t, "ID", TABLE_RIGHT);
	table_column(&t, "TYPE", 0);
	table_column(&t, "NAME", TABLE_ELASTIC);
	table_column(&t, "STATUS", 0);
	table_column(&t, "ENTRIES", TABLE_RIGHT);
	table_column(&t, "DM HEALTH", 0);
	for (size_t i = 0; i < shown; i++) {
		const struct dm_report_guest *g = &s->r->guests.items[i];

		table_addf(&t, "%u", g->guest->vmid);
		table_add(&t, g->guest->type == GUEST_QEMU ? "VM" : "CT");
		table_add(&t, g->guest->name);
		table_add(&t, g->status);
		table_addf(&t, "%zu", g->mappings);
		table_add(&t, dm_report_health(g->tally, &s->a));
	}
	if (shown)
		table_write(&t, s->out, 2, WIDTH, false);
	else
		buf_adds(s->out, "  none\n");
	more(s, shown, s->r->guests.n, "guests");
}

static void show_volumes(struct sheet *s)
{
	const struct dm_look *l = s->r->check->look;
	size_t running = 0, shown = 0;

	heading(s, "Running guests and their disks");
	vec_each (g, &s->r->guests) {
		bool runs = g->mappings && strcmp(g->status, "stopped") != 0 &&
			    strcmp(g->status, "unknown") != 0;

		running += runs;
		if (!runs || (!s->whole && running > 40))
			continue;
		shown++;
		buf_addf(s->out, "  %s %u ", g->guest->type == GUEST_QEMU ? "VM" : "CT",
			 g->guest->vmid);
		term_add(s->out, false, TERM_PLAIN, g->guest->name);
		buf_addc(s->out, '\n');
		vec_each (i, &s->r->volumes) {
			if (l->verdicts[*i].guest != g->guest)
				continue;
			buf_adds(s->out, "    ");
			term_add(s->out, false, TERM_PLAIN, l->model.mappings[*i].dev->name);
			buf_addf(s->out, " (%s)\n",
				 l->model.mappings[*i].dev->open_count ? "open" : "not open");
		}
	}
	if (!running)
		buf_adds(s->out, "  none\n");
	more(s, shown, running, "running guests");
}

static void show_rows(struct sheet *s, const char *title,
		      void (*fill)(struct report_rows *ret, const struct dm_report *r,
				   struct arena *a))
{
	struct report_rows rows = {};

	heading(s, title);
	fill(&rows, s->r, &s->a);
	vec_each (row, &rows) {
		const char *word = report_level_word(row->level);

		fact(s, row->label,
		     word ? arena_fmt(&s->a, "%s [%s]", row->value, word) : row->value);
	}
	vec_free(&rows);
}

static void show_storages(struct sheet *s)
{
	const struct cluster *c = &s->r->check->look->scan.cluster;
	size_t shown = limit(s, c->storages.n, 30);
	CLEANUP(table_done) struct table t = {};

	table_column(&t, "STORAGE", TABLE_ELASTIC);
	table_column(&t, "TYPE", 0);
	table_column(&t, "VOLUME GROUP", 0);
	table_column(&t, "REACH", 0);
	table_column(&t, "HERE", 0);
	for (size_t i = 0; i < shown; i++) {
		const struct storage *st = &c->storages.storages[i];

		table_add(&t, st->id);
		table_add(&t, st->type);
		table_add(&t, st->vgname);
		table_add(&t, st->shared ? "shared" : "local");
		table_add(&t, st->disabled			  ? "disabled"
			      : storage_on_node(st, c->node.name) ? "yes"
								  : "no");
	}
	buf_addc(s->out, '\n');
	table_write(&t, s->out, 2, WIDTH, false);
	more(s, shown, c->storages.n, "storages");
}

static void show_odd_lines(struct sheet *s)
{
	const struct diags *d = &s->r->check->look->scan.cluster.diags;
	size_t shown = limit(s, d->n, 10);

	if (!d->n)
		return;
	heading(s, "Odd lines in configuration files");
	for (size_t i = 0; i < shown; i++)
		item(s, arena_fmt(&s->a, "/%s, line %u: %s", d->items[i].file, d->items[i].line,
				  d->items[i].text));
	more(s, shown, d->n + d->dropped, "lines");
}

static void show_fixed(struct sheet *s, const char *title, const char *const *texts)
{
	heading(s, title);
	for (; *texts; texts++)
		item(s, *texts);
}

void dm_report_text(const struct dm_report *r, bool whole, struct buf *out)
{
	struct sheet s = { .r = r, .out = out, .whole = whole };

	show_head(&s);
	show_counts(&s);
	show_texts(&s, "Could not tell everything, because", &r->check->blind, 10);
	show_findings(&s);
	show_in_use(&s);
	show_missing(&s);
	show_steps(&s);
	show_guests(&s);
	show_volumes(&s);
	show_rows(&s, "Environment", report_environment_rows);
	show_storages(&s);
	show_rows(&s, "Host", report_host_rows);
	show_texts(&s, "Advice", &r->check->advice, 10);
	show_odd_lines(&s);
	show_fixed(&s, "Before anything is changed", report_safety);
	show_fixed(&s, "How the grades come about", report_grades_explained);
	arena_done(&s.a);
}
