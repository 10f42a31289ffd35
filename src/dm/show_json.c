/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/show.h"

#include "dm/explain.h"
#include "dm/report.h"
#include "util/jsonw.h"

static void write_texts(struct jsonw *w, const char *key, const struct dm_texts *list)
{
	jsonw_array(w, key);
	vec_each (text, list)
		jsonw_str(w, NULL, *text);
	jsonw_close(w);
}

static void write_summary(struct jsonw *w, const struct dm_summary *s)
{
	const struct {
		const char *key;
		size_t value;
	} rows[] = {
		{ "mappings", s->mappings },
		{ "guest_mappings", s->guest_mappings },
		{ "ok", s->by_class[DM_OK] },
		{ "duplicates", s->duplicates },
		{ "orphans", s->orphans },
		{ "leftovers", s->by_class[DM_LEFTOVER] },
		{ "stale_tables", s->by_class[DM_STALE_TABLE] },
		{ "renamed", s->by_class[DM_RENAMED] },
		{ "ghosts", s->by_class[DM_GHOST] },
		{ "manual", s->by_class[DM_MANUAL] },
		{ "foreign", s->by_class[DM_FOREIGN] },
		{ "copies", s->by_class[DM_COPY] },
		{ "unreferenced", s->by_class[DM_UNREFERENCED] },
		{ "array_gone", s->by_class[DM_ARRAY_GONE] },
		{ "busy", s->by_class[DM_BUSY] },
		{ "unknown", s->by_class[DM_UNKNOWN] },
		{ "infrastructure", s->by_class[DM_INFRASTRUCTURE] },
		{ "critical", s->critical },
		{ "warnings", s->warnings },
		{ "in_use", s->in_use },
		{ "issues", s->issues },
		{ "vms", s->vms },
		{ "vms_running", s->vms_running },
		{ "cts", s->cts },
		{ "cts_running", s->cts_running },
	};

	jsonw_object(w, "summary");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		jsonw_u64(w, rows[i].key, rows[i].value);
	jsonw_close(w);
}

static void write_guest(struct jsonw *w, const struct dm_scan *s, const struct guest *g)
{
	if (!g) {
		jsonw_null(w, "guest");
		return;
	}
	jsonw_row(w, "guest");
	jsonw_str(w, "type", guest_type_name(g->type));
	jsonw_str(w, "name", g->name);
	jsonw_str(w, "status", dm_guest_status(s, g));
	jsonw_str(w, "node", g->node);
	jsonw_close(w);
}

static void write_users(struct jsonw *w, const struct dm_check *c, struct devno dev)
{
	jsonw_array(w, "users");
	vec_each (u, &c->users) {
		if (!devno_eq(u->dev, dev))
			continue;
		jsonw_row(w, NULL);
		if (u->pid)
			jsonw_i64(w, "pid", u->pid);
		else
			jsonw_null(w, "pid");
		jsonw_str(w, "command", u->command);
		jsonw_str(w, "via", u->via);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_children(struct jsonw *w, const struct dm_model *m, const struct dm_mapping *of)
{
	jsonw_array(w, "children");
	for (size_t i = of->first_child; i != DM_NONE; i = m->mappings[i].next_child) {
		const struct dm_dev *d = m->mappings[i].dev;

		jsonw_row(w, NULL);
		jsonw_str(w, "name", d->name);
		jsonw_str(w, "uuid", *d->uuid ? d->uuid : NULL);
		jsonw_fmt(w, "device", DEVNO_FMT, DEVNO_ARG(d->dev));
		jsonw_u64(w, "open_count", d->open_count);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_duplicate_of(struct jsonw *w, const struct dm_model *m,
			       const struct dm_mapping *map, const struct dm_verdict *v)
{
	bool handmade = v->class == DM_DUPLICATE;

	if (!v->duplicate && !handmade)
		return;
	jsonw_array(w, "duplicate_of");
	for (size_t i = 0; i < map->n_overlaps; i++)
		jsonw_str(w, NULL, m->mappings[map->overlaps[i]].dev->name);
	for (size_t i = 0; handmade && !map->n_overlaps && i < map->n_owners; i++)
		jsonw_fmt(w, NULL, "%s/%s", map->owners[i]->vg->name, map->owners[i]->name);
	if (handmade && v->cause == DM_CAUSE_CLAIMS_NAME)
		jsonw_fmt(w, NULL, "%s/%s", map->namesake->vg->name, map->namesake->name);
	jsonw_close(w);
}

static void write_identity(struct jsonw *w, const struct dm_dev *d, const struct dm_verdict *v)
{
	jsonw_str(w, "class", dm_class_name(v->class));
	jsonw_str(w, "severity", dm_severity_name(v->severity));
	jsonw_str(w, "name", d->name);
	jsonw_str(w, "uuid", *d->uuid ? d->uuid : NULL);
	jsonw_fmt(w, "device", DEVNO_FMT, DEVNO_ARG(d->dev));
	if (v->vmid)
		jsonw_u64(w, "vmid", v->vmid);
	else
		jsonw_null(w, "vmid");
}

static void write_volid(struct jsonw *w, const struct dm_verdict *v)
{
	if (v->ref && v->ref->volume->storage)
		jsonw_fmt(w, "volid", "%s:%s", v->ref->volume->storage, v->ref->volume->volname);
	else
		jsonw_null(w, "volid");
}

static void write_finding(struct jsonw *w, const struct dm_check *c, size_t i, struct arena *a)
{
	const struct dm_look *l = c->look;
	const struct dm_mapping *map = &l->model.mappings[i];
	const struct dm_verdict *v = &l->verdicts[i];
	struct dm_explanation text;

	dm_explain(&text, &l->model, map, v, a);
	jsonw_object(w, NULL);
	write_identity(w, map->dev, v);
	write_guest(w, &l->scan, v->guest);
	jsonw_str(w, "vg", map->vg ? map->vg->name : *map->vg_name ? map->vg_name : NULL);
	jsonw_str(w, "lv", map->lv ? map->lv->name : *map->lv_name ? map->lv_name : NULL);
	write_volid(w, v);
	jsonw_u64(w, "open_count", map->dev->open_count);
	write_users(w, c, map->dev->dev);
	write_children(w, &l->model, map);
	write_duplicate_of(w, &l->model, map, v);
	jsonw_str(w, "reason", text.reason);
	jsonw_str(w, "impact", text.impact);
	jsonw_str(w, "remedy", text.remedy);
	jsonw_close(w);
}

static bool in_view(const struct dm_check *c, const struct dm_view *view, size_t i)
{
	return !view->vmid || dm_concerns(c->look, i, view->vmid);
}

static void write_findings(struct jsonw *w, const struct dm_check *c, const struct dm_view *view)
{
	jsonw_array(w, "findings");
	for (int s = DM_SEVERITY_CRITICAL; s >= DM_SEVERITY_NONE; s--) {
		for (size_t i = 0; i < c->look->model.n; i++) {
			CLEANUP(arena_done) struct arena scratch = {};

			if (dm_is_finding(&c->look->verdicts[i]) && in_view(c, view, i) &&
			    c->look->verdicts[i].severity == (enum dm_severity)s)
				write_finding(w, c, i, &scratch);
		}
	}
	jsonw_close(w);
}

static void write_guests(struct jsonw *w, const struct dm_check *c, const struct dm_view *view)
{
	const struct cluster *cluster = &c->look->scan.cluster;

	jsonw_array(w, "guests");
	for (size_t i = 0; i < cluster->n_guests; i++) {
		const struct guest *g = &cluster->guests[i];
		const struct dm_tally *tally = dm_tally_of(c, g->vmid);

		if (strcmp(g->node, cluster->node.name) != 0 ||
		    (view->vmid && view->vmid != g->vmid))
			continue;
		jsonw_row(w, NULL);
		jsonw_u64(w, "vmid", g->vmid);
		jsonw_str(w, "type", guest_type_name(g->type));
		jsonw_str(w, "name", g->name);
		jsonw_str(w, "status", dm_guest_status(&c->look->scan, g));
		jsonw_str(w, "health", dm_severity_name(tally ? tally->worst : DM_SEVERITY_NONE));
		jsonw_u64(w, "findings", tally ? tally->findings : 0);
		jsonw_close(w);
	}
	jsonw_close(w);
}

/* Orphans of ids that no guest of the cluster has. */
static void write_orphan_vmids(struct jsonw *w, const struct dm_check *c)
{
	jsonw_array(w, "orphan_vmids");
	vec_each (t, &c->tallies) {
		if (!t->in_the_way || cluster_guest(&c->look->scan.cluster, t->vmid))
			continue;
		jsonw_row(w, NULL);
		jsonw_u64(w, "vmid", t->vmid);
		jsonw_u64(w, "count", t->in_the_way);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_environment(struct jsonw *w, const struct cluster *c)
{
	jsonw_object(w, "environment");
	jsonw_str(w, "kind", c->members.clustered ? "cluster" : "standalone");
	jsonw_str(w, "cluster", c->members.cluster_name);
	jsonw_str(w, "release", c->node.release);
	jsonw_array(w, "nodes");
	for (size_t i = 0; i < c->members.n_nodes; i++) {
		jsonw_row(w, NULL);
		jsonw_str(w, "name", c->members.nodes[i].name);
		jsonw_bool(w, "online", c->members.nodes[i].online);
		jsonw_close(w);
	}
	jsonw_close(w);
	jsonw_array(w, "storages");
	for (size_t i = 0; i < c->storages.n; i++) {
		const struct storage *s = &c->storages.storages[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "id", s->id);
		jsonw_str(w, "type", s->type);
		jsonw_str(w, "vgname", s->vgname);
		jsonw_bool(w, "shared", s->shared);
		jsonw_bool(w, "here", !s->disabled && storage_on_node(s, c->node.name));
		jsonw_close(w);
	}
	jsonw_close(w);
	jsonw_close(w);
}

static void write_diagnostics(struct jsonw *w, const struct diags *d)
{
	jsonw_array(w, "diagnostics");
	for (size_t i = 0; i < d->n; i++) {
		jsonw_row(w, NULL);
		jsonw_str(w, "file", d->items[i].file);
		jsonw_u64(w, "line", d->items[i].line);
		jsonw_str(w, "text", d->items[i].text);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_mappings(struct jsonw *w, const struct dm_check *c, const struct dm_view *view)
{
	const struct dm_look *l = c->look;

	jsonw_array(w, "mappings");
	for (size_t i = 0; i < l->model.n; i++) {
		const struct dm_mapping *map = &l->model.mappings[i];

		if (!in_view(c, view, i))
			continue;
		jsonw_row(w, NULL);
		write_identity(w, map->dev, &l->verdicts[i]);
		jsonw_u64(w, "open_count", map->dev->open_count);
		if (map->host != DM_NONE)
			jsonw_str(w, "stands_on", l->model.mappings[map->host].dev->name);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_host_grade(struct jsonw *w, const struct dm_report *r)
{
	jsonw_str(w, "host_grade", r ? r->grade.grade : NULL);
	if (!r)
		return;
	if (r->grade.graded)
		jsonw_i64(w, "host_score", r->grade.score);
	else
		jsonw_null(w, "host_score");
}

static void write_grade(struct jsonw *w, const struct dm_summary *s)
{
	if (s->graded)
		jsonw_i64(w, "score", s->score);
	else
		jsonw_null(w, "score");
	jsonw_str(w, "grade", s->grade);
}

void dm_show_json(const struct dm_check *c, const struct dm_view *view, struct buf *out)
{
	const struct node *node = &c->look->scan.cluster.node;
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", "pvewarden.dm/1");
	jsonw_str(&w, "node", node->name);
	jsonw_time(&w, "time", node->now);
	jsonw_str(&w, "policy", c->options.policy_running ? "running" : "configured");
	if (view->vmid)
		jsonw_u64(&w, "vmid", view->vmid);
	jsonw_str(&w, "answer", dm_answer_name(dm_view_answer(c, view)));
	write_texts(&w, "blind", &c->blind);
	write_summary(&w, &c->summary);
	write_grade(&w, &c->summary);
	write_host_grade(&w, view->report);
	write_findings(&w, c, view);
	write_guests(&w, c, view);
	write_orphan_vmids(&w, c);
	write_texts(&w, "advice", &c->advice);
	write_environment(&w, &c->look->scan.cluster);
	if (view->report)
		dm_report_write_host(&w, view->report);
	write_diagnostics(&w, &c->look->scan.cluster.diags);
	if (view->all)
		write_mappings(&w, c, view);
	jsonw_end(&w);
}
