/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The check in Prometheus' text format, for node_exporter's textfile collector. Names say their
 * unit; every label value that may occur has its sample, also at 0, so that an alert sees a change
 * and not a series that begins. A score that is not known has no sample.
 */

#include "dm/report.h"
#include "dm/show.h"
#include "util/prom.h"

#define DM "pvewarden_dm_"

static void count(struct buf *out, const char *name, const char *help, size_t n)
{
	prom_gauge(out, name, help);
	buf_addf(out, "%s %zu\n", name, n);
}

static void add_findings(const struct dm_look *l, struct buf *out)
{
	size_t n[DM_CLASS_MAX][DM_SEVERITY_CRITICAL + 1] = {};

	for (size_t i = 0; i < l->model.n; i++)
		if (dm_is_finding(&l->verdicts[i]))
			n[l->verdicts[i].class][l->verdicts[i].severity]++;
	prom_gauge(out, DM "findings", "Device-mapper entries that are not as they should be.");
	for (int c = 0; c < DM_CLASS_MAX; c++)
		for (int s = DM_SEVERITY_NOTICE; s <= DM_SEVERITY_CRITICAL; s++)
			if (c != DM_OK && c != DM_INFRASTRUCTURE)
				buf_addf(out, DM "findings{class=\"%s\",severity=\"%s\"} %zu\n",
					 dm_class_name((enum dm_class)c),
					 dm_severity_name((enum dm_severity)s), n[c][s]);
}

static void add_grade(struct buf *out, const char *name, const char *help,
		      const char *const *grades, const char *grade)
{
	prom_gauge(out, name, help);
	for (; *grades; grades++)
		buf_addf(out, "%s{grade=\"%s\"} %d\n", name, *grades,
			 grade && strcmp(grade, *grades) == 0);
}

static void add_grades(const struct dm_check *c, const struct dm_report *r, struct buf *out)
{
	static const char *const dm_grades[] = { "A+", "B", "C", "D", "F", NULL };
	static const char *const host_grades[] = { "A+", "A", "B", "C", "D", NULL };

	add_grade(out, DM "grade", "1 for the grade that the entries have; all 0: not graded.",
		  dm_grades, c->summary.grade);
	if (c->summary.graded) {
		prom_gauge(out, DM "score", "Points of 100 that the entries have.");
		buf_addf(out, DM "score %d\n", c->summary.score);
	}
	if (!r)
		return;
	add_grade(out, "pvewarden_host_grade",
		  "1 for the grade that the host has; all 0: not graded.", host_grades,
		  r->grade.grade);
	if (r->grade.graded) {
		prom_gauge(out, "pvewarden_host_score", "Points of 100 that the host has.");
		buf_addf(out, "pvewarden_host_score %d\n", r->grade.score);
	}
}

static void add_guests(const struct dm_summary *s, struct buf *out)
{
	prom_gauge(out, "pvewarden_guests", "Guests of this node by type and whether they run.");
	buf_addf(out,
		 "pvewarden_guests{type=\"qemu\",running=\"yes\"} %zu\n"
		 "pvewarden_guests{type=\"qemu\",running=\"no\"} %zu\n"
		 "pvewarden_guests{type=\"lxc\",running=\"yes\"} %zu\n"
		 "pvewarden_guests{type=\"lxc\",running=\"no\"} %zu\n",
		 s->vms_running, s->vms - s->vms_running, s->cts_running, s->cts - s->cts_running);
}

/* Two groups of one name would be one series twice, which makes the whole file invalid. */
static bool named_before(const struct lvm_report *lvm, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (lvm->vgs[k].have_size && strcmp(lvm->vgs[k].name, lvm->vgs[i].name) == 0)
			return true;
	return false;
}

static void add_vg_metric(const struct lvm_report *lvm, const char *name, const char *help,
			  bool unused, struct buf *out)
{
	bool titled = false;

	for (size_t i = 0; i < lvm->n_vgs; i++) {
		const struct lvm_vg *vg = &lvm->vgs[i];

		if (!vg->have_size || named_before(lvm, i))
			continue;
		if (!titled)
			prom_gauge(out, name, help);
		titled = true;
		buf_addf(out, "%s{vg=\"", name);
		prom_label(out, vg->name);
		buf_addf(out, "\"} %llu\n", (unsigned long long)(unused ? vg->free : vg->size));
	}
}

static size_t missing_ids(const struct dm_check *c)
{
	size_t n = 0;

	vec_each (t, &c->tallies)
		n += t->in_the_way && !cluster_guest(&c->look->scan.cluster, t->vmid);
	return n;
}

void dm_show_prometheus(const struct dm_check *c, const struct dm_view *view, struct buf *out)
{
	const struct dm_summary *s = &c->summary;
	const struct lvm_report *lvm = &c->look->scan.lvm;

	prom_gauge(
		out, DM "answer",
		"The worst of it, as the exit status: 0 ok, 1 warning, 2 critical, 3 could not tell.");
	buf_addf(out, DM "answer %d\n", dm_answer_exit(s->answer));
	add_grades(c, view->report, out);
	count(out, DM "mappings", "Device-mapper entries.", s->mappings);
	count(out, DM "guest_mappings", "Device-mapper entries of guests.", s->guest_mappings);
	count(out, DM "critical", "Findings that endanger data or keep guests from starting.",
	      s->critical);
	count(out, DM "orphans", "Orphans (tombstones), none of them critical.", s->orphans);
	count(out, DM "duplicates", "Entries over sectors or names of others.", s->duplicates);
	count(out, DM "in_use", "Findings that are open.", s->in_use);
	count(out, DM "unknown", "Entries that could not be judged.", s->unknowns);
	count(out, DM "blind", "Reasons why something could not be told.", c->blind.n);
	count(out, DM "blocked_ids", "Ids without a guest that something is in the way of.",
	      missing_ids(c));
	add_findings(c->look, out);
	add_guests(s, out);
	add_vg_metric(lvm, "pvewarden_vg_size_bytes", "Size of the volume group.", false, out);
	add_vg_metric(lvm, "pvewarden_vg_free_bytes", "Unallocated space of the volume group.",
		      true, out);
	prom_gauge(out, DM "last_check_timestamp_seconds", "When this was found.");
	buf_addf(out, DM "last_check_timestamp_seconds %lld\n",
		 (long long)c->look->scan.cluster.node.now);
}
