/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/finding.h"

#include <stdio.h>

#include "array/container.h"
#include "array/map_plan.h"
#include "array/plan.h"

const char *finding_kind_name(enum finding_kind k)
{
	static const char *const names[FINDING_MAX] = {
		[FINDING_MISSING_CONNECTION] = "missing-connection",
		[FINDING_PATHS] = "paths",
		[FINDING_SIZE] = "size",
		[FINDING_GONE] = "gone",
		[FINDING_NOT_CONNECTED] = "not-connected",
		[FINDING_LEAVING] = "leaving",
		[FINDING_STALE] = "stale",
		[FINDING_SNAPSHOT] = "snapshot",
		[FINDING_COPY] = "copy",
		[FINDING_NO_STORAGE] = "no-storage",
		[FINDING_UNREGISTERED] = "unregistered",
		[FINDING_POD] = "pod",
	};

	return names[k];
}

const char *finding_level_name(enum finding_level l)
{
	static const char *const names[] = { "notice", "warning", "critical" };

	return names[l];
}

bool finding_is_for_heal(const struct finding *f)
{
	return f->kind == FINDING_MISSING_CONNECTION || f->kind == FINDING_PATHS ||
	       f->kind == FINDING_SIZE;
}

/* Only what the registry has: what somebody else has mapped is reported and never touched. */
bool finding_heals(const struct finding *f)
{
	return finding_is_for_heal(f) && f->map->entry && !f->beyond;
}

bool finding_reaps(const struct finding *f)
{
	return (f->kind == FINDING_GONE || f->kind == FINDING_NOT_CONNECTED ||
		f->kind == FINDING_LEAVING || f->kind == FINDING_STALE ||
		f->kind == FINDING_SNAPSHOT || f->kind == FINDING_COPY) &&
	       f->map->entry;
}

void findings_done(struct findings *f)
{
	vec_free(f);
	arena_done(&f->arena);
}

/* --- the state of a map ---------------------------------------------------------------------- */

static bool is_connected(const struct survey_array *a, const char *volume)
{
	for (size_t i = 0; i < a->connections.n; i++)
		if (strcmp(a->connections.items[i].volume, volume) == 0)
			return true;
	return false;
}

struct said {
	size_t live, destroyed, connected, silent, n; /* arrays */
	const struct fa_volume *is;
};

/* @away: what it says is of some time ago, and counts as nothing. */
static void hear(struct said *ret, const struct survey_array *a, const char *serial, bool away)
{
	const struct fa_volume *v = a->asked && !away ? survey_volume(a, serial) : NULL;

	ret->n++;
	ret->silent += !a->asked || away;
	if (!v)
		return;
	ret->live += !v->destroyed;
	ret->destroyed += v->destroyed;
	ret->connected += !v->destroyed && is_connected(a, v->name);
	if (!ret->is || ret->is->destroyed)
		ret->is = v;
}

/* For what no registry knows: by the pod of the name that the array has for it. */
static bool is_away_for(const struct survey *s, size_t array, const char *serial)
{
	const struct fa_volume *v = survey_volume(&s->arrays[array], serial);

	for (size_t i = 0; v && i < s->storages.n; i++)
		for (size_t k = 0; k < s->rows[i].n_arrays; k++)
			if (s->rows[i].arrays[k] == array && s->rows[i].away[k] &&
			    array_volname_of(&s->storages.items[i].conf, v->name))
				return true;
	return false;
}

static struct said said_of(const struct survey *s, const struct survey_map *m,
			   const struct survey_storage *row)
{
	struct said ret = {};

	if (row)
		for (size_t i = 0; i < row->n_arrays; i++)
			hear(&ret, &s->arrays[row->arrays[i]], m->serial, row->away[i] != NULL);
	else if (!m->entry)
		for (size_t i = 0; i < s->n_arrays; i++)
			hear(&ret, &s->arrays[i], m->serial, is_away_for(s, i, m->serial));
	return ret;
}

/* Pods are alike on all their arrays: a volume that one calls destroyed is destroyed. */
static bool state_of(const struct said *said, const struct survey_map *m, enum array_map_state *ret)
{
	if (said->connected)
		*ret = ARRAY_MAP_CONNECTED;
	else if (said->live && !said->silent)
		*ret = ARRAY_MAP_NOT_CONNECTED;
	else if ((said->destroyed && !said->live) || (m->missing && !said->live))
		*ret = ARRAY_MAP_GONE;
	else
		return false;
	return true;
}

static bool has(const struct survey *s, const struct survey_storage *row, const char *serial)
{
	for (size_t i = 0; i < row->n_arrays; i++)
		if (survey_volume(&s->arrays[row->arrays[i]], serial))
			return true;
	return false;
}

/* The storage that a volume belongs to by its name and its arrays, for what no registry knows. */
static const char *storage_by_name(const struct survey *s, const char *serial, const char *volume)
{
	for (size_t i = 0; i < s->storages.n; i++)
		if (!s->storages.items[i].problem &&
		    array_volname_of(&s->storages.items[i].conf, volume) &&
		    has(s, &s->rows[i], serial))
			return s->storages.items[i].id;
	return NULL;
}

static enum tri exists(const struct finding_map *m, const struct said *said)
{
	if (said->live)
		return TRI_YES;
	return m->known && m->state == ARRAY_MAP_GONE ? TRI_NO : TRI_UNKNOWN;
}

static enum tri connected(const struct said *said)
{
	if (said->connected)
		return TRI_YES;
	return said->n && !said->silent ? TRI_NO : TRI_UNKNOWN;
}

/* No array of its storage has that snapshot any more, and each has said so. */
static enum tri origin_of(const struct survey *s, const struct survey_map *m,
			  const struct survey_storage *row)
{
	enum tri ret = row && m->source ? TRI_NO : TRI_UNKNOWN;

	for (size_t i = 0; row && m->source && i < row->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];
		enum tri is =
			a->asked ? plan_origin(m->entry, m->source, &a->snapshots) : TRI_UNKNOWN;

		if (is == TRI_YES)
			return is;
		if (is == TRI_UNKNOWN)
			ret = is;
	}
	return ret;
}

static void judge(struct finding_map *ret, const struct survey *s, const struct survey_map *m,
		  const struct said *said)
{
	ret->known = state_of(said, m, &ret->state);
	ret->is = said->is;
	ret->exists = exists(ret, said);
	ret->connected = connected(said);
	if (said->is)
		ret->volume = said->is->name;
	else if (m->entry)
		ret->volume = m->entry->array_volume;
	if (m->entry)
		ret->storage = m->entry->storage;
	else if (ret->volume)
		ret->storage = storage_by_name(s, m->serial, ret->volume);
}

/* --- what differs ---------------------------------------------------------------------------- */

static struct finding *add(struct findings *f, const struct survey *s, size_t at,
			   enum finding_kind kind, enum finding_level level)
{
	struct finding *ret = vec_push(f);

	*ret = (struct finding){ .kind = kind,
				 .level = level,
				 .map = &s->maps[at],
				 .volume = f->maps[at].volume ?: s->maps[at].serial,
				 .storage = f->maps[at].storage };
	return ret;
}

/* A stranger's map is healed once it is ours. */
static const char *healed_by(const struct survey_map *m)
{
	return m->entry ? "pvewarden array heal"
			: "start, move or back up its guest: that makes the map pvewarden's, and "
			  "mends it";
}

static const char *in_use(const struct survey_map *m)
{
	if (!m->found || map_is_idle(&m->found->state))
		return "";
	return m->found->state.in_use == MAP_OPEN ? ", and it is open"
						  : ", and it is not known whether it is open";
}

static void find_connections(struct findings *f, const struct survey *s, size_t at,
			     const struct survey_storage *row)
{
	for (size_t i = 0; row && i < row->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];
		const struct fa_volume *v = a->asked ? survey_volume(a, s->maps[at].serial) : NULL;
		struct finding *x;

		/* While a pod is not in step there, no path there would be of use. */
		if (!v || v->destroyed || row->away[i] || is_connected(a, v->name))
			continue;
		x = add(f, s, at, FINDING_MISSING_CONNECTION, FINDING_WARNING);
		x->array = a;
		x->what =
			arena_fmt(&f->arena, "not connected to host %s on %s: no path leads there",
				  a->host, a->url);
		x->remedy = healed_by(&s->maps[at]);
	}
}

static bool is_namespace(const struct survey_map *m)
{
	return m->found && map_is_namespace(&m->found->state);
}

static void find_paths(struct findings *f, const struct survey *s, size_t at)
{
	const struct map_state *st = &s->maps[at].found->state;
	struct finding *x;

	if (map_is_failing(st)) {
		x = add(f, s, at, FINDING_PATHS, st->paths_ok ? FINDING_WARNING : FINDING_CRITICAL);
		x->what = st->paths ? arena_fmt(&f->arena, "%u of %u paths work", st->paths_ok,
						st->paths)
				    : "it has no path left";
		x->beyond = true;
		x->remedy = is_namespace(&s->maps[at])
				    ? "nvme list-subsys; look at the network and the array's ports"
				    : "multipathd show paths; look at the fabric and the array's "
				      "ports";
	}
	if (st->mismatched) {
		x = add(f, s, at, FINDING_PATHS, FINDING_CRITICAL);
		x->what = "its paths do not agree in size or identity";
		x->remedy = healed_by(&s->maps[at]);
	}
}

static bool is_of(const struct survey_port *p, const struct survey_array *a)
{
	for (size_t i = 0; i < a->ports.n; i++) {
		const char *id =
			p->protocol == ARRAY_FC ? a->ports.items[i].wwn : a->ports.items[i].iqn;

		if (id && map_plan_is_port(p->protocol, id, p->at.id))
			return true;
	}
	return false;
}

/* An array that shows the volume to this node has that port. */
static bool leads_to(const struct survey *s, const struct survey_storage *row,
		     const struct survey_port *p, const char *serial)
{
	for (size_t i = 0; i < row->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];
		const struct fa_volume *v = a->asked ? survey_volume(a, serial) : NULL;

		if (v && !v->destroyed && !row->away[i] && is_connected(a, v->name) && is_of(p, a))
			return true;
	}
	return false;
}

static const char *name_way(struct arena *a, const char *before, const struct scsi_port *p)
{
	return arena_fmt(a, "%s%s%s (host%u)", before ?: "", before ? ", " : "",
			 *p->portal ? p->portal : p->id, p->host);
}

/* Nobody looks for the volume on a session that comes, or comes back, after it was mapped. One that
 * is being mapped at this moment is not done yet. */
static void find_lacking(struct findings *f, const struct survey *s, size_t at,
			 const struct survey_storage *row)
{
	const struct survey_map *m = &s->maps[at];
	const struct array_conf *conf = &row->storage->conf;
	const char *ways = NULL;
	struct finding *x;

	if (!conf->multipath || (m->entry && (!m->entry->verified || !m->settled)))
		return;
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct survey_port *p = &s->ports[i];

		if (p->protocol == conf->protocol && survey_lacks(m, p) &&
		    leads_to(s, row, p, m->serial))
			ways = name_way(&f->arena, ways, &p->at);
	}
	if (!ways)
		return;
	x = add(f, s, at, FINDING_PATHS, FINDING_WARNING);
	x->lacking = true;
	x->what = arena_fmt(&f->arena, "no path over %s, which %s", ways,
			    conf->protocol == ARRAY_FC ? "this node sees" : "it is logged in to");
	x->remedy = healed_by(m);
}

static bool is_way_to(const struct survey *s, const struct survey_array *a,
		      const struct map_way *way)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct scsi_port *at = &s->ports[i].at;

		if (at->host == way->host && at->channel == way->channel &&
		    at->target == way->target && is_of(&s->ports[i], a))
			return true;
	}
	return false;
}

static const struct map_way *astray(const struct survey *s, const struct survey_array *a,
				    const struct survey_map *m)
{
	for (size_t i = 0; i < m->found->n_ways; i++)
		if (survey_is_wrong(a, m->serial, &m->found->ways[i]) &&
		    is_way_to(s, a, &m->found->ways[i]))
			return &m->found->ways[i];
	return NULL;
}

/* What is written there goes into another volume as soon as the array shows one there. */
static void find_astray(struct findings *f, const struct survey *s, size_t at,
			const struct survey_storage *row)
{
	const struct survey_map *m = &s->maps[at];

	/* One that is being mapped at this moment is not done yet. */
	if (!m->found || (m->entry && !m->settled))
		return;
	for (size_t i = 0; i < row->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];
		const struct map_way *way = row->away[i] ? NULL : astray(s, a, m);
		unsigned int lun = way ? survey_lun(a, m->serial) : 0;
		struct finding *x;

		if (!way)
			continue;
		x = add(f, s, at, FINDING_PATHS, FINDING_CRITICAL);
		x->astray = true;
		x->cut_off = f->maps[at].state != ARRAY_MAP_CONNECTED;
		x->what = arena_fmt(
			&f->arena,
			"a path at LUN %u (host%u) that is not this volume's: %s has %s "
			"%s; what is written there may go into another volume",
			way->lun, way->host, a->url, lun ? "it at LUN" : "another volume at",
			lun ? arena_fmt(&f->arena, "%u", lun) : "that one");
		x->remedy = healed_by(m);
	}
}

static void find_size(struct findings *f, const struct survey *s, size_t at)
{
	const struct map_state *st = &s->maps[at].found->state;
	const struct fa_volume *is = f->maps[at].is;
	struct finding *x;

	if (!is || !is->size || !st->size || is->size == st->size)
		return;
	x = add(f, s, at, FINDING_SIZE, FINDING_WARNING);
	x->what = arena_fmt(&f->arena, "the array has %llu bytes, the device %llu",
			    (unsigned long long)is->size, (unsigned long long)st->size);
	x->remedy = healed_by(&s->maps[at]);
}

/* What is mapped and belongs here. */
static void find_in_use(struct findings *f, const struct survey *s, size_t at,
			const struct survey_storage *row)
{
	find_connections(f, s, at, row);
	find_paths(f, s, at);
	find_lacking(f, s, at, row);
	find_astray(f, s, at, row);
	find_size(f, s, at);
}

/* What the kernel hears of by itself, as soon as a path works over which it can. */
static bool is_unheard(const struct survey_map *m)
{
	return !m->entry && is_namespace(m) && !m->found->state.paths_ok &&
	       map_is_idle(&m->found->state);
}

static void find_lost(struct findings *f, const struct survey *s, size_t at)
{
	const struct survey_map *m = &s->maps[at];
	bool gone = f->maps[at].state == ARRAY_MAP_GONE, destroyed = f->maps[at].is;
	struct finding *x = add(f, s, at, gone ? FINDING_GONE : FINDING_NOT_CONNECTED,
				is_unheard(m) ? FINDING_NOTICE : FINDING_WARNING);

	x->what = arena_fmt(
		&f->arena, "%s%s%s",
		gone && destroyed ? "the volume is destroyed on the array"
		: gone		  ? "the array does not have this volume"
				  : "the volume is not connected to this host",
		in_use(m),
		is_unheard(m) ? ": the namespace goes by itself when a path works again" : "");
	if (is_unheard(m))
		x->remedy = "none; nvme list-subsys shows the paths";
	else if (!m->entry && is_namespace(m))
		x->remedy =
			"not pvewarden's: look who uses it, then nvme ns-rescan its controllers";
	else if (!m->entry)
		x->remedy = ARRAY_MAP_BY_HAND;
	else if (!m->found || map_is_idle(&m->found->state))
		x->remedy = "pvewarden array reap";
	else
		x->remedy = "find out who has it open, end that, then pvewarden array reap";
}

/* It has no device, or disks alone where a map is to stand on them. */
static bool is_absent(const struct survey_map *m, const struct survey_storage *row)
{
	return !m->found || (row->storage->conf.multipath && map_is_bare(&m->found->state));
}

/* Its paths went for good, or a person took the map away (multipath -F). */
static void find_absent(struct findings *f, const struct survey *s, size_t at)
{
	struct finding *x = add(f, s, at, FINDING_PATHS, FINDING_WARNING);

	x->what = s->maps[at].found ? "it should be mapped here, and there is no map on its disks"
				    : "it should be mapped here, and this node has no device of it";
	x->remedy = "pvewarden array heal; multipathd show maps";
}

static struct finding *find_left(struct findings *f, const struct survey *s, size_t at,
				 enum finding_kind kind, enum finding_level level, const char *what)
{
	struct finding *x = add(f, s, at, kind, level);

	x->what = arena_fmt(&f->arena, "%s%s", what, in_use(&s->maps[at]));
	x->remedy = "pvewarden array reap";
	return x;
}

/* A storage that was taken out of storage.cfg leaves nobody who may speak with its array. */
static void find_no_storage(struct findings *f, const struct survey *s, size_t at)
{
	struct finding *x = add(f, s, at, FINDING_NO_STORAGE, FINDING_WARNING);

	x->what = arena_fmt(&f->arena,
			    "storage %s is not in storage.cfg, or not enabled for this "
			    "node",
			    s->maps[at].entry->storage);
	x->remedy = "add or enable it again, stop the guest, then pvewarden array reap";
}

/* Not confirmed by an activation in this boot, and not because one is under way. */
static bool is_old(const struct survey *s, const struct registry_entry *entry)
{
	return !entry->verified && s->now - entry->since >= FINDING_SETTLED_S;
}

/* Another node has renamed it. */
static bool has_new_name(const struct finding_map *is, const struct registry_entry *entry)
{
	return is->is && strcmp(is->is->name, entry->array_volume) != 0;
}

/* A device that could not be looked for is none that is not there. */
static bool is_idle(const struct survey *s, const struct survey_map *m)
{
	return m->found ? map_is_idle(&m->found->state) : !s->n_blind;
}

/* Proxmox gives nothing back but the snapshot, and that on the node where it asks. */
static void find_copy(struct findings *f, const struct survey *s, size_t at)
{
	const struct survey_map *m = &s->maps[at];
	struct finding *x = add(f, s, at, FINDING_COPY, FINDING_NOTICE);

	x->what = arena_fmt(&f->arena, "stands for snapshot %s of %s, which was removed%s",
			    m->entry->snap, m->entry->volname, in_use(m));
	x->remedy = is_idle(s, m) ? "none: the array service takes it away; or pvewarden array reap"
				  : "none: the array service takes it away when nobody has it open";
}

static void find_of_device(struct findings *f, const struct survey *s, size_t at,
			   const struct survey_storage *row)
{
	const struct survey_map *m = &s->maps[at];
	const struct finding_map *is = &f->maps[at];

	if (is->origin == TRI_NO && m->entry->verified && m->settled) {
		find_copy(f, s, at);
		if (is_idle(s, m))
			return;
	}
	if (is->known && is->state != ARRAY_MAP_CONNECTED) {
		find_lost(f, s, at);
		/* What no array has may have another name than those that are known. */
		if (is->is)
			find_astray(f, s, at, row);
	} else if (is_absent(m, row)) {
		find_absent(f, s, at);
	} else if (is->known) {
		find_in_use(f, s, at, row);
	} else {
		find_paths(f, s, at);
	}
}

static void find_of_entry(struct findings *f, const struct survey *s, size_t at)
{
	const struct survey_map *m = &s->maps[at];
	const struct registry_entry *entry = m->entry;
	const struct survey_storage *row = survey_storage_of(s, entry->storage);

	if (!row) {
		if (!s->n_blind)
			find_no_storage(f, s, at);
	} else if (entry->leaving) {
		find_left(f, s, at, FINDING_LEAVING, FINDING_WARNING,
			  is_namespace(m) ? "its removal began and was not finished: the namespace "
					    "stays while an array shows it"
					  : "its removal began and was not finished");
	} else if (is_old(s, entry) && *entry->snap) {
		find_left(
			f, s, at, FINDING_SNAPSHOT, FINDING_WARNING,
			"stood for a snapshot that was read before the node was restarted, or by a "
			"call that was cut");
	} else if (is_old(s, entry) && is_idle(s, m)) {
		find_left(
			f, s, at, FINDING_STALE, FINDING_NOTICE,
			has_new_name(&f->maps[at], entry)
				? "left mapped here, and the volume has another name by now"
				: "mapped before the node was restarted, or never to the end, and "
				  "not since");
	} else if (is_absent(m, row) && (!entry->verified || !m->settled || s->n_blind)) {
		return;
	} else {
		find_of_device(f, s, at, row);
	}
}

/* Only through a host group, as far as the arrays say. */
static bool is_groups(const struct survey *s, const struct survey_storage *row, const char *volume)
{
	size_t groups = 0;

	for (size_t i = 0; i < row->n_arrays; i++) {
		const struct fa_connections *all = &s->arrays[row->arrays[i]].connections;

		for (size_t k = 0; k < all->n; k++) {
			if (strcmp(all->items[k].volume, volume) != 0)
				continue;
			if (!all->items[k].host_group)
				return false;
			groups++;
		}
	}
	return groups > 0;
}

/*
 * A namespace is on all nodes of a host group that it is shown to, also where its guest has been
 * stopped, or never ran: docs/array.md, 4. Nobody has mapped it, and only who has it open needs
 * what it lacks.
 */
static void find_shown(struct findings *f, const struct survey *s, size_t at,
		       const struct survey_storage *row)
{
	const struct survey_map *m = &s->maps[at];
	struct finding *x;

	if (map_is_idle(&m->found->state))
		return;
	find_in_use(f, s, at, row);
	x = add(f, s, at, FINDING_UNREGISTERED, FINDING_NOTICE);
	x->what = m->found->state.in_use == MAP_OPEN
			  ? "opened by something else than pvewarden"
			  : "shown through a host group, and whether it is open is not known";
	x->remedy = "none: it is taken over when its guest starts, is moved or backed up";
}

/* What is on no array of ours is a LUN of somebody else's purpose, and nobody's business here. */
static void find_of_stranger(struct findings *f, const struct survey *s, size_t at)
{
	const struct finding_map *is = &f->maps[at];
	const struct survey_storage *row;
	struct finding *x;

	if (!is->storage)
		return;
	if (is->known && is->state != ARRAY_MAP_CONNECTED) {
		find_lost(f, s, at);
		return;
	}
	if (!is->known) {
		find_paths(f, s, at);
		return;
	}
	row = survey_storage_of(s, is->storage);
	if (is_namespace(&s->maps[at]) && is_groups(s, row, is->volume)) {
		find_shown(f, s, at, row);
		return;
	}
	find_in_use(f, s, at, row);
	x = add(f, s, at, FINDING_UNREGISTERED, FINDING_NOTICE);
	x->what = "mapped by something else than pvewarden";
	x->remedy = "none: it is taken over when its guest starts, is moved or backed up";
}

/* An array that does not answer is told of as that. */
static void find_pods(struct findings *f, const struct survey *s)
{
	for (size_t i = 0; i < s->storages.n; i++) {
		const struct survey_storage *row = &s->rows[i];
		const char *pod =
			row->n_arrays ? container_pod(&row->storage->conf, &f->arena) : NULL;

		for (size_t k = 0; pod && k < row->n_arrays; k++) {
			const struct survey_array *a = &s->arrays[row->arrays[k]];

			if (!row->away[k] || strcmp(row->away[k], SURVEY_POD_UNKNOWN) == 0 ||
			    a->answer < 0)
				continue;
			*vec_push(f) = (struct finding){
				.kind = FINDING_POD,
				.level = FINDING_WARNING,
				.array = a,
				.volume = pod,
				.storage = row->storage->id,
				.what = arena_fmt(&f->arena,
						  "%s on %s: until it is online its paths "
						  "there are of no use, and that array is asked "
						  "for nothing",
						  row->away[k], a->url),
				.remedy = "purepod list; look at the replication link and the "
					  "mediator",
			};
		}
	}
}

void findings_of(struct findings *ret, const struct survey *s)
{
	*ret = (struct findings){};
	ret->maps = arena_alloc(&ret->arena, (s->n_maps + 1) * sizeof(*ret->maps));
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct survey_map *m = &s->maps[i];
		const struct survey_storage *row =
			m->entry ? survey_storage_of(s, m->entry->storage) : NULL;
		struct said said = said_of(s, m, row);

		judge(&ret->maps[i], s, m, &said);
		ret->maps[i].origin = origin_of(s, m, row);
		if (m->entry)
			find_of_entry(ret, s, i);
		else
			find_of_stranger(ret, s, i);
	}
	find_pods(ret, s);
}

bool finding_may_go(const struct findings *f, const struct survey *s, const struct finding *x,
		    char why[256])
{
	static const struct map_state absent = {};
	const struct finding_map *is = &f->maps[x->map - s->maps];
	struct plan_reap_in in = { .entry = x->map->entry,
				   .here = x->map->found ? &x->map->found->state : &absent,
				   .exists = is->exists,
				   .connected = is->connected,
				   .orphan = x->kind == FINDING_COPY };

	return plan_reap(&in, why) == PLAN_REAP_REMOVE;
}
