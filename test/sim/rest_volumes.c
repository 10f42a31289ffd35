/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>
#include <strings.h>

#include "backend.h"
#include "sim.h"

static const char MISSING[] = "Volume does not exist.";
static const char DESTROYED[] = "Volume has been destroyed.";

enum { MIN_SIZE = 1 << 20 };
static const uint64_t MAX_SIZE = 4ull << 50;

static void list(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (v, &r->sim->volumes)
		if (sim_volume_on(*v, r->array) &&
		    sim_wanted(&w, (*v)->o.name, (*v)->o.id, (*v)->o.destroyed))
			sim_row(&rows, (*v)->o.seq, sim_volume_json(r->array, *v));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}

/* ---- making ---- */

struct making {
	const char *name;
	struct sim_pod *pod;
	struct sim_vgroup *vgroup;
	struct sim_volume *target; /* with overwrite: who is there already */
	struct sim_volume *source;
	struct sim_snapshot *snapshot;
	uint64_t size;
	struct sim_qos qos;
};

static bool place_of(struct sim_request *r, struct making *m)
{
	struct sim_place place = sim_name_split(m->name);
	struct buf name = {};
	bool ok = false;

	if (place.pod.n) {
		buf_addf(&name, SLICE_FMT, SLICE_ARG(place.pod));
		m->pod = sim_pod_find(r->array, buf_str(&name));
		buf_adds(&name, "::");
	}
	if (place.vgroup.n) {
		buf_addf(&name, SLICE_FMT, SLICE_ARG(place.vgroup));
		m->vgroup = sim_vgroup_find(r->array, buf_str(&name));
	}
	if (place.pod.n && (!m->pod || m->pod->o.destroyed))
		sim_error(r, 400, m->name, "Pod does not exist.");
	else if (place.vgroup.n && (!m->vgroup || m->vgroup->o.destroyed))
		sim_error(r, 400, m->name, "Volume group does not exist.");
	else if (!sim_name_ok(place.own))
		sim_error(r, 400, m->name, "Volume name is invalid.");
	else
		ok = true;
	buf_done(&name);
	return ok;
}

static bool source_from(struct sim_request *r, struct making *m)
{
	const json_t *source = json_obj(r->body, "source");
	const char *name = json_str(source, "name"), *id = json_str(source, "id");

	if (!source)
		return true;
	if (name)
		m->snapshot = sim_snapshot_find(r->array, name);
	if (name && !m->snapshot)
		m->source = sim_volume_find(r->array, name);
	if (id && !name)
		m->source = sim_volume_by_id(r->array, id);
	if (m->snapshot) {
		m->size = m->snapshot->size;
		if (!m->snapshot->o.destroyed && !m->snapshot->volume->o.destroyed)
			return true;
		sim_error(r, 400, name,
			  "Volume snapshot has been destroyed. It can be recovered by purevol "
			  "recover and eradicated by purevol eradicate.");
		return false;
	}
	if (!m->source) {
		sim_error(r, 400, name, "No such volume or snapshot.");
		return false;
	}
	m->size = m->source->size;
	if (!m->source->o.destroyed)
		return true;
	sim_error(r, 400, name, DESTROYED);
	return false;
}

static bool size_ok(struct sim_request *r, const char *name, uint64_t size)
{
	if (size >= MIN_SIZE && size <= MAX_SIZE && size % 512 == 0)
		return true;
	sim_error(r, 400, name,
		  "Invalid volume size. Must be a multiple of 512 between 1M and 4P.");
	return false;
}

static bool quota_ok(struct sim_request *r, const char *name, const struct sim_pod *p,
		     uint64_t more)
{
	if (!p || !p->quota || sim_pod_provisioned(r->sim, p) + more <= p->quota)
		return true;
	sim_error(r, 400, name, "Pod quota limit exceeded.");
	return false;
}

static bool target_ok(struct sim_request *r, struct making *m)
{
	struct sim_volume *there = sim_volume_find(r->array, m->name);

	if (!there)
		return true;
	if (there->o.destroyed)
		sim_error(r, 400, m->name,
			  "Volume has been destroyed. It can be recovered by purevol recover and "
			  "eradicated by purevol eradicate.");
	else if (!sim_flag(r, "overwrite"))
		sim_error(r, 400, m->name, "Volume already exists.");
	else if (!m->source && !m->snapshot)
		sim_error(r, 400, m->name, "Overwrite requires a source.");
	else if (sim_arg(r, "with_default_protection") ||
		 sim_arg(r, "add_to_protection_group_names"))
		sim_error(r, 400, m->name, "Cannot add protection when overwriting a volume.");
	else if (m->source == there)
		sim_error(r, 400, m->name, "Source and target volumes are the same.");
	else
		m->target = there;
	return m->target != NULL;
}

static bool making_from(struct sim_request *r, const char *name, struct making *m)
{
	*m = (struct making){ .name = name };
	if (!place_of(r, m) || !source_from(r, m) || !target_ok(r, m))
		return false;
	if (!m->source && !m->snapshot && !json_u64(r->body, "provisioned", &m->size)) {
		sim_error(r, 400, name, "No attribute specified.");
		return false;
	}
	if (m->pod && m->pod->demoted) {
		sim_error(r, 400, name, "Pod is demoted.");
		return false;
	}
	return size_ok(r, name, m->size) && sim_qos_from(r, name, &m->qos);
}

static void remember_source(struct sim_volume *v, const struct making *m)
{
	const struct sim_volume *from = m->snapshot ? m->snapshot->volume : m->source;

	if (!from)
		return;
	free(v->source_name);
	free(v->source_id);
	v->source_name = xstrdup(from->o.name);
	v->source_id = xstrdup(from->o.id);
}

static struct sim_volume *make(struct sim_request *r, const struct making *m)
{
	struct sim_volume *v = xcalloc(1, sizeof(*v));

	sim_object_init(r->sim, &v->o, m->name);
	sim_serial(r->sim, v->serial);
	v->pod = m->pod;
	v->vgroup = m->vgroup;
	v->array = r->array->index;
	v->size = m->size;
	v->qos = m->qos;
	remember_source(v, m);
	*vec_push(&r->sim->volumes) = v;
	if (m->source || m->snapshot)
		sim_backend_copy(r->sim, m->snapshot ? m->snapshot->serial : m->source->serial,
				 v->serial, v->size);
	sim_backend_create(r->sim, v);
	return v;
}

/* The old content stays as a destroyed snapshot, as the array keeps it for who erred. */
static struct sim_volume *overwrite(struct sim_request *r, const struct making *m)
{
	struct sim_volume *v = m->target;
	struct sim_snapshot *undo;
	char suffix[40];

	(void)snprintf(suffix, sizeof(suffix), "undo-%llu", (unsigned long long)r->sim->seq);
	undo = sim_snapshot_add(r->sim, v, suffix);
	undo->o.destroyed = true;
	undo->o.gone_at = sim_pending(r->array, v->pod);
	v->size = m->size;
	remember_source(v, m);
	sim_backend_copy(r->sim, m->snapshot ? m->snapshot->serial : m->source->serial, v->serial,
			 v->size);
	sim_backend_resize(r->sim, v);
	return v;
}

static void create(struct sim_request *r)
{
	VEC(struct making) all = {};
	bool there;
	struct sim_names names = sim_list(r, "names", &there);
	uint64_t more = 0;

	if (names.list.n == 0)
		sim_error(r, 400, NULL, "Missing required parameter: names.");
	vec_each (name, &names.list) {
		struct making m;

		if (!making_from(r, *name, &m))
			continue;
		more += m.size - (m.target ? m.target->size : 0);
		if (quota_ok(r, *name, m.pod, more))
			*vec_push(&all) = m;
	}
	if (!r->spoilt) {
		json_t *items = json_array();

		vec_each (m, &all)
			json_array_append_new(
				items, sim_volume_json(r->array,
						       m->target ? overwrite(r, m) : make(r, m)));
		sim_reply_items(r, items);
	}
	vec_free(&all);
	sim_names_free(&names);
}

/* ---- changing ---- */

typedef bool change_fn(struct sim_request *r, struct sim_volume *v, bool act);

static void destroy_snapshots(struct sim_volume *v, bool destroyed, int64_t gone_at)
{
	vec_each (p, &v->snapshots) {
		/* Those destroyed before stay so when the volume is recovered. */
		if ((*p)->o.destroyed && ((*p)->o.gone_at != v->o.gone_at || destroyed))
			continue;
		(*p)->o.destroyed = destroyed;
		(*p)->o.gone_at = gone_at;
	}
}

static bool connections_gone(struct sim_request *r, struct sim_volume *v, bool act)
{
	struct sim *s = r->sim;
	bool connected = false;

	vec_each (c, &s->connections)
		connected |= (*c)->volume == v;
	if (connected && !r->array->destroys_connected) {
		sim_error(r, 400, v->o.name,
			  "Volume cannot be destroyed due to existing connections.");
		return false;
	}
	for (size_t i = s->connections.n; act && i-- > 0;)
		if (s->connections.items[i]->volume == v)
			sim_connection_remove(s, s->connections.items[i]);
	return true;
}

static bool change_destroyed(struct sim_request *r, struct sim_volume *v, bool act)
{
	bool destroy = json_is_true(json_object_get(r->body, "destroyed"));

	if (destroy && v->o.destroyed) {
		sim_error(r, 400, v->o.name, DESTROYED);
		return false;
	}
	if (!destroy && !v->o.destroyed) {
		sim_error(r, 400, v->o.name, "Volume is not destroyed.");
		return false;
	}
	if (destroy && !connections_gone(r, v, act))
		return false;
	if (!act)
		return true;
	if (destroy) {
		v->o.gone_at = sim_pending(r->array, v->pod);
		destroy_snapshots(v, true, v->o.gone_at);
	} else {
		destroy_snapshots(v, false, 0);
	}
	v->o.destroyed = destroy;
	return true;
}

static bool change_size(struct sim_request *r, struct sim_volume *v, bool act)
{
	uint64_t size = 0;

	if (!json_u64(r->body, "provisioned", &size) || !size_ok(r, v->o.name, size))
		return false;
	if (size < v->size && !sim_flag(r, "truncate")) {
		sim_error(r, 400, v->o.name, "Volume size cannot be reduced without truncate.");
		return false;
	}
	if (size > v->size && !quota_ok(r, v->o.name, v->pod, size - v->size))
		return false;
	if (act) {
		v->size = size;
		sim_backend_resize(r->sim, v);
	}
	return true;
}

static void set_name(struct sim_volume *v, const char *name)
{
	free(v->o.name);
	v->o.name = xstrdup(name);
}

static bool change_name(struct sim_request *r, struct sim_volume *v, bool act)
{
	const char *to = json_str(r->body, "name");
	struct making m = { .name = to };
	const struct sim_volume *there;

	if (!to) {
		sim_error(r, 400, v->o.name, "Invalid name.");
		return false;
	}
	if (!place_of(r, &m))
		return false;
	there = sim_volume_find(r->array, to);
	if (there && there != v) {
		sim_error(r, 400, to, "Volume already exists.");
		return false;
	}
	if (m.pod != v->pod) {
		sim_error(r, 400, to, "Cannot rename a volume into or out of a pod.");
		return false;
	}
	if (act) {
		v->vgroup = m.vgroup;
		set_name(v, to);
	}
	return true;
}

/* Into a pod or volume group, or out of it ("" as the group's name). */
static bool change_place(struct sim_request *r, struct sim_volume *v, bool act)
{
	const json_t *pod = json_obj(r->body, "pod");
	const char *name = json_str(pod ? pod : json_obj(r->body, "volume_group"), "name");
	struct sim_place place = sim_name_split(v->o.name);
	CLEANUP(buf_done) struct buf to = {};
	struct making m = {};
	bool ok;

	if (!name) {
		sim_error(r, 400, v->o.name, "No attribute specified.");
		return false;
	}
	if (*name)
		buf_addf(&to, "%s%s", name, pod ? "::" : "/");
	buf_addf(&to, SLICE_FMT, SLICE_ARG(place.own));
	m.name = buf_str(&to);
	ok = place_of(r, &m);
	if (ok && sim_volume_find(r->array, m.name)) {
		sim_error(r, 400, m.name, "Volume already exists.");
		ok = false;
	}
	if (ok && act) {
		v->pod = m.pod;
		v->vgroup = m.vgroup;
		set_name(v, m.name);
	}
	return ok;
}

static bool change_qos(struct sim_request *r, struct sim_volume *v, bool act)
{
	struct sim_qos qos = v->qos;

	if (!sim_qos_from(r, v->o.name, &qos))
		return false;
	if (act)
		v->qos = qos;
	return true;
}

/* One kind of change a call. */
static change_fn *change_of(struct sim_request *r)
{
	static const struct {
		const char *key;
		change_fn *fn;
	} CHANGES[] = {
		{ "destroyed", change_destroyed }, { "provisioned", change_size },
		{ "name", change_name },	   { "pod", change_place },
		{ "volume_group", change_place },  { "qos", change_qos },
	};
	change_fn *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(CHANGES); i++) {
		if (!json_object_get(r->body, CHANGES[i].key))
			continue;
		if (found) {
			sim_error(r, 400, NULL, "Only one attribute can be changed at a time.");
			return NULL;
		}
		found = CHANGES[i].fn;
	}
	/* What it does not know the array takes, and does nothing: {"source":..} is such a one. */
	return found;
}

/* The volumes of names= or ids=; an error told for each that is not there. */
static void volumes_of(struct sim_request *r, struct sim_names *names, struct sim_volume ***ret,
		       size_t *n)
{
	bool by_name, by_id;
	struct sim_names ids = sim_list(r, "ids", &by_id);
	VEC(struct sim_volume *) found = {};

	*names = sim_list(r, "names", &by_name);
	if (by_name == by_id)
		sim_error(r, 400, NULL,
			  by_name ? "Cannot provide both names and ids."
				  : "Missing required parameter: names.");
	for (size_t i = 0; i < names->list.n + ids.list.n; i++) {
		bool is_id = i >= names->list.n;
		const char *name = is_id ? ids.list.items[i - names->list.n] : names->list.items[i];
		struct sim_volume *v =
			is_id ? sim_volume_by_id(r->array, name) : sim_volume_find(r->array, name);

		if (v)
			*vec_push(&found) = v;
		else
			sim_error(r, 400, name, MISSING);
	}
	sim_names_free(&ids);
	*ret = found.items;
	*n = found.n;
}

static void change_all(struct sim_request *r, struct sim_volume **volumes, size_t n)
{
	change_fn *change = change_of(r);
	json_t *items;

	if (r->spoilt)
		return;
	if (change == change_name && n > 1) {
		sim_error(r, 400, NULL, "Cannot rename more than one volume at a time.");
		return;
	}
	for (size_t i = 0; i < n && change; i++) {
		if (volumes[i]->o.destroyed && change != change_destroyed)
			sim_error(r, 400, volumes[i]->o.name, DESTROYED);
		else
			(void)change(r, volumes[i], false);
	}
	if (r->spoilt)
		return;
	items = json_array();
	for (size_t i = 0; i < n; i++) {
		if (change)
			(void)change(r, volumes[i], true);
		json_array_append_new(items, sim_volume_json(r->array, volumes[i]));
	}
	sim_reply_items(r, items);
}

static void patch(struct sim_request *r)
{
	struct sim_volume **volumes;
	struct sim_names names;
	size_t n;

	volumes_of(r, &names, &volumes, &n);
	if (!r->spoilt && json_object_size(r->body) == 0)
		sim_error(r, 400, NULL, "No attribute specified.");
	if (!r->spoilt)
		change_all(r, volumes, n);
	free(volumes);
	sim_names_free(&names);
}

static void eradicate(struct sim_request *r)
{
	struct sim_volume **volumes;
	struct sim_names names;
	size_t n;

	volumes_of(r, &names, &volumes, &n);
	for (size_t i = 0; i < n; i++) {
		if (!volumes[i]->o.destroyed)
			sim_error(r, 400, volumes[i]->o.name, "Volume is not destroyed.");
		else
			(void)sim_may_eradicate(r, volumes[i]->pod, volumes[i]->o.name);
	}
	for (size_t i = 0; i < n && !r->spoilt; i++)
		sim_eradicate_volume(r->sim, volumes[i]);
	free(volumes);
	sim_names_free(&names);
}

void rest_volumes(struct sim_request *r)
{
	if (sim_is(r, "GET"))
		list(r);
	else if (sim_is(r, "POST"))
		create(r);
	else if (sim_is(r, "PATCH"))
		patch(r);
	else
		eradicate(r);
}

void rest_volume_space(struct sim_request *r)
{
	struct sim_rows rows = {};
	struct sim_wanted w;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	vec_each (v, &r->sim->volumes)
		if (sim_volume_on(*v, r->array) &&
		    sim_wanted(&w, (*v)->o.name, (*v)->o.id, (*v)->o.destroyed))
			sim_row(&rows, (*v)->o.seq, sim_volume_space_json(r->array, *v));
	(void)sim_wanted_end(r, &w, MISSING);
	sim_list_reply(r, &rows);
}
