/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/status.h"

#include <errno.h>

#include "pve/published.h"
#include "util/cli.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"

#define START "systemctl start pvewarden-array"

enum { SIZE_LIMIT = 64 * 1024 * 1024 };

void array_status_done(struct array_status *s)
{
	buf_done(&s->text);
	arena_done(&s->arena);
}

/* --- the lists ------------------------------------------------------------------------------- */

static void *rows_of(struct array_status *s, const json_t *rows, size_t size)
{
	return arena_alloc(&s->arena, (json_array_size(rows) + 1) * size);
}

static void take_arrays(struct array_status *s, const json_t *rows)
{
	struct arena *a = &s->arena;
	json_t *row;
	size_t i;

	s->arrays = rows_of(s, rows, sizeof(*s->arrays));
	json_array_foreach(rows, i, row)
	{
		struct array_status_array *v = &s->arrays[s->n_arrays];

		*v = (struct array_status_array){ .url = json_text(row, "url", a),
						  .name = json_text(row, "name", a),
						  .version = json_text(row, "version", a),
						  .api = json_text(row, "api", a),
						  .host = json_text(row, "host", a),
						  .answer = json_text(row, "answer", a),
						  .why = json_text(row, "why", a),
						  .session_since = json_time(row, "session_since"),
						  .last_ok = json_time(row, "last_ok"),
						  .requests = json_number(row, "requests"),
						  .logins = json_number(row, "logins"),
						  .errors = json_number(row, "errors"),
						  .limited = json_number(row, "limited") };
		v->ok = v->answer && strcmp(v->answer, "ok") == 0;
		s->n_arrays += v->url && v->answer;
	}
}

static void take_storages(struct array_status *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	s->storages = rows_of(s, rows, sizeof(*s->storages));
	json_array_foreach(rows, i, row)
	{
		struct array_status_storage *v = &s->storages[s->n_storages];

		*v = (struct array_status_storage){ .id = json_text(row, "id", &s->arena),
						    .problem = json_text(row, "problem", &s->arena),
						    .total = json_number(row, "total"),
						    .used = json_number(row, "used") };
		s->n_storages += v->id != NULL;
	}
}

static enum tri tri_in(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);

	return json_is_boolean(v) ? tri_of(json_is_true(v)) : TRI_UNKNOWN;
}

static void take_maps(struct array_status *s, const json_t *rows)
{
	struct arena *a = &s->arena;
	json_t *row;
	size_t i;

	s->maps = rows_of(s, rows, sizeof(*s->maps));
	json_array_foreach(rows, i, row)
	{
		struct array_status_map *v = &s->maps[s->n_maps];

		*v = (struct array_status_map){ .wwid = json_text(row, "wwid", a),
						.volume = json_text(row, "volume", a),
						.volname = json_text(row, "volname", a),
						.storage = json_text(row, "storage", a),
						.device = json_text(row, "device", a),
						.state = json_text(row, "state", a),
						.paths = json_number(row, "paths"),
						.paths_ok = json_number(row, "paths_ok"),
						.size = json_number(row, "size"),
						.open = tri_in(row, "open"),
						.registered =
							tri_in(row, "registered") == TRI_YES };
		s->n_maps += v->wwid && v->state;
	}
}

/* A level that a newer version may have made is at least a warning. */
static int level_of(const char *name)
{
	if (name && strcmp(name, "notice") == 0)
		return 0;
	return name && strcmp(name, "critical") == 0 ? 2 : 1;
}

static void take_drift(struct array_status *s, const json_t *rows)
{
	json_t *row;
	size_t i;

	s->drift = rows_of(s, rows, sizeof(*s->drift));
	json_array_foreach(rows, i, row)
	{
		struct array_status_drift *v = &s->drift[s->n_drift];

		*v = (struct array_status_drift){ .volume = json_text(row, "volume", &s->arena),
						  .kind = json_text(row, "kind", &s->arena),
						  .what = json_text(row, "what", &s->arena),
						  .remedy = json_text(row, "remedy", &s->arena),
						  .level = level_of(json_str(row, "level")) };
		s->n_drift += v->volume && v->what;
	}
}

static void take_rest(struct array_status *s, const json_t *stuck, const json_t *blind)
{
	json_t *row;
	size_t i;

	s->stuck = rows_of(s, stuck, sizeof(*s->stuck));
	json_array_foreach(stuck, i, row)
	{
		struct array_status_stuck *v = &s->stuck[s->n_stuck];

		v->serial = json_text(row, "serial", &s->arena);
		v->pid = json_number(row, "pid");
		v->since = json_time(row, "since");
		s->n_stuck += v->serial != NULL;
	}
	s->blind = rows_of(s, blind, sizeof(*s->blind));
	json_array_foreach(blind, i, row)
	{
		if (json_is_string(row))
			s->blind[s->n_blind++] = arena_fmt(&s->arena, "%s", json_string_value(row));
	}
}

/* --- the document ---------------------------------------------------------------------------- */

static const char *interpret(struct array_status *s, const json_t *doc, int64_t now)
{
	const char *schema = json_str(doc, "schema");

	if (!schema || strcmp(schema, ARRAY_STATUS_SCHEMA) != 0 || !json_arr(doc, "maps") ||
	    !json_arr(doc, "arrays") || !json_arr(doc, "storages") || !json_arr(doc, "drift"))
		return "/" ARRAY_STATUS_PATH " is no " ARRAY_STATUS_SCHEMA " document";
	s->time = json_time(doc, "time");
	if (!s->time || s->time > now + ARRAY_STATUS_MAX_AGE ||
	    now - s->time > ARRAY_STATUS_MAX_AGE)
		return "the array service has written nothing for a minute: does it run? (" START
		       "; journalctl -u pvewarden-array)";
	s->age = now > s->time ? now - s->time : 0;
	s->started = json_time(doc, "started");
	s->node = json_text(doc, "node", &s->arena);
	s->pid = json_number(doc, "pid");
	s->calls = json_number(doc, "calls");
	s->failed = json_number(doc, "failed");
	s->healed = json_number(doc, "healed");
	take_arrays(s, json_arr(doc, "arrays"));
	take_storages(s, json_arr(doc, "storages"));
	take_maps(s, json_arr(doc, "maps"));
	take_drift(s, json_arr(doc, "drift"));
	take_rest(s, json_arr(doc, "stuck"), json_arr(doc, "blind"));
	return NULL;
}

void array_status_parse(struct array_status *ret, struct slice text, int64_t now)
{
	json_t *doc = NULL;

	*ret = (struct array_status){};
	buf_add(&ret->text, text.p, text.n);
	if (json_parse(text, ARRAY_STATUS_PATH, &doc, NULL) < 0)
		ret->absent = "/" ARRAY_STATUS_PATH " is not valid JSON";
	else
		ret->absent = interpret(ret, doc, now);
	json_decref(doc);
}

static const char *why_not(int r)
{
	if (r == -ENOENT)
		return "the array service does not run: " START;
	if (r == -EACCES)
		return "/" ARRAY_STATUS_PATH " is for root and group www-data to read";
	return "/" ARRAY_STATUS_PATH " is not a regular file of root's";
}

void array_status_read(struct array_status *ret, const struct root *root, int64_t now)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = published_read(root, ARRAY_STATUS_PATH, 0, SIZE_LIMIT, &text, NULL);

	if (r >= 0)
		array_status_parse(ret, buf_slice(&text), now);
	else
		*ret = (struct array_status){ .absent = why_not(r) };
}

/* --- the answer ------------------------------------------------------------------------------ */

static int worse(int a, int b)
{
	static const int rank[] = {
		[CLI_OK] = 0, [CLI_WARNING] = 1, [CLI_CRITICAL] = 3, [CLI_UNKNOWN] = 2
	};

	return rank[b] > rank[a] ? b : a;
}

int array_status_exit(const struct array_status *s)
{
	int ret = CLI_OK;

	if (s->absent)
		return CLI_UNKNOWN;
	for (size_t i = 0; i < s->n_storages; i++)
		if (s->storages[i].problem)
			ret = worse(ret, CLI_CRITICAL);
	for (size_t i = 0; i < s->n_arrays; i++)
		if (!s->arrays[i].ok)
			ret = worse(ret, CLI_WARNING);
	for (size_t i = 0; i < s->n_drift; i++)
		ret = worse(ret, s->drift[i].level);
	if (s->n_stuck)
		ret = worse(ret, CLI_WARNING);
	if (s->n_blind)
		ret = worse(ret, CLI_UNKNOWN);
	return ret;
}
