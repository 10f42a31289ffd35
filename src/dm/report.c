/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report.h"

#include "util/str.h"

#define PLURAL(n) ((n) == 1 ? "" : "s")

const char *dm_report_severity_word(enum dm_severity s)
{
	static const char *const words[] = {
		[DM_SEVERITY_NONE] = "OK",	     [DM_SEVERITY_NOTICE] = "OK",
		[DM_SEVERITY_WARNING] = "WARNING",   [DM_SEVERITY_UNKNOWN] = "UNKNOWN",
		[DM_SEVERITY_CRITICAL] = "CRITICAL",
	};

	return words[s];
}

const char *dm_report_grade_word(const char *grade)
{
	static const struct {
		const char *grade, *word;
	} words[] = { { "A+", "excellent" }, { "A", "very good" }, { "B", "good" },
		      { "C", "fair" },	     { "D", "poor" },	   { "F", "failing" } };

	for (size_t i = 0; grade && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].grade, grade) == 0)
			return words[i].word;
	return "not graded";
}

const char *dm_report_health(const struct dm_tally *t, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};

	if (!t)
		return "clean";
	if (t->critical)
		buf_addf(&text, "%zu critical", t->critical);
	if (t->orphans)
		buf_addf(&text, "%s%zu orphan%s", text.len ? ", " : "", t->orphans,
			 PLURAL(t->orphans));
	if (!text.len)
		buf_addf(&text, "%zu %s%s", t->findings, dm_severity_name(t->worst),
			 t->findings == 1 || t->worst == DM_SEVERITY_UNKNOWN ? "" : "s");
	return arena_str(a, buf_slice(&text));
}

uint32_t dm_report_vmid_of(const struct dm_report *r, pid_t pid)
{
	const struct running *running = &r->check->look->scan.running;

	vec_each (g, running)
		if (g->pid && g->pid == pid)
			return g->vmid;
	return 0;
}

const char *dm_report_users(const struct dm_report *r, size_t mapping, struct arena *a)
{
	enum { SHOWN = 6 };
	const struct dm_dev *d = r->check->look->model.mappings[mapping].dev;
	CLEANUP(buf_done) struct buf text = {};
	size_t n = 0;

	if (!d->open_count)
		return NULL;
	vec_each (u, &r->check->users) {
		uint32_t vmid = u->pid ? dm_report_vmid_of(r, u->pid) : 0;

		if (!devno_eq(u->dev, d->dev) || ++n > SHOWN)
			continue;
		buf_adds(&text, n > 1 ? "; " : "");
		if (u->pid)
			buf_addf(&text, "%s (pid %ld), ", u->command, (long)u->pid);
		if (vmid)
			buf_addf(&text, "VM %u, ", vmid);
		buf_adds(&text, u->via);
	}
	if (n > SHOWN)
		buf_addf(&text, "; and %zu more", n - SHOWN);
	if (!n)
		buf_addf(&text, "opened %u time%s, by the kernel or a process out of view",
			 d->open_count, PLURAL(d->open_count));
	return arena_str(a, buf_slice(&text));
}

static void list_findings(struct dm_report *r)
{
	const struct dm_look *l = r->check->look;

	for (size_t i = 0; i < l->model.n; i++)
		r->open += l->model.mappings[i].dev->open_count > 0;
	for (int s = DM_SEVERITY_CRITICAL; s >= DM_SEVERITY_NONE; s--)
		for (size_t i = 0; i < l->model.n; i++)
			if (dm_is_finding(&l->verdicts[i]) &&
			    l->verdicts[i].severity == (enum dm_severity)s)
				*vec_push(&r->findings) = i;
}

/* The guest that a mapping's verdict speaks of, if its config is on this node. */
static const struct guest *owner(const struct dm_look *l, size_t i)
{
	const struct guest *g = l->verdicts[i].guest;

	return g && strcmp(g->node, l->scan.cluster.node.name) == 0 ? g : NULL;
}

static int by_owner(const void *a, const void *b, void *arg)
{
	const struct dm_look *l = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	uint32_t p = l->verdicts[x].vmid, q = l->verdicts[y].vmid;

	if (p != q)
		return p < q ? -1 : 1;
	return strcmp(l->model.mappings[x].dev->name, l->model.mappings[y].dev->name);
}

static void list_volumes(struct dm_report *r)
{
	const struct dm_look *l = r->check->look;

	for (size_t i = 0; i < l->model.n; i++)
		if (owner(l, i))
			*vec_push(&r->volumes) = i;
	if (r->volumes.n)
		qsort_r(r->volumes.items, r->volumes.n, sizeof(size_t), by_owner, (void *)l);
}

static enum dm_severity worst_of(const struct dm_report_guest *g)
{
	return g->tally ? g->tally->worst : DM_SEVERITY_NONE;
}

static int by_trouble(const void *a, const void *b)
{
	const struct dm_report_guest *x = a, *y = b;

	if (worst_of(x) != worst_of(y))
		return worst_of(x) > worst_of(y) ? -1 : 1;
	return x->guest->vmid < y->guest->vmid ? -1 : x->guest->vmid > y->guest->vmid;
}

static int by_vmid(const void *key, const void *item)
{
	const struct dm_report_guest *x = key, *y = item;

	return x->guest->vmid < y->guest->vmid ? -1 : x->guest->vmid > y->guest->vmid;
}

/* While the guests are still in the order of their ids. */
static void count_volumes(struct dm_report *r)
{
	const struct dm_look *l = r->check->look;

	vec_each (i, &r->volumes) {
		struct dm_report_guest key = { .guest = owner(l, *i) }, *g;

		g = bsearch(&key, r->guests.items, r->guests.n, sizeof(key), by_vmid);
		if (!g)
			continue;
		g->mappings++;
		g->open += l->model.mappings[*i].dev->open_count > 0;
	}
}

static void list_guests(struct dm_report *r)
{
	const struct dm_scan *s = &r->check->look->scan;

	for (size_t i = 0; i < s->cluster.n_guests; i++) {
		const struct guest *g = &s->cluster.guests[i];

		if (strcmp(g->node, s->cluster.node.name) != 0)
			continue;
		*vec_push(&r->guests) =
			(struct dm_report_guest){ .guest = g,
						  .status = dm_guest_status(s, g),
						  .tally = dm_tally_of(r->check, g->vmid) };
	}
	if (!r->guests.n)
		return;
	count_volumes(r);
	qsort(r->guests.items, r->guests.n, sizeof(*r->guests.items), by_trouble);
}

static void list_missing(struct dm_report *r)
{
	vec_each (t, &r->check->tallies)
		if (t->in_the_way && !cluster_guest(&r->check->look->scan.cluster, t->vmid))
			*vec_push(&r->missing) = t;
}

static void grade_host(struct dm_report *r)
{
	struct host_figure memory = host_percent_of(r->host.memory);
	struct hostgrade_input in = { .cpu_known = r->host.cpu_percent.known,
				      .cpu = r->host.cpu_percent.value,
				      .memory_known = memory.known,
				      .memory = memory.value,
				      .orphans_known = !dm_blind(&r->check->look->model),
				      .orphans = r->check->summary.orphans };

	hostgrade(&r->grade, &in);
}

static void add_counts(const struct dm_report *r, struct buf *out)
{
	const struct dm_summary *s = &r->check->summary;
	size_t from = out->len;

	if (s->critical)
		buf_addf(out, "%zu critical", s->critical);
	if (s->orphans)
		buf_addf(out, "%s%zu orphan%s", out->len > from ? ", " : "", s->orphans,
			 PLURAL(s->orphans));
	if (s->unknowns)
		buf_addf(out, "%s%zu could not be told", out->len > from ? ", " : "", s->unknowns);
	else if (r->check->blind.n)
		buf_addf(out, "%snot everything could be seen", out->len > from ? ", " : "");
	/* Warnings that are neither: a FlashArray map that is gone. */
	if (s->issues > s->critical + s->orphans)
		buf_addf(out, "%s%zu other", out->len > from ? ", " : "",
			 s->issues - s->critical - s->orphans);
	if (out->len == from)
		buf_addf(out, "no issues, %zu entries", s->mappings);
}

static const char *printable(const char *text, struct arena *a)
{
	size_t room = strlen(text) * 4 + 16;
	char *shown = arena_alloc(a, room);

	str_printable(shown, room, slice_of(text));
	return shown;
}

static void write_subject(struct dm_report *r)
{
	const struct dm_summary *s = &r->check->summary;
	CLEANUP(buf_done) struct buf text = {};

	buf_addf(&text, "[%s] %s: ", r->check->look->scan.cluster.node.name,
		 dm_report_severity_word(s->answer));
	add_counts(r, &text);
	buf_addf(&text, " (device mapper %s%s, host %s%s)", s->grade ? "grade " : "not graded",
		 s->grade ? s->grade : "", r->grade.grade ? "grade " : "not graded",
		 r->grade.grade ? r->grade.grade : "");
	r->subject = printable(buf_str(&text), &r->arena);
}

static void add_critical(const struct dm_summary *s, struct buf *out)
{
	if (!s->critical)
		return;
	buf_addf(out, "%zu %s data or keep%s a guest from starting: see to %s first. ", s->critical,
		 s->critical == 1 ? "endangers" : "endanger", s->critical == 1 ? "s" : "",
		 s->critical == 1 ? "it" : "them");
	if (s->duplicates)
		buf_addf(out, "%zu duplicate%s cover%s the sectors or the name of another disk. ",
			 s->duplicates, PLURAL(s->duplicates), s->duplicates == 1 ? "s" : "");
}

/* Whom it concerns, each id once. */
static void add_concerned(const struct dm_report *r, struct buf *out)
{
	size_t guests = 0;

	vec_each (t, &r->check->tallies)
		guests += t->worst >= DM_SEVERITY_WARNING &&
			  cluster_guest(&r->check->look->scan.cluster, t->vmid);
	if (guests || r->missing.n)
		buf_addf(out, "%zu guest%s and %zu unused id%s are concerned. ", guests,
			 PLURAL(guests), r->missing.n, PLURAL(r->missing.n));
}

static void write_summary(struct dm_report *r)
{
	const struct dm_summary *s = &r->check->summary;
	size_t other = s->issues - s->critical - s->orphans;
	CLEANUP(buf_done) struct buf text = {};

	buf_addf(&text, "%zu device-mapper entr%s on this node, %zu of them of guests. ",
		 s->mappings, s->mappings == 1 ? "y" : "ies", s->guest_mappings);
	add_critical(s, &text);
	if (s->orphans)
		buf_addf(&text,
			 "%zu orphan%s (tombstone%s) may block new guests or migrations here. ",
			 s->orphans, PLURAL(s->orphans), PLURAL(s->orphans));
	if (other)
		buf_addf(&text, "%zu other warning%s. ", other, PLURAL(other));
	add_concerned(r, &text);
	if (s->unknowns || r->check->blind.n)
		buf_adds(&text, "Not everything could be told, and nothing is called healthy that "
				"was not seen. ");
	if (s->answer <= DM_SEVERITY_NOTICE)
		buf_addf(&text, "%sothing has to be done. ",
			 s->notices ? "N" : "Every entry is where it belongs. N");
	r->summary = arena_strndup(&r->arena, buf_str(&text), text.len - 1);
}

void dm_report_make(struct dm_report *r, const struct dm_check *c, const struct root *root)
{
	*r = (struct dm_report){ .check = c };
	host_read(&r->host, root, &c->look->scan.cluster, &r->arena);
	grade_host(r);
	list_findings(r);
	list_volumes(r);
	list_guests(r);
	list_missing(r);
	write_subject(r);
	write_summary(r);
}

void dm_report_done(struct dm_report *r)
{
	host_done(&r->host);
	vec_free(&r->findings);
	vec_free(&r->guests);
	vec_free(&r->missing);
	vec_free(&r->volumes);
	arena_done(&r->arena);
}
