/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/survey.h"

#include <errno.h>
#include <stdio.h>

#include "util/clock.h"

/* A silent array leaves time to ask the others what the storages hold. */
enum { PATIENCE_MS = 6000, STORAGES_MS = 4000 };

void survey_memory_done(struct survey_memory *m)
{
	vec_free(m);
	vec_free(&m->ports);
}

const struct survey_storage *survey_storage_of(const struct survey *s, const char *id)
{
	for (size_t i = 0; i < s->storages.n; i++)
		if (strcmp(s->rows[i].storage->id, id) == 0)
			return &s->rows[i];
	return NULL;
}

static void blind(struct survey *s, const char *what, const struct err *e)
{
	if (s->n_blind < ARRAY_SIZE(s->blind))
		s->blind[s->n_blind++] = arena_fmt(&s->arena, "%s: %s", what, e->text);
}

/* --- the node's side ------------------------------------------------------------------------- */

static void add_strangers(struct survey *s, const struct map_list *found)
{
	for (size_t i = 0; i < found->n; i++) {
		struct survey_map *m = NULL;

		for (size_t j = 0; j < s->n_maps && !m; j++)
			if (strcmp(s->maps[j].serial, found->items[i].serial) == 0)
				m = &s->maps[j];
		if (!m) {
			m = &s->maps[s->n_maps++];
			memcpy(m->serial, found->items[i].serial, sizeof(m->serial));
		}
		m->found = &found->items[i];
	}
}

static bool is_listed(const struct registry_entry *entries, size_t n,
		      const struct registry_entry *e)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(entries[i].storage, e->storage) == 0 &&
		    strcmp(entries[i].volname, e->volname) == 0 &&
		    strcmp(entries[i].snap, e->snap) == 0 &&
		    strcmp(entries[i].serial, e->serial) == 0 && entries[i].since == e->since &&
		    entries[i].verified == e->verified && entries[i].leaving == e->leaving)
			return true;
	return false;
}

/* What came or went while the devices were listed is no finding. */
static void note_settled(struct survey *s, struct array_ctx *ctx)
{
	struct registry_entry *entries = NULL;
	size_t n = 0;

	if (registry_list(ctx->registry, &s->arena, &entries, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < s->n_maps; i++)
		s->maps[i].settled = s->maps[i].entry && is_listed(entries, n, s->maps[i].entry);
}

static void look_at_node(struct survey *s, struct array_ctx *ctx)
{
	struct registry_entry *entries = NULL;
	struct map_list found = {};
	struct err e = {};
	size_t n = 0;

	if (registry_list(ctx->registry, &s->arena, &entries, &n, &e) < 0)
		blind(s, "the registry of mapped volumes", &e);
	if (workers_list(ctx->workers, &found, &s->arena, &e) < 0)
		blind(s, "the devices of this node", &e);
	s->maps = arena_alloc(&s->arena, (n + found.n + 1) * sizeof(*s->maps));
	for (size_t i = 0; i < n; i++) {
		struct survey_map *m = &s->maps[s->n_maps++];

		(void)snprintf(m->serial, sizeof(m->serial), "%s", entries[i].serial);
		m->entry = &entries[i];
	}
	add_strangers(s, &found);
	note_settled(s, ctx);
	s->n_stuck = workers_stuck(ctx->workers, s->stuck, ARRAY_SIZE(s->stuck));
}

/* --- which arrays ---------------------------------------------------------------------------- */

static size_t array_of(struct survey *s, struct fa *f, const char *host)
{
	struct survey_array *a;

	for (size_t i = 0; i < s->n_arrays; i++)
		if (s->arrays[i].fa == f && strcmp(s->arrays[i].host, host) == 0)
			return i;
	a = &s->arrays[s->n_arrays];
	*a = (struct survey_array){ .fa = f, .url = fa_url(f), .host = host };
	return s->n_arrays++;
}

static void add_row(struct survey *s, struct array_ctx *ctx, struct survey_storage *row)
{
	struct fa *arrays[ARRAY_ADDRESSES_MAX];
	struct err e = {};
	size_t n = 0;

	row->problem = row->storage->problem;
	if (row->problem)
		return;
	if (fa_pool_get(ctx->pool, &row->storage->conf, arrays, &n, &e) < 0) {
		row->problem = arena_fmt(&s->arena, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		row->arrays[row->n_arrays++] = array_of(s, arrays[i], row->storage->conf.host);
}

struct reading {
	char *node;
	struct array_storages found;
};

static int read_storages(void *arg, const struct root *root, struct err *e)
{
	struct reading *r = arg;

	return array_storages_read(&r->found, root, r->node, e);
}

static void drop_reading(void *arg)
{
	struct reading *r = arg;

	array_storages_done(&r->found);
	free(r->node);
	free(r);
}

/* Those that were there a moment ago are no answer: their tokens' files, or they themselves, may
 * have gone. */
static void ask_storages(struct survey *s, struct array_ctx *ctx)
{
	struct reading *r = xcalloc(1, sizeof(*r));
	void *job = r;
	struct err e = {};

	r->node = xstrdup(ctx->node);
	if (pvefs_run(ctx->pve, read_storages, drop_reading, &job, STORAGES_MS, &e) < 0)
		blind(s, "the storages", &e);
	if (!job)
		return;
	s->storages = r->found;
	r->found = (struct array_storages){};
	drop_reading(r);
}

static void find_arrays(struct survey *s, struct array_ctx *ctx)
{
	ask_storages(s, ctx);
	s->rows = arena_alloc(&s->arena, (s->storages.n + 1) * sizeof(*s->rows));
	s->arrays = arena_alloc(&s->arena,
				(s->storages.n * ARRAY_ADDRESSES_MAX + 1) * sizeof(*s->arrays));
	for (size_t i = 0; i < s->storages.n; i++) {
		s->rows[i].storage = &s->storages.items[i];
		add_row(s, ctx, &s->rows[i]);
	}
}

/* The snapshot that @m stands for. */
static const char *source_of(struct survey *s, const struct survey_map *m)
{
	const struct survey_storage *row =
		m->entry && *m->entry->snap ? survey_storage_of(s, m->entry->storage) : NULL;
	char volume[256], suffix[80];

	if (!row || row->problem || !row->n_arrays ||
	    array_name_of(&row->storage->conf, m->entry->volname, volume, NULL) < 0 ||
	    array_suffix_of(m->entry->snap, suffix, NULL) < 0)
		return NULL;
	return arena_fmt(&s->arena, "%s.%s", volume, suffix);
}

/* --- what is asked --------------------------------------------------------------------------- */

struct asking {
	struct survey *s;
	struct survey_memory *memory;
	struct fa_call call;
	bool search, ports;
	int64_t now;
};

static bool is_on(const struct survey_storage *row, size_t array)
{
	for (size_t i = 0; i < row->n_arrays; i++)
		if (row->arrays[i] == array)
			return true;
	return false;
}

/* The names under which the volumes of this node should be there. */
static size_t names_on(const struct asking *q, size_t array, struct arena *a, const char ***ret)
{
	const struct survey *s = q->s;
	size_t n = 0, known = q->memory ? q->memory->n : 0;

	*ret = arena_alloc(a, (s->n_maps + known + 1) * sizeof(**ret));
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct registry_entry *entry = s->maps[i].entry;
		const struct survey_storage *row =
			entry ? survey_storage_of(s, entry->storage) : NULL;

		if (row && is_on(row, array))
			(*ret)[n++] = entry->array_volume;
	}
	for (size_t i = 0; i < known; i++)
		if (*q->memory->items[i].name)
			(*ret)[n++] = q->memory->items[i].name;
	return n;
}

/* The snapshots whose copies this node has mapped. */
static size_t sources_on(const struct asking *q, size_t array, struct arena *a, const char ***ret)
{
	const struct survey *s = q->s;
	size_t n = 0;

	*ret = arena_alloc(a, (s->n_maps + 1) * sizeof(**ret));
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct survey_map *m = &s->maps[i];

		if (m->source && is_on(survey_storage_of(s, m->entry->storage), array))
			(*ret)[n++] = m->source;
	}
	return n;
}

static void append(struct fa_volumes *to, const struct fa_volumes *more, struct arena *a)
{
	struct fa_volume *items = arena_alloc(a, (to->n + more->n + 1) * sizeof(*items));

	if (to->n)
		memcpy(items, to->items, to->n * sizeof(*items));
	if (more->n)
		memcpy(items + to->n, more->items, more->n * sizeof(*items));
	*to = (struct fa_volumes){ items, to->n + more->n };
}

static int ask_prefixes(const struct asking *q, size_t array, struct err *e)
{
	struct survey_array *a = &q->s->arrays[array];

	for (size_t i = 0; i < q->s->storages.n; i++) {
		const struct survey_storage *row = &q->s->rows[i];
		struct fa_volumes some = {};
		int r;

		if (!is_on(row, array))
			continue;
		r = fa_volumes_list(a->fa, &q->call, NULL, 0, row->storage->conf.prefix, true,
				    &a->arena, &some, e);
		if (r < 0)
			return r;
		append(&a->all, &some, &a->arena);
	}
	a->complete = true;
	return 0;
}

static const struct survey_about *remembered(const struct survey_memory *m, const char *url)
{
	for (size_t i = 0; m && i < m->n_abouts; i++)
		if (strcmp(m->abouts[i].url, url) == 0)
			return &m->abouts[i];
	return NULL;
}

/* What an array was called stays known while it does not answer. */
static int ask_about(const struct asking *q, struct survey_array *a, int64_t age_s, struct err *e)
{
	const struct survey_about *known = remembered(q->memory, a->url);

	if (known)
		a->about = (struct fa_about){ .id = known->id,
					      .name = known->name,
					      .version = known->version,
					      .api = known->api };
	if (known && q->now - known->at < age_s * 1000)
		return 0;
	return fa_about_get(a->fa, &q->call, &a->arena, &a->about, e);
}

static int ask_one(const struct asking *q, size_t array, struct err *e)
{
	struct survey_array *a = &q->s->arrays[array];
	const char **names, **sources;
	size_t n = names_on(q, array, &a->arena, &names);
	size_t n_sources = sources_on(q, array, &a->arena, &sources);
	int r;

	if (q->search)
		return ask_prefixes(q, array, e);
	r = ask_about(q, a, q->s->n_maps ? SURVEY_ABOUT_S : SURVEY_IDLE_S, e);
	if (r < 0 || !q->s->n_maps)
		return r;
	r = fa_connections_list(a->fa, &q->call, NULL, a->host, &a->arena, &a->connections, e);
	if (r >= 0 && n)
		r = fa_volumes_list(a->fa, &q->call, names, n, NULL, true, &a->arena, &a->named, e);
	if (r >= 0 && n_sources)
		r = fa_snapshots_named(a->fa, &q->call, sources, n_sources, &a->arena,
				       &a->snapshots, e);
	a->asked = r >= 0;
	if (r >= 0 && (q->ports || survey_may_stray(q->s, a)))
		r = fa_ports_get(a->fa, &q->call, &a->arena, &a->ports, e);
	return r;
}

/* In a thread for each array: only its own rows are written. */
static int ask(struct fa *f, void *arg, struct err *e)
{
	const struct asking *q = arg;

	for (size_t i = 0; i < q->s->n_arrays; i++) {
		struct survey_array *a = &q->s->arrays[i];
		int r;

		if (a->fa != f || a->answer < 0)
			continue;
		r = ask_one(q, i, e);
		if (r >= 0)
			continue;
		a->answer = r;
		a->why = arena_fmt(&a->arena, "%s", e->text);
	}
	return 0;
}

static void ask_all(struct asking *q)
{
	struct survey *s = q->s;
	struct fa **fas = arena_alloc(&s->arena, (s->n_arrays + 1) * sizeof(*fas));
	int *r = arena_alloc(&s->arena, (s->n_arrays + 1) * sizeof(*r));
	struct err *e = arena_alloc(&s->arena, (s->n_arrays + 1) * sizeof(*e));
	size_t n = 0;

	for (size_t i = 0; i < s->n_arrays; i++) {
		bool seen = false;

		for (size_t j = 0; j < n; j++)
			seen |= fas[j] == s->arrays[i].fa;
		if (!seen)
			fas[n++] = s->arrays[i].fa;
	}
	if (n)
		fa_each(fas, n, ask, q, r, e);
}

/* --- volumes that are not under their name ---------------------------------------------------- */

const struct fa_volume *survey_volume(const struct survey_array *a, const char *serial)
{
	const struct fa_volumes *lists[] = { &a->named, &a->all };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < lists[l]->n; i++)
			if (lists[l]->items[i].serial &&
			    strcasecmp(lists[l]->items[i].serial, serial) == 0)
				return &lists[l]->items[i];
	return NULL;
}

static const char *name_anywhere(const struct survey *s, const char *serial)
{
	for (size_t i = 0; i < s->n_arrays; i++) {
		const struct fa_volume *v = survey_volume(&s->arrays[i], serial);

		if (v)
			return v->name;
	}
	return NULL;
}

static bool wants_search(const struct survey *s, const struct survey_memory *m, int64_t now)
{
	bool ours = false, strangers = false;

	for (size_t i = 0; i < s->n_maps; i++) {
		/* What has no serial yet is found by its name. */
		if (!*s->maps[i].serial || name_anywhere(s, s->maps[i].serial))
			continue;
		ours |= s->maps[i].entry != NULL;
		strangers |= !s->maps[i].entry;
	}
	if (!m || !m->searched)
		return ours || strangers;
	return (ours && now - m->searched >= (int64_t)SURVEY_SEARCH_S * 1000) ||
	       (strangers && now - m->searched >= (int64_t)SURVEY_STRANGER_S * 1000);
}

/* Every array that could have it was listed whole, and tells of now. */
static bool searched_for(const struct survey *s, const struct survey_map *m)
{
	const struct survey_storage *row =
		m->entry ? survey_storage_of(s, m->entry->storage) : NULL;

	for (size_t i = 0; row && i < row->n_arrays; i++)
		if (!s->arrays[row->arrays[i]].complete || row->away[i])
			return false;
	return row && row->n_arrays;
}

static void remember_search(const struct survey *s, struct survey_memory *m, int64_t now)
{
	vec_free(m);
	m->searched = now;
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct survey_map *map = &s->maps[i];
		const char *name = name_anywhere(s, map->serial);
		struct survey_found *f;

		if (name ? map->entry && strcmp(map->entry->array_volume, name) == 0
			 : !searched_for(s, map))
			continue;
		f = vec_push(m);
		memcpy(f->serial, map->serial, sizeof(f->serial));
		(void)snprintf(f->name, sizeof(f->name), "%s", name ?: "");
	}
}

static void mark_missing(struct survey *s, const struct survey_memory *memory)
{
	for (size_t i = 0; i < s->n_maps; i++) {
		struct survey_map *map = &s->maps[i];

		if (!*map->serial || name_anywhere(s, map->serial))
			continue;
		map->missing = searched_for(s, map);
		for (size_t j = 0; map->entry && memory && j < memory->n; j++)
			map->missing |= strcmp(memory->items[j].serial, map->serial) == 0 &&
					!*memory->items[j].name;
	}
}

static void remember_abouts(const struct survey *s, struct survey_memory *m, int64_t now)
{
	for (size_t i = 0; i < s->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[i];
		struct survey_about *to = (struct survey_about *)remembered(m, a->url);

		if (!a->about.id || (to && to->id == a->about.id))
			continue;
		if (!to && m->n_abouts == ARRAY_SIZE(m->abouts))
			continue;
		if (!to)
			to = &m->abouts[m->n_abouts++];
		(void)snprintf(to->url, sizeof(to->url), "%s", a->url);
		(void)snprintf(to->id, sizeof(to->id), "%s", a->about.id);
		(void)snprintf(to->name, sizeof(to->name), "%s", a->about.name ?: "");
		(void)snprintf(to->version, sizeof(to->version), "%s", a->about.version ?: "");
		(void)snprintf(to->api, sizeof(to->api), "%s", a->about.api ?: "");
		to->at = now;
	}
}

/* --- what the storages hold ------------------------------------------------------------------- */

/* Why it is not asked what a storage holds: no array of its is there to say it, or no time. */
static const char *unasked(const struct survey *s, const struct survey_storage *row,
			   int64_t deadline)
{
	const char *why = "its array did not answer";
	size_t n = strstr(row->storage->conf.prefix, "::") ? row->n_arrays : 1;

	if (clock_mono_ms() >= deadline)
		return "the arrays took so long that there was no time to ask";
	for (size_t i = 0; i < n; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];

		if (a->answer != -EHOSTUNREACH && !fa_was_silent(a->fa))
			return NULL;
		why = a->why ? a->why : why;
	}
	return why;
}

/* By the call that Proxmox asks as well: its answer serves both. */
static void ask_space(struct survey *s, struct array_ctx *ctx, struct survey_storage *row)
{
	CLEANUP(buf_wipe) struct buf request = {};
	CLEANUP(buf_done) struct buf reply = {};
	json_t *doc = NULL;
	const json_t *result;

	array_storage_request(row->storage, ctx->node, "status", json_object(), &request);
	(void)array_call(ctx, buf_slice(&request), &reply);
	if (json_parse(buf_slice(&reply), "reply", &doc, NULL) < 0) {
		row->problem = "the status could not be read";
		return;
	}
	result = json_obj(doc, "result");
	if (!result || !json_u64(result, "total", &row->total) ||
	    !json_u64(result, "used", &row->used))
		row->problem = arena_fmt(&s->arena, "%s", json_str(doc, "error") ?: "no answer");
	json_decref(doc);
}

/* A call has a time of its own, so that the last one may end after the deadline. */
static void ask_spaces(struct survey *s, struct array_ctx *ctx, int64_t deadline)
{
	for (size_t i = 0; i < s->storages.n; i++) {
		struct survey_storage *row = &s->rows[i];

		if (!row->problem)
			row->problem = unasked(s, row, deadline);
		if (!row->problem)
			ask_space(s, ctx, row);
	}
}

/* --- the whole ------------------------------------------------------------------------------- */

void survey_make(struct survey *ret, struct array_ctx *ctx, struct survey_memory *memory,
		 bool space, int64_t deadline)
{
	struct asking q = {
		.s = ret,
		.memory = memory,
		.call = { .deadline = deadline, .patience_ms = PATIENCE_MS },
		.now = clock_boot_ms(),
	};

	*ret = (struct survey){ .now = clock_now() };
	look_at_node(ret, ctx);
	survey_ports(ret, ctx->root, memory, q.now);
	q.ports = survey_may_lack(ret);
	find_arrays(ret, ctx);
	for (size_t i = 0; i < ret->n_maps; i++)
		ret->maps[i].source = source_of(ret, &ret->maps[i]);
	ask_all(&q);
	survey_pods(ret, &q.call);
	if (wants_search(ret, memory, q.now)) {
		q.search = true;
		ask_all(&q);
		if (memory)
			remember_search(ret, memory, q.now);
	}
	mark_missing(ret, memory);
	if (memory)
		remember_abouts(ret, memory, q.now);
	for (size_t i = 0; i < ret->n_arrays; i++)
		fa_counters(ret->arrays[i].fa, &ret->arrays[i].counters);
	if (space)
		ask_spaces(ret, ctx, deadline);
}

void survey_done(struct survey *s)
{
	for (size_t i = 0; i < s->n_arrays; i++)
		arena_done(&s->arrays[i].arena);
	array_storages_done(&s->storages);
	arena_done(&s->arena);
}
