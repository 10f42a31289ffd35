/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/show.h"

#include <stdio.h>

#include "dm/explain.h"
#include "dm/plan.h"
#include "util/clock.h"
#include "util/str.h"
#include "util/table.h"

#define LABEL_WIDTH 12

struct page {
	const struct dm_check *c;
	const struct dm_view *view;
	struct buf *out;
};

static enum term_style style_of(enum dm_severity s)
{
	switch (s) {
	case DM_SEVERITY_CRITICAL:
		return TERM_RED;
	case DM_SEVERITY_UNKNOWN:
	case DM_SEVERITY_WARNING:
		return TERM_YELLOW;
	case DM_SEVERITY_NOTICE:
		return TERM_CYAN;
	case DM_SEVERITY_NONE:
	default:
		return TERM_GREEN;
	}
}

static void add(const struct page *p, enum term_style style, const char *text)
{
	term_add(p->out, p->view->color, style, text);
}

static bool in_view(const struct page *p, size_t i)
{
	return !p->view->vmid || dm_concerns(p->c->look, i, p->view->vmid);
}

enum dm_severity dm_view_answer(const struct dm_check *c, const struct dm_view *view)
{
	enum dm_severity worst = DM_SEVERITY_NONE;

	if (!view->vmid)
		return c->summary.answer;
	if (dm_blind(&c->look->model))
		worst = DM_SEVERITY_UNKNOWN;
	for (size_t i = 0; i < c->look->model.n; i++)
		if (dm_concerns(c->look, i, view->vmid) && c->look->verdicts[i].severity > worst)
			worst = c->look->verdicts[i].severity;
	return worst;
}

/* The line that a monitoring system shows: the answer and the figures behind it. */
static void show_headline(const struct page *p)
{
	static const char *const words[] = {
		[DM_SEVERITY_NONE] = "OK",	     [DM_SEVERITY_NOTICE] = "OK",
		[DM_SEVERITY_WARNING] = "WARNING",   [DM_SEVERITY_UNKNOWN] = "UNKNOWN",
		[DM_SEVERITY_CRITICAL] = "CRITICAL",
	};
	const struct dm_summary *s = &p->c->summary;
	enum dm_severity answer = dm_view_answer(p->c, p->view);
	CLEANUP(buf_done) struct buf text = {};

	add(p, style_of(answer), words[answer]);
	buf_addf(&text, " - %s: ", p->c->look->scan.cluster.node.name);
	if (p->view->vmid)
		buf_addf(&text, "guest %u", p->view->vmid);
	else if (s->graded)
		buf_addf(&text, "grade %s, score %d of 100", s->grade, s->score);
	else
		buf_adds(&text, "not graded");
	if (!p->view->vmid) {
		buf_addf(&text, ", %zu critical, %zu orphan%s", s->critical, s->orphans,
			 s->orphans == 1 ? "" : "s");
		if (s->unknowns || p->c->blind.n)
			buf_addf(&text, ", %zu could not be told", s->unknowns);
		if (!p->view->terminal)
			buf_addf(
				&text,
				" | critical=%zu orphans=%zu unknown=%zu duplicates=%zu in_use=%zu "
				"mappings=%zu",
				s->critical, s->orphans, s->unknowns, s->duplicates, s->in_use,
				s->mappings);
	}
	add(p, TERM_BOLD, buf_str(&text));
	buf_addc(p->out, '\n');
}

static void show_where(const struct page *p)
{
	const struct cluster *c = &p->c->look->scan.cluster;
	CLEANUP(buf_done) struct buf text = {};
	char when[CLOCK_TEXT_MAX];

	if (c->members.clustered)
		buf_addf(&text, "cluster %s, %zu nodes", c->members.cluster_name,
			 c->members.n_nodes);
	else
		buf_adds(&text, "standalone node");
	if (c->node.release)
		buf_addf(&text, ", Proxmox VE %s", c->node.release);
	buf_addf(&text, ", %s%s", clock_rfc3339(c->node.now, when),
		 c->node.recorded ? " (recorded)" : "");
	add(p, TERM_DIM, buf_str(&text));
	buf_addc(p->out, '\n');
}

static void show_labelled(const struct page *p, const char *label, const char *text)
{
	char shown[4096];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_addf(p->out, "    %-*s", LABEL_WIDTH - 4, label);
	term_wrap(p->out, shown, LABEL_WIDTH, p->view->width);
	buf_addc(p->out, '\n');
}

/* A command stays on one line: it is there to be copied. */
static void show_command(const struct page *p, const char *label, const char *command)
{
	buf_addf(p->out, "    %-*s", LABEL_WIDTH - 4, label);
	add(p, TERM_CYAN, command);
	buf_addc(p->out, '\n');
}

static void show_users(const struct page *p, const struct dm_dev *d)
{
	CLEANUP(buf_done) struct buf text = {};
	size_t n = 0;

	if (!d->open_count)
		return;
	vec_each (u, &p->c->users) {
		if (!devno_eq(u->dev, d->dev))
			continue;
		if (++n > 6)
			continue;
		if (n > 1)
			buf_adds(&text, "; ");
		if (u->pid)
			buf_addf(&text, "%s (pid %ld), ", u->command, (long)u->pid);
		buf_adds(&text, u->via);
	}
	if (n > 6)
		buf_addf(&text, "; and %zu more", n - 6);
	if (!n)
		buf_addf(&text,
			 "opened %u times, by the kernel or by a process that is gone from view",
			 d->open_count);
	show_labelled(p, "used by", buf_str(&text));
}

static void show_children(const struct page *p, const struct dm_mapping *map)
{
	const struct dm_model *m = &p->c->look->model;
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = map->first_child; i != DM_NONE; i = m->mappings[i].next_child)
		buf_addf(&text, "%s%s", text.len ? ", " : "", m->mappings[i].dev->name);
	if (text.len)
		show_labelled(p, "carries", buf_str(&text));
}

static void show_title(const struct page *p, const struct dm_mapping *map,
		       const struct dm_verdict *v)
{
	char device[32];

	buf_adds(p->out, "  ");
	add(p, style_of(v->severity), dm_class_name(v->class));
	buf_addc(p->out, ' ');
	add(p, TERM_BOLD, map->dev->name);
	(void)snprintf(device, sizeof(device), " (" DEVNO_FMT ")", DEVNO_ARG(map->dev->dev));
	add(p, TERM_DIM, device);
	if (map->dev->open_count) {
		buf_addc(p->out, ' ');
		add(p, TERM_BAD, "[IN USE]");
	}
	buf_addc(p->out, '\n');
}

static void describe(const struct page *p, size_t i, const struct dm_explanation *text)
{
	const struct dm_mapping *map = &p->c->look->model.mappings[i];
	const struct dm_verdict *v = &p->c->look->verdicts[i];

	show_title(p, map, v);
	show_labelled(p, "what", text->reason);
	if (v->severity >= DM_SEVERITY_WARNING && text->impact)
		show_labelled(p, "impact", text->impact);
	show_users(p, map->dev);
	show_children(p, map);
}

static void explain(const struct page *p, size_t i, struct dm_explanation *ret, struct arena *a)
{
	dm_explain(ret, &p->c->look->model, &p->c->look->model.mappings[i],
		   &p->c->look->verdicts[i], a);
}

void dm_show_finding(const struct dm_check *c, const struct dm_view *view, size_t i,
		     struct buf *out)
{
	struct page p = { .c = c, .view = view, .out = out };
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_explanation text;

	explain(&p, i, &text, &scratch);
	describe(&p, i, &text);
}

static void show_finding(const struct page *p, size_t i)
{
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_explanation text;

	explain(p, i, &text, &scratch);
	describe(p, i, &text);
	if (p->c->look->verdicts[i].severity < DM_SEVERITY_WARNING)
		return;
	if (text.first)
		show_labelled(p, text.command ? "first" : "fix", text.first);
	if (text.command)
		show_command(p, text.first ? "then" : "fix", text.command);
}

static void show_findings(const struct page *p)
{
	static const struct {
		enum dm_severity severity;
		const char *title;
	} groups[] = {
		{ DM_SEVERITY_CRITICAL, "CRITICAL: endangers data or keeps guests from starting" },
		{ DM_SEVERITY_UNKNOWN, "UNKNOWN: could not be told" },
		{ DM_SEVERITY_WARNING, "WARNING: orphans and their like" },
		{ DM_SEVERITY_NOTICE, "NOTICE: nothing to do now" },
	};

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		bool titled = false;

		for (size_t i = 0; i < p->c->look->model.n; i++) {
			const struct dm_verdict *v = &p->c->look->verdicts[i];

			if (!dm_is_finding(v) || v->severity != groups[g].severity ||
			    !in_view(p, i))
				continue;
			if (!titled) {
				buf_addc(p->out, '\n');
				add(p, style_of(v->severity), groups[g].title);
				buf_addc(p->out, '\n');
				titled = true;
			}
			show_finding(p, i);
		}
	}
}

static void show_blind(const struct page *p)
{
	if (!p->c->blind.n)
		return;
	buf_addc(p->out, '\n');
	add(p, TERM_YELLOW, "Could not tell everything, because");
	buf_addc(p->out, '\n');
	vec_each (text, &p->c->blind)
		show_labelled(p, "-", *text);
}

static void show_count(const struct page *p, const char *label, size_t n, enum term_style style,
		       const char *tag)
{
	buf_addf(p->out, "    %-34s%6zu", label, n);
	if (n && tag) {
		buf_adds(p->out, "  ");
		add(p, style, tag);
	}
	buf_addc(p->out, '\n');
}

static void show_summary(const struct page *p)
{
	const struct dm_summary *s = &p->c->summary;

	buf_addc(p->out, '\n');
	add(p, TERM_BOLD, "Summary");
	buf_addc(p->out, '\n');
	show_count(p, "Total device mapper entries", s->mappings, TERM_PLAIN, NULL);
	show_count(p, "Guests' entries", s->guest_mappings, TERM_PLAIN, NULL);
	show_count(p, "Valid entries", s->by_class[DM_OK], TERM_PLAIN, NULL);
	show_count(p, "Critical findings", s->critical, TERM_RED, "[CRITICAL]");
	show_count(p, "Duplicate entries", s->duplicates, TERM_RED, "[CRITICAL]");
	show_count(p, "Orphaned (tombstoned) entries", s->orphans, TERM_YELLOW, "[WARNING]");
	show_count(p, "Could not be told", s->unknowns, TERM_YELLOW, "[UNKNOWN]");
	show_count(p, "Leftovers of stopped guests", s->by_class[DM_LEFTOVER], TERM_PLAIN, NULL);
	show_count(p, "Findings currently in use", s->in_use, TERM_YELLOW, "[IN USE]");
	show_count(p, "Total issues", s->issues, TERM_PLAIN, NULL);
	buf_addf(p->out, "    %-34s%6zu  (%zu running)\n", "VMs on this node", s->vms,
		 s->vms_running);
	buf_addf(p->out, "    %-34s%6zu  (%zu running)\n", "CTs on this node", s->cts,
		 s->cts_running);
}

static enum term_style status_style(const char *status)
{
	if (strcmp(status, "running") == 0)
		return TERM_GREEN;
	return strcmp(status, "stopped") == 0 ? TERM_DIM : TERM_YELLOW;
}

/* "1 critical, 2 orphans"; what is neither is named by its severity. */
static void add_health(struct table *t, const struct dm_tally *tally)
{
	CLEANUP(buf_done) struct buf text = {};

	if (!tally) {
		table_add_styled(t, TERM_GREEN, "clean");
		return;
	}
	if (tally->critical)
		buf_addf(&text, "%zu critical", tally->critical);
	if (tally->orphans)
		buf_addf(&text, "%s%zu orphan%s", text.len ? ", " : "", tally->orphans,
			 tally->orphans == 1 ? "" : "s");
	if (!text.len)
		buf_addf(&text, "%zu %s%s", tally->findings, dm_severity_name(tally->worst),
			 tally->findings == 1 || tally->worst == DM_SEVERITY_UNKNOWN ? "" : "s");
	table_add_styled(t, style_of(tally->worst), text.data);
}

static void show_guests(const struct page *p)
{
	const struct cluster *c = &p->c->look->scan.cluster;
	CLEANUP(table_done) struct table t = {};

	table_column(&t, "ID", TABLE_RIGHT);
	table_column(&t, "TYPE", 0);
	table_column(&t, "NAME", TABLE_ELASTIC);
	table_column(&t, "STATUS", 0);
	table_column(&t, "DM HEALTH", 0);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = &c->guests[i];
		const char *status;

		if (strcmp(g->node, c->node.name) != 0 ||
		    (p->view->vmid && p->view->vmid != g->vmid))
			continue;
		status = dm_guest_status(&p->c->look->scan, g);
		table_addf(&t, "%u", g->vmid);
		table_add(&t, g->type == GUEST_QEMU ? "VM" : "CT");
		table_add(&t, g->name);
		table_add_styled(&t, status_style(status), status);
		add_health(&t, dm_tally_of(p->c, g->vmid));
	}
	if (!t.n)
		return;
	buf_addc(p->out, '\n');
	add(p, TERM_BOLD, "Guests of this node");
	buf_addc(p->out, '\n');
	table_write(&t, p->out, 2, p->view->width, p->view->color);
}

static void show_orphan_vmids(const struct page *p)
{
	CLEANUP(buf_done) struct buf text = {};

	vec_each (t, &p->c->tallies)
		if (t->in_the_way && !cluster_guest(&p->c->look->scan.cluster, t->vmid))
			buf_addf(&text, "%s%u (%zu)", text.len ? ", " : "", t->vmid, t->in_the_way);
	if (!text.len)
		return;
	buf_addc(p->out, '\n');
	add(p, TERM_BOLD, "Orphans of guests that exist nowhere");
	buf_addc(p->out, '\n');
	show_labelled(p, "IDs", buf_str(&text));
}

static void show_notes(const struct page *p)
{
	const struct diags *d = &p->c->look->scan.cluster.diags;
	size_t shown = d->n < 10 || p->view->all ? d->n : 10;

	if (p->c->advice.n) {
		buf_addc(p->out, '\n');
		add(p, TERM_BOLD, "Advice");
		buf_addc(p->out, '\n');
		vec_each (text, &p->c->advice)
			show_labelled(p, "-", *text);
	}
	if (!d->n)
		return;
	buf_addc(p->out, '\n');
	add(p, TERM_BOLD, "Odd lines in configuration files");
	buf_addc(p->out, '\n');
	for (size_t i = 0; i < shown; i++) {
		CLEANUP(buf_done) struct buf line = {};

		buf_addf(&line, "/%s", d->items[i].file);
		if (d->items[i].line)
			buf_addf(&line, ", line %u", d->items[i].line);
		buf_addf(&line, ": %s", d->items[i].text);
		show_labelled(p, "-", buf_str(&line));
	}
	if (d->n + d->dropped > shown)
		buf_addf(p->out, "    and %zu more (--all shows them)\n",
			 d->n + d->dropped - shown);
}

static void show_mappings(const struct page *p)
{
	const struct dm_look *l = p->c->look;
	CLEANUP(table_done) struct table t = {};

	table_column(&t, "DEVICE", 0);
	table_column(&t, "OPEN", TABLE_RIGHT);
	table_column(&t, "CLASS", 0);
	table_column(&t, "GUEST", TABLE_RIGHT);
	table_column(&t, "NAME", TABLE_ELASTIC);
	for (size_t i = 0; i < l->model.n; i++) {
		const struct dm_dev *d = l->model.mappings[i].dev;
		const struct dm_verdict *v = &l->verdicts[i];

		if (!in_view(p, i))
			continue;
		table_addf(&t, DEVNO_FMT, DEVNO_ARG(d->dev));
		table_addf(&t, "%u", d->open_count);
		table_add_styled(&t,
				 v->class == DM_INFRASTRUCTURE ? TERM_DIM : style_of(v->severity),
				 dm_class_name(v->class));
		if (v->vmid)
			table_addf(&t, "%u", v->vmid);
		else
			table_add(&t, NULL);
		table_add(&t, d->name);
	}
	buf_addc(p->out, '\n');
	add(p, TERM_BOLD, "All device mapper entries");
	buf_addc(p->out, '\n');
	table_write(&t, p->out, 2, p->view->width, p->view->color);
}

/* Cleaning has something to do that it would do. */
static bool clean_would_act(const struct page *p)
{
	struct dm_plan_options options = { .vmid = p->view->vmid,
					   .policy_running = p->c->options.policy_running,
					   .min_age = p->c->options.min_age };
	CLEANUP(dm_plan_done) struct dm_plan plan = {};

	dm_plan_make(&plan, p->c->look, &options);
	for (size_t i = 0; i < plan.n; i++)
		if (!plan.items[i].why_not)
			return true;
	return false;
}

/* What to type next: cleaning, else the remedy of the worst finding that has a plain command. */
static void show_next(const struct page *p)
{
	const struct dm_look *l = p->c->look;

	if (clean_would_act(p)) {
		buf_adds(p->out, "\nNext: ");
		add(p, TERM_CYAN, "pvewarden dm clean");
		buf_adds(p->out, " asks for each entry; --dry-run only shows the steps\n");
		return;
	}

	for (int s = DM_SEVERITY_CRITICAL; s >= DM_SEVERITY_WARNING; s--) {
		for (size_t i = 0; i < l->model.n; i++) {
			CLEANUP(arena_done) struct arena scratch = {};
			struct dm_explanation text;

			if (l->verdicts[i].severity != (enum dm_severity)s || !in_view(p, i))
				continue;
			explain(p, i, &text, &scratch);
			if (text.first || !text.command)
				continue;
			buf_adds(p->out, "\nNext: ");
			add(p, TERM_CYAN, text.command);
			buf_addc(p->out, '\n');
			return;
		}
	}
	if (p->c->blind.n)
		buf_adds(p->out, "\nNext: mend what could not be read, then check again.\n");
	else if (dm_view_answer(p->c, p->view) <= DM_SEVERITY_NOTICE)
		buf_adds(p->out, "\nNothing to do.\n");
}

void dm_show_text(const struct dm_check *c, const struct dm_view *view, struct buf *out)
{
	struct page p = { .c = c, .view = view, .out = out };

	show_headline(&p);
	show_where(&p);
	show_blind(&p);
	show_findings(&p);
	if (view->all)
		show_mappings(&p);
	if (!view->vmid)
		show_summary(&p);
	show_guests(&p);
	if (!view->vmid) {
		show_orphan_vmids(&p);
		show_notes(&p);
	}
	show_next(&p);
}
