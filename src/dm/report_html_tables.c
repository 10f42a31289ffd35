/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The node as it is: its guests, their volumes, what surrounds it, how the host is doing. */

#include "dm/report_html.h"

#include "util/str.h"

#define MONO "Consolas,Menlo,monospace"

enum { GUEST_NAME_MAX = 40 };

static const char *guest_id(struct page *p, const struct guest *g)
{
	return arena_fmt(&p->a, "%s %u", g->type == GUEST_QEMU ? "VM" : "CT", g->vmid);
}

/* A full or an empty circle beside the word: no colour is needed to read it. */
static void status_cell(struct page *p, const char *status)
{
	bool running = strcmp(status, "running") == 0, stopped = strcmp(status, "stopped") == 0;

	page_cell_begin(p, false);
	html_raw(&p->h, running ? "&#9679; " : stopped ? "&#9675; " : "&#9680; ");
	html_text_cut(&p->h, status, 20);
	html_end(&p->h);
}

static void guest_row(struct page *p, const struct dm_report_guest *g)
{
	page_row(p);
	page_cell(p, guest_id(p, g->guest));
	page_cell_begin(p, false);
	html_text_cut(&p->h, g->guest->name, GUEST_NAME_MAX);
	html_end(&p->h);
	status_cell(p, g->status);
	page_cell_begin(p, true);
	if (g->mappings)
		html_textf(&p->h, "%zu (%zu open)", g->mappings, g->open);
	else
		html_raw(&p->h, "none");
	html_end(&p->h);
	page_cell_begin(p, false);
	page_pill(p, g->tally ? page_severity_tone(g->tally->worst) : TONE_GOOD,
		  dm_report_health(g->tally, &p->a));
	page_end(p, 2);
}

void page_guests(struct page *p)
{
	static const struct column columns[] = { { "Guest", "56", false },
						 { "Name", NULL, false },
						 { "Status", "76", false },
						 { "Entries here", "96", true },
						 { "DM health", "94", false } };
	const struct dm_summary *s = &p->r->check->summary;
	struct cut cut = page_cut(p, 40, 15000);

	page_section(p, "Guests of this node",
		     arena_fmt(&p->a,
			       "%zu VM%s (%zu running), %zu container%s (%zu running). Those in "
			       "trouble come first.",
			       s->vms, s->vms == 1 ? "" : "s", s->vms_running, s->cts,
			       s->cts == 1 ? "" : "s", s->cts_running));
	if (p->r->guests.n) {
		page_table(p, columns, ARRAY_SIZE(columns));
		vec_each (g, &p->r->guests) {
			if (!page_room(p, &cut))
				break;
			guest_row(p, g);
		}
		page_table_end(p);
	}
	page_more(p, &cut, p->r->guests.n, "guests");
	page_section_end(p);
}

static bool runs(const struct dm_report_guest *g)
{
	return g->mappings && strcmp(g->status, "stopped") != 0 &&
	       strcmp(g->status, "unknown") != 0;
}

static void volume(struct page *p, size_t i)
{
	const struct dm_look *l = p->r->check->look;
	const struct dm_verdict *v = &l->verdicts[i];
	const struct dm_dev *d = l->model.mappings[i].dev;

	page_el(p, "div", NULL, "font:12px/18px " MONO);
	html_text_cut(&p->h, d->name, 130);
	html_text(&p->h, d->open_count ? " (open)" : " (not open)");
	if (dm_is_finding(v)) {
		html_raw(&p->h, " ");
		page_pill(p, page_severity_tone(v->severity), dm_class_name(v->class));
	}
	html_end(&p->h);
}

static void volumes_of(struct page *p, const struct dm_report_guest *g)
{
	enum { SHOWN = 8 };
	const struct dm_verdict *v = p->r->check->look->verdicts;
	size_t n = 0;

	page_row(p);
	page_cell_begin(p, false);
	html_text(&p->h, guest_id(p, g->guest));
	html_void(&p->h, "br");
	page_el(p, "span", "mut", "color:#5f6c7b");
	html_text_cut(&p->h, g->guest->name, GUEST_NAME_MAX);
	page_end(p, 2);
	page_cell_begin(p, false);
	vec_each (i, &p->r->volumes)
		if (v[*i].guest == g->guest && n++ < SHOWN)
			volume(p, *i);
	if (n > SHOWN)
		html_textf(&p->h, "and %zu more", n - SHOWN);
	page_end(p, 2);
}

void page_volumes(struct page *p)
{
	static const struct column columns[] = { { "Guest", "30%", false },
						 { "Device-mapper entries", NULL, false } };
	struct cut cut = page_cut(p, 20, 7000);
	size_t total = 0;

	vec_each (g, &p->r->guests)
		total += runs(g);
	if (!total)
		return;
	page_section(p, "Running guests and their disks", NULL);
	page_table(p, columns, ARRAY_SIZE(columns));
	vec_each (g, &p->r->guests)
		if (runs(g) && page_room(p, &cut))
			volumes_of(p, g);
	page_table_end(p);
	page_more(p, &cut, total, "running guests");
	page_section_end(p);
}

static void storage_row(struct page *p, const struct storage *s)
{
	const struct cluster *c = &p->r->check->look->scan.cluster;
	bool here = !s->disabled && storage_on_node(s, c->node.name);

	page_row(p);
	page_cell_begin(p, false);
	html_text_cut(&p->h, s->id, 60);
	html_end(&p->h);
	page_cell(p, s->type);
	page_cell_begin(p, false);
	html_text_cut(&p->h, s->vgname ? s->vgname : "-", 60);
	html_end(&p->h);
	page_cell_begin(p, false);
	html_text(&p->h, s->shared ? "shared" : "local");
	if (!here)
		html_text(&p->h, s->disabled ? ", disabled" : ", not on this node");
	page_end(p, 2);
}

void page_environment(struct page *p)
{
	static const struct column columns[] = { { "Storage", NULL, false },
						 { "Type", "22%", false },
						 { "Volume group", "24%", false },
						 { "Reach", "24%", false } };
	const struct storage_cfg *cfg = &p->r->check->look->scan.cluster.storages;
	struct report_rows rows = {};
	struct cut cut;

	page_section(p, "Environment", NULL);
	report_environment_rows(&rows, p->r, &p->a);
	page_fact_rows(p, &rows, 2000);
	vec_free(&rows);
	page_gap(p);
	cut = page_cut(p, 14, 4500);
	page_table(p, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < cfg->n && page_room(p, &cut); i++)
		storage_row(p, &cfg->storages[i]);
	page_table_end(p);
	page_more(p, &cut, cfg->n, "storages");
	page_section_end(p);
}

void page_host(struct page *p)
{
	struct report_rows rows = {};

	page_section(p, "Host", NULL);
	report_host_rows(&rows, p->r, &p->a);
	page_fact_rows(p, &rows, 6000);
	vec_free(&rows);
	page_section_end(p);
}
