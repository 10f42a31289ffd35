/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/show_status.h"

#include <inttypes.h>
#include <stdio.h>

#include "util/cli.h"
#include "util/clock.h"
#include "util/str.h"
#include "util/table.h"

static void escaped(struct buf *out, const char *text)
{
	char shown[1024];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_adds(out, shown);
}

/* --- above the tables ------------------------------------------------------------------------ */

static size_t arrays_ok(const struct array_status *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_arrays; i++)
		n += s->arrays[i].ok;
	return n;
}

static void count_drift(const struct array_status *s, size_t ret[3])
{
	for (size_t i = 0; i < s->n_drift; i++)
		ret[s->drift[i].level]++;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* The line that a monitoring system shows. */
static void add_headline(const struct array_status *s, const struct array_view *view,
			 struct buf *out)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	static const enum term_style styles[] = { TERM_GREEN, TERM_YELLOW, TERM_RED, TERM_YELLOW };
	size_t drift[3] = {}, ok = arrays_ok(s);
	int status = array_status_exit(s);

	count_drift(s, drift);
	term_add(out, view->color, styles[status], words[status]);
	buf_adds(out, " - ");
	escaped(out, s->node ? s->node : "?");
	buf_addf(out, ": %zu of %zu array%s answer%s, %zu volume%s mapped", ok, s->n_arrays,
		 plural(s->n_arrays), s->n_arrays == 1 ? "s" : "", s->n_maps, plural(s->n_maps));
	if (drift[1] + drift[2])
		buf_addf(out, ", %zu need%s attention", drift[1] + drift[2],
			 drift[1] + drift[2] == 1 ? "s" : "");
	if (s->n_stuck)
		buf_addf(out, ", %zu call%s stuck in the kernel", s->n_stuck, plural(s->n_stuck));
	if (!view->terminal)
		buf_addf(out, " | arrays=%zu answering=%zu volumes=%zu drift=%zu stuck=%zu",
			 s->n_arrays, ok, s->n_maps, drift[1] + drift[2], s->n_stuck);
	buf_addc(out, '\n');
}

static void add_daemon(const struct array_status *s, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];

	buf_addf(out,
		 "At work since %s, pid %" PRIu64 ", seen %" PRId64 "s ago; %" PRIu64
		 " calls, %" PRIu64 " refused",
		 s->started ? clock_rfc3339(s->started, when) : "?", s->pid, s->age, s->calls,
		 s->failed);
	if (s->healed)
		buf_addf(out, "; %" PRIu64 " volumes healed", s->healed);
	buf_addc(out, '\n');
	for (size_t i = 0; i < s->n_blind; i++) {
		buf_adds(out, "Not known: ");
		escaped(out, s->blind[i]);
		buf_addc(out, '\n');
	}
}

/* --- arrays and storages --------------------------------------------------------------------- */

static void add_length(struct table *t, int64_t from, int64_t now)
{
	char length[CLOCK_TEXT_MAX];

	table_add(t, from && now >= from ? clock_duration(now - from, length) : NULL);
}

/* Errors that are not the array's own words. */
static const char *state_of(const struct array_status_array *a)
{
	static const char *const silent[] = { "EHOSTUNREACH", "ETIMEDOUT", "EAGAIN",
					      "EINPROGRESS" };

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		if (strcmp(a->answer, silent[i]) == 0)
			return "no answer";
	return a->ok ? "answers" : "refuses";
}

static void add_array(struct table *t, const struct array_status_array *a, int64_t now)
{
	table_add(t, a->name ? a->name : a->url);
	table_add_styled(t, a->ok ? TERM_GREEN : TERM_RED, state_of(a));
	table_add(t, a->version);
	table_add(t, a->api);
	table_add(t, a->host);
	add_length(t, a->session_since, now);
	table_addf(t, "%" PRIu64, a->requests);
	table_addf(t, "%" PRIu64, a->logins);
	table_add(t, a->url);
}

static void add_arrays(const struct array_status *s, const struct array_view *view, struct buf *out)
{
	CLEANUP(table_done) struct table t = {};

	table_column(&t, "Array", 0);
	table_column(&t, "State", 0);
	table_column(&t, "Purity", 0);
	table_column(&t, "REST", 0);
	table_column(&t, "Host", 0);
	table_column(&t, "Session", TABLE_RIGHT);
	table_column(&t, "Requests", TABLE_RIGHT);
	table_column(&t, "Logins", TABLE_RIGHT);
	table_column(&t, "Address", TABLE_ELASTIC);
	for (size_t i = 0; i < s->n_arrays; i++)
		add_array(&t, &s->arrays[i], view->now);
	buf_addc(out, '\n');
	table_write(&t, out, 0, view->width, view->color);
}

static void add_storage(struct table *t, const struct array_status_storage *v)
{
	char size[24];
	double share = v->total ? 100.0 * (double)v->used / (double)v->total : 0;

	table_add(t, v->id);
	table_add_styled(t, v->problem ? TERM_RED : TERM_GREEN,
			 v->problem ? "out of reach" : "active");
	table_add(t, v->problem ? NULL : str_human_size(v->used, size));
	table_add(t, v->problem || !v->total ? NULL : str_human_size(v->total, size));
	if (v->problem || !v->total)
		table_add(t, NULL);
	else
		table_addf(t, "%.1f%%", share);
}

static void add_storages(const struct array_status *s, const struct array_view *view,
			 struct buf *out)
{
	CLEANUP(table_done) struct table t = {};

	table_column(&t, "Storage", TABLE_ELASTIC);
	table_column(&t, "State", 0);
	table_column(&t, "Used", TABLE_RIGHT);
	table_column(&t, "Of", TABLE_RIGHT);
	table_column(&t, "Full", TABLE_RIGHT);
	for (size_t i = 0; i < s->n_storages; i++)
		add_storage(&t, &s->storages[i]);
	buf_addc(out, '\n');
	table_write(&t, out, 0, view->width, view->color);
}

/* --- why something is out of reach, in full -------------------------------------------------- */

static void add_reason(enum term_style style, const char *word, const char *who, const char *why,
		       const struct array_view *view, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = {};

	term_add(out, view->color, style, word);
	buf_adds(out, "  ");
	escaped(&text, who);
	buf_adds(&text, ": ");
	escaped(&text, why);
	term_wrap(out, buf_str(&text), 10, view->width);
	buf_addc(out, '\n');
}

static bool is_said(const struct array_status *s, const char *why)
{
	for (size_t i = 0; i < s->n_storages; i++)
		if (s->storages[i].problem && strcmp(s->storages[i].problem, why) == 0)
			return true;
	return false;
}

static void add_reasons(const struct array_status *s, const struct array_view *view,
			struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < s->n_storages; i++) {
		const struct array_status_storage *v = &s->storages[i];

		if (!v->problem)
			continue;
		buf_adds(out, out->len == before ? "\n" : "");
		add_reason(TERM_RED, "CRITICAL", v->id, v->problem, view, out);
		buf_adds(out, "          pvewarden array status --diagnose ");
		escaped(out, v->id);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < s->n_arrays; i++) {
		const struct array_status_array *a = &s->arrays[i];

		if (a->ok || !a->why || is_said(s, a->why))
			continue;
		buf_adds(out, out->len == before ? "\n" : "");
		add_reason(TERM_YELLOW, "warning ", a->name ? a->name : "array", a->why, view, out);
	}
}

/* --- volumes --------------------------------------------------------------------------------- */

static enum term_style style_of(const char *state)
{
	if (strcmp(state, "connected") == 0)
		return TERM_GREEN;
	return strcmp(state, "unknown") == 0 ? TERM_YELLOW : TERM_RED;
}

static void add_paths(struct table *t, const struct array_status_map *m)
{
	char text[64];

	if (!m->paths) {
		table_add_styled(t, TERM_RED, "none");
		return;
	}
	if (m->paths_ok == m->paths) {
		table_addf(t, "%" PRIu64, m->paths);
		return;
	}
	(void)snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64, m->paths_ok, m->paths);
	table_add_styled(t, m->paths_ok ? TERM_YELLOW : TERM_RED, text);
}

static void add_map(struct table *t, const struct array_status_map *m)
{
	static const char *const open[] = {
		[TRI_NO] = "no", [TRI_YES] = "yes", [TRI_UNKNOWN] = "?"
	};
	char size[24];

	table_add(t, m->volume ? m->volume : m->wwid);
	table_add(t, m->storage);
	table_add_styled(t, style_of(m->state), m->state);
	table_add(t, m->device);
	add_paths(t, m);
	table_add(t, str_human_size(m->size, size));
	table_add(t, open[m->open]);
}

static void add_maps(const struct array_status *s, const struct array_view *view, struct buf *out)
{
	CLEANUP(table_done) struct table t = {};

	if (!s->n_maps) {
		buf_adds(out, "\nNo FlashArray volume is mapped on this node.\n");
		return;
	}
	table_column(&t, "Volume", TABLE_ELASTIC | TABLE_TAIL);
	table_column(&t, "Storage", 0);
	table_column(&t, "State", 0);
	table_column(&t, "Device", 0);
	table_column(&t, "Paths", TABLE_RIGHT);
	table_column(&t, "Size", TABLE_RIGHT);
	table_column(&t, "Open", 0);
	for (size_t i = 0; i < s->n_maps; i++)
		add_map(&t, &s->maps[i]);
	buf_addc(out, '\n');
	table_write(&t, out, 0, view->width, view->color);
}

/* --- what differs ---------------------------------------------------------------------------- */

static void add_drift(const struct array_status_drift *d, const struct array_view *view,
		      struct buf *out)
{
	static const char *const words[] = { "notice  ", "warning ", "CRITICAL" };
	static const enum term_style styles[] = { TERM_DIM, TERM_YELLOW, TERM_RED };
	CLEANUP(buf_done) struct buf text = {};

	term_add(out, view->color, styles[d->level], words[d->level]);
	buf_adds(out, "  ");
	escaped(&text, d->volume);
	buf_adds(&text, ": ");
	escaped(&text, d->what);
	term_wrap(out, buf_str(&text), 10, view->width);
	buf_addc(out, '\n');
	if (!d->remedy)
		return;
	buf_adds(out, "          ");
	term_add(out, view->color, TERM_CYAN, d->remedy);
	buf_addc(out, '\n');
}

static void add_stuck(const struct array_status *s, int64_t now, struct buf *out)
{
	char length[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < s->n_stuck; i++) {
		const struct array_status_stuck *v = &s->stuck[i];

		buf_addf(out, "Stuck in the kernel: pid %" PRIu64 ", volume ", v->pid);
		escaped(out, v->serial);
		buf_addf(out,
			 ", for %s: not touched until it is back (cat /proc/%" PRIu64 "/stack).\n",
			 v->since && now > v->since ? clock_duration(now - v->since, length) : "?",
			 v->pid);
	}
}

void array_show_status(const struct array_status *s, const struct array_view *view, struct buf *out)
{
	add_headline(s, view, out);
	add_daemon(s, out);
	if (!s->n_storages) {
		if (!s->n_blind)
			buf_adds(out, "\nNo storage of type purestorage is enabled for this node: "
				      "see pvewarden-array(8).\n");
	} else {
		add_storages(s, view, out);
		add_arrays(s, view, out);
		add_reasons(s, view, out);
	}
	add_maps(s, view, out);
	if (s->n_drift)
		buf_addc(out, '\n');
	for (int level = 2; level >= 0; level--)
		for (size_t i = 0; i < s->n_drift; i++)
			if (s->drift[i].level == level)
				add_drift(&s->drift[i], view, out);
	if (s->n_stuck)
		buf_addc(out, '\n');
	add_stuck(s, view->now, out);
}
