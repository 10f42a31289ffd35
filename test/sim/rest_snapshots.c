/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>
#include <strings.h>

#include "sim.h"

static const char MISSING[] = "No such volume or snapshot.";
static const char DESTROYED[] =
	"Volume snapshot has been destroyed. It can be recovered by purevol "
	"recover and eradicated by purevol eradicate.";

static void rows_of(struct sim_request *r, const struct sim_volume *v, struct sim_wanted *w,
		    struct sim_rows *rows)
{
	vec_each (p, &v->snapshots) {
		CLEANUP_FREE char *name = sim_snapshot_name(*p);

		if (sim_wanted(w, name, (*p)->o.id, (*p)->o.destroyed))
			sim_row(rows, (*p)->o.seq, sim_snapshot_json(r->array, *p));
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct sim_row *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool sources_exist(struct sim_request *r, const struct sim_names *names,
			  const struct sim_names *ids)
{
	vec_each (name, &names->list)
		if (!sim_volume_find(r->array, *name))
			sim_error(r, 400, *name, "Volume does not exist.");
	vec_each (id, &ids->list)
		if (!sim_volume_by_id(r->array, *id))
			sim_error(r, 400, *id, "Volume does not exist.");
	return !r->spoilt;
}

static void list(struct sim_request *r)
{
	bool by_source, by_id;
	struct sim_names sources = sim_list(r, "source_names", &by_source);
	struct sim_names ids = sim_list(r, "source_ids", &by_id);
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (sources_exist(r, &sources, &ids) && sim_wanted_begin(r, &w, "names", "ids")) {
		vec_each (v, &r->sim->volumes) {
			if (!sim_volume_on(*v, r->array) ||
			    (by_source && !sim_names_has(&sources, (*v)->o.name)) ||
			    (by_id && !sim_names_has(&ids, (*v)->o.id)))
				continue;
			rows_of(r, *v, &w, &rows);
		}
		(void)sim_wanted_end(r, &w, MISSING);
		if (rows.rows.n)
			qsort(rows.rows.items, rows.rows.n, sizeof(rows.rows.items[0]), by_seq);
		sim_list_reply(r, &rows);
	}
	sim_names_free(&sources);
	sim_names_free(&ids);
}

/* The suffix is the body's; arrays take it from the query as well. Without one they count. */
static void suffix_of(struct sim_request *r, char ret[static 128])
{
	const char *suffix = json_str(r->body, "suffix");

	if (!suffix)
		suffix = sim_arg(r, "suffix");
	if (suffix)
		(void)snprintf(ret, 128, "%s", suffix);
	else
		(void)snprintf(ret, 128, "%llu", (unsigned long long)r->sim->seq + 1);
}

static bool can_take(struct sim_request *r, const struct sim_volume *v, const char *name,
		     const char *suffix)
{
	const struct sim_snapshot *there = v ? sim_snapshot_of(v, suffix) : NULL;

	if (!v)
		sim_error(r, 400, name, "Volume does not exist.");
	else if (v->o.destroyed)
		sim_error(r, 400, name, "Volume has been destroyed.");
	else if (there && there->o.destroyed)
		sim_error(r, 400, name, DESTROYED);
	else if (there)
		sim_error(r, 400, name, "Volume snapshot already exists.");
	else
		return true;
	return false;
}

static void take(struct sim_request *r)
{
	bool there;
	struct sim_names names = sim_list(r, "source_names", &there);
	json_t *items = json_array();
	int64_t now = sim_now(r->sim);
	char suffix[128];

	suffix_of(r, suffix);
	if (names.list.n == 0)
		sim_error(r, 400, NULL, "Missing required parameter: source_names.");
	else if (!sim_suffix_ok(suffix))
		sim_error(r, 400, suffix, "Snapshot suffix is invalid.");
	vec_each (name, &names.list)
		(void)can_take(r, sim_volume_find(r->array, *name), *name, suffix);
	for (size_t i = 0; i < names.list.n && !r->spoilt; i++) {
		struct sim_volume *v = sim_volume_find(r->array, names.list.items[i]);
		struct sim_snapshot *p = sim_snapshot_add(r->sim, v, suffix);

		p->o.created = now; /* one moment for all */
		json_array_append_new(items, sim_snapshot_json(r->array, p));
	}
	sim_reply_items(r, items);
	sim_names_free(&names);
}

static bool change_name(struct sim_request *r, struct sim_snapshot *p, const char *name,
			const char *to)
{
	if (!sim_suffix_ok(to))
		sim_error(r, 400, name, "Snapshot suffix is invalid.");
	else if (p->o.destroyed)
		sim_error(r, 400, name, DESTROYED);
	else if (sim_snapshot_of(p->volume, to))
		sim_error(r, 400, name, "Volume snapshot already exists.");
	else
		return true;
	return false;
}

static bool change_ok(struct sim_request *r, struct sim_snapshot *p, const char *name)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");
	const char *to = json_str(r->body, "name");

	if (!destroyed)
		return to && change_name(r, p, name, to);
	if (json_is_true(destroyed) && p->o.destroyed)
		sim_error(r, 400, name, DESTROYED);
	else if (!json_is_true(destroyed) && !p->o.destroyed)
		sim_error(r, 400, name, "Volume snapshot is not destroyed.");
	else if (p->volume->o.destroyed)
		sim_error(r, 400, name, "Volume has been destroyed.");
	else
		return true;
	return false;
}

static void change(struct sim_request *r, struct sim_snapshot *p)
{
	const json_t *destroyed = json_object_get(r->body, "destroyed");

	if (destroyed) {
		p->o.destroyed = json_is_true(destroyed);
		p->o.gone_at = sim_pending(r->array, p->volume->pod);
		return;
	}
	free(p->o.name);
	p->o.name = xstrdup(json_str(r->body, "name"));
}

static struct sim_snapshot *snapshot_of(struct sim_request *r, const char *name)
{
	struct sim_snapshot *p = sim_snapshot_find(r->array, name);

	if (!p)
		sim_error(r, 400, name, MISSING);
	return p;
}

static void patch(struct sim_request *r, const struct sim_names *names)
{
	json_t *items = json_array();

	if (!json_object_get(r->body, "destroyed") && !json_str(r->body, "name"))
		sim_error(r, 400, NULL, "No attribute specified.");
	vec_each (name, &names->list) {
		struct sim_snapshot *p = snapshot_of(r, *name);

		if (p && !r->spoilt)
			(void)change_ok(r, p, *name);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_snapshot *p = sim_snapshot_find(r->array, names->list.items[i]);

		if (!p)
			continue;
		change(r, p);
		json_array_append_new(items, sim_snapshot_json(r->array, p));
	}
	sim_reply_items(r, items);
}

static void eradicate(struct sim_request *r, const struct sim_names *names)
{
	vec_each (name, &names->list) {
		const struct sim_snapshot *p = snapshot_of(r, *name);

		if (p && !p->o.destroyed)
			sim_error(r, 400, *name, "Volume snapshot is not destroyed.");
		else if (p)
			(void)sim_may_eradicate(r, p->volume->pod, *name);
	}
	for (size_t i = 0; i < names->list.n && !r->spoilt; i++) {
		struct sim_snapshot *p = sim_snapshot_find(r->array, names->list.items[i]);

		if (p)
			sim_eradicate_snapshot(r->sim, p);
	}
}

void rest_snapshots(struct sim_request *r)
{
	struct sim_names names;
	bool there;

	if (sim_is(r, "GET")) {
		list(r);
		return;
	}
	if (sim_is(r, "POST")) {
		take(r);
		return;
	}
	names = sim_list(r, "names", &there);
	if (names.list.n == 0)
		sim_error(r, 400, NULL, "Missing required parameter: names.");
	else if (sim_is(r, "PATCH"))
		patch(r, &names);
	else
		eradicate(r, &names);
	sim_names_free(&names);
}
