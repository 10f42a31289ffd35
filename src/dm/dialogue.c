/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/dialogue.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "dm/explain.h"
#include "dm/show.h"
#include "util/file.h"
#include "util/str.h"
#include "util/term.h"

static const struct dm_mapping *mapping_of(const struct dm_dialogue *d, size_t at)
{
	return &d->check->look->model.mappings[d->plan->items[at].mapping];
}

static const struct dm_verdict *verdict_of(const struct dm_dialogue *d, size_t at)
{
	return &d->check->look->verdicts[d->plan->items[at].mapping];
}

static void add(struct dm_dialogue *d, enum term_style style, const char *text)
{
	term_add(&d->out, d->color, style, text);
}

static void severity_title(struct dm_dialogue *d, size_t at)
{
	enum dm_severity s = verdict_of(d, at)->severity;

	if (at && verdict_of(d, at - 1)->severity == s)
		return;
	buf_addc(&d->out, '\n');
	if (s == DM_SEVERITY_CRITICAL)
		add(d, TERM_RED, "CRITICAL: endangers data or keeps guests from starting");
	else if (s == DM_SEVERITY_UNKNOWN)
		add(d, TERM_YELLOW, "UNKNOWN: could not be told");
	else
		add(d, TERM_YELLOW, "WARNING: orphans and their like");
	buf_addc(&d->out, '\n');
}

/* Entries made by hand have no volume to name. */
static bool has_place(const struct dm_mapping *map)
{
	return *map->vg_name && *map->lv_name;
}

static bool same_place(const struct dm_dialogue *d, size_t a, size_t b)
{
	const struct dm_mapping *x = mapping_of(d, a), *y = mapping_of(d, b);
	bool same = has_place(x) ? strcmp(x->vg_name, y->vg_name) == 0 &&
					   strcmp(x->lv_name, y->lv_name) == 0
				 : !has_place(y);

	return same && verdict_of(d, a)->vmid == verdict_of(d, b)->vmid &&
	       verdict_of(d, a)->severity == verdict_of(d, b)->severity;
}

/* The guest, the volume group and the disk that the next entries are about. */
static void place_heading(struct dm_dialogue *d, size_t at)
{
	CLEANUP(arena_done) struct arena scratch = {};
	CLEANUP(buf_done) struct buf text = {};
	const struct dm_mapping *map = mapping_of(d, at);
	const struct dm_verdict *v = verdict_of(d, at);
	uint32_t vmid = v->vmid ? v->vmid : map->shape.vmid;

	if (at && same_place(d, at, at - 1))
		return;
	buf_addc(&d->out, '\n');
	buf_adds(&text,
		 dm_guest_phrase(
			 vmid,
			 v->guest ? v->guest : cluster_guest(&d->check->look->scan.cluster, vmid),
			 &scratch));
	if (has_place(map))
		buf_addf(&text, ", volume group %s, disk %s", map->vg_name, map->lv_name);
	add(d, TERM_BOLD, buf_str(&text));
	buf_addc(&d->out, '\n');
}

static void keep_line(struct dm_dialogue *d, const char *name, const char *why)
{
	buf_adds(&d->out, "  ");
	add(d, TERM_GREEN, "KEEP");
	buf_addc(&d->out, ' ');
	add(d, TERM_BOLD, name);
	buf_addf(&d->out, ": %s\n", why);
}

/* Whose place or sectors they are: that one stays. */
static void kept_ones(struct dm_dialogue *d, size_t at)
{
	const struct dm_look *l = d->check->look;
	const struct dm_mapping *map = mapping_of(d, at);
	CLEANUP(arena_done) struct arena scratch = {};
	size_t shown = 0;

	for (size_t i = 0; i < map->n_overlaps; i++)
		if (!dm_is_finding(&l->verdicts[map->overlaps[i]])) {
			keep_line(d, l->model.mappings[map->overlaps[i]].dev->name,
				  "covers the same sectors, as today's metadata says");
			shown++;
		}
	for (size_t i = 0; i < map->n_owners && !shown; i++)
		keep_line(d,
			  arena_fmt(&scratch, "%s/%s", map->owners[i]->vg->name,
				    map->owners[i]->name),
			  "the sectors are its by today's metadata");
	if (map->namesake)
		keep_line(
			d,
			arena_fmt(&scratch, "%s/%s", map->namesake->vg->name, map->namesake->name),
			"the volume that has this name by today's metadata");
}

void dm_dialogue_steps(struct dm_dialogue *d, const struct dm_plan_item *item)
{
	const struct dm_model *m = &d->check->look->model;
	CLEANUP(arena_done) struct arena scratch = {};

	for (size_t i = 0; i <= item->n_children; i++) {
		bool child = i < item->n_children;
		const struct dm_mapping *map =
			&m->mappings[child ? item->children[i] : item->mapping];

		buf_addf(&d->out, "    %-8s", i ? "then" : "step");
		add(d, TERM_CYAN,
		    dm_step_command(child ? DM_STEP_REMOVE : item->step, map, &scratch));
		buf_addc(&d->out, '\n');
	}
}

static void labelled(struct dm_dialogue *d, const char *label, enum term_style style,
		     const char *text)
{
	char shown[4096];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_adds(&d->out, "    ");
	add(d, style, label);
	buf_addf(&d->out, "%*s", label[strlen(label) - 1] == ' ' ? 0 : 1, "");
	term_wrap(&d->out, shown, 12, d->width);
	buf_addc(&d->out, '\n');
}

/* For what is skipped: a person may do it, once what is in the way is gone. */
static void what_to_do(struct dm_dialogue *d, const struct dm_plan_item *item)
{
	const struct dm_look *l = d->check->look;
	CLEANUP(arena_done) struct arena scratch = {};
	struct dm_explanation text;

	dm_explain(&text, &l->model, &l->model.mappings[item->mapping], &l->verdicts[item->mapping],
		   &scratch);
	if (text.first)
		labelled(d, "first   ", TERM_PLAIN, text.first);
	if (!text.command)
		return;
	buf_adds(&d->out, "    by hand ");
	add(d, TERM_CYAN, text.command);
	buf_addc(&d->out, '\n');
}

void dm_dialogue_entry(struct dm_dialogue *d, size_t at)
{
	const struct dm_plan_item *item = &d->plan->items[at];
	struct dm_view view = { .color = d->color, .terminal = true, .width = d->width };

	severity_title(d, at);
	place_heading(d, at);
	kept_ones(d, at);
	dm_show_finding(d->check, &view, item->mapping, &d->out);
	if (!item->why_not) {
		dm_dialogue_steps(d, item);
		return;
	}
	labelled(d, "skip    ", TERM_YELLOW, item->why_not);
	what_to_do(d, item);
}

void dm_dialogue_outcome(struct dm_dialogue *d, const struct dm_outcome *o)
{
	CLEANUP(buf_done) struct buf text = {};

	switch (o->result) {
	case DM_CLEANED:
		buf_addf(&text, "gone%s", o->children ? ", with what stood on it" : "");
		if (o->text)
			buf_addf(&text, " (%s)", o->text);
		labelled(d, "done    ", TERM_GREEN, buf_str(&text));
		break;
	case DM_SKIPPED:
		labelled(d, "skipped ", TERM_YELLOW, o->text);
		break;
	case DM_FAILED:
	default:
		labelled(d, "FAILED  ", TERM_RED, o->text);
		break;
	}
	if (o->result != DM_CLEANED && o->children)
		buf_addf(&d->out, "            %zu that stood on it were removed\n", o->children);
}

int dm_dialogue_flush(struct dm_dialogue *d)
{
	int r = file_write_all(STDOUT_FILENO, buf_slice(&d->out));

	buf_reset(&d->out);
	return r;
}

enum dm_reply dm_dialogue_ask(struct dm_dialogue *d, const char *question)
{
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;
	struct slice reply;

	add(d, TERM_BOLD, question);
	buf_addc(&d->out, ' ');
	(void)dm_dialogue_flush(d);
	if (getline(&line, &size, stdin) < 0) {
		buf_addc(&d->out, '\n');
		return DM_REPLY_QUIT;
	}
	reply = slice_trim(slice_of(line));
	if (slice_eq(reply, "y") || slice_eq(reply, "Y") || slice_eq(reply, "yes"))
		return DM_REPLY_YES;
	if (slice_eq(reply, "a") || slice_eq(reply, "A") || slice_eq(reply, "all"))
		return DM_REPLY_ALL;
	if (slice_eq(reply, "q") || slice_eq(reply, "Q") || slice_eq(reply, "quit"))
		return DM_REPLY_QUIT;
	return DM_REPLY_NO;
}
