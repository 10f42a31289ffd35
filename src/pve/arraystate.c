/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/arraystate.h"

#include <errno.h>

#include "pve/published.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"

#define PATH "run/pvewarden/array/array.json"

enum { SIZE_LIMIT = 64 * 1024 * 1024 };

static const char *load(const struct root *r, struct buf *text)
{
	int got = published_read(r, PATH, 0, SIZE_LIMIT, text, NULL);

	if (got == -ENOENT)
		return "there is no /" PATH;
	if (got < 0)
		return "/" PATH " is not a regular file of root's";
	return NULL;
}

static bool parse_state(const char *name, enum array_map_state *ret)
{
	static const char *const names[] = { "connected", "gone", "not-connected" };

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum array_map_state)i;
			return true;
		}
	}
	return false;
}

static void take_maps(struct array_state *ret, const json_t *rows, struct arena *a)
{
	json_t *row;
	size_t i;

	ret->maps = arena_alloc(a, json_array_size(rows) * sizeof(*ret->maps));
	json_array_foreach(rows, i, row)
	{
		struct array_map *m = &ret->maps[ret->n_maps];
		const char *wwid = json_str(row, "wwid"), *volume = json_str(row, "volume");

		if (!wwid || !parse_state(json_str(row, "state"), &m->state))
			continue;
		m->wwid = arena_str(a, slice_of(wwid));
		m->registered = !json_is_false(json_object_get(row, "registered"));
		m->volume = volume ? arena_str(a, slice_of(volume)) : NULL;
		ret->n_maps++;
	}
}

static const char *interpret(struct array_state *ret, const json_t *doc, int64_t now,
			     struct arena *a)
{
	const char *schema = json_str(doc, "schema"), *time = json_str(doc, "time");
	int64_t when;

	if (!schema || strcmp(schema, "pvewarden.array/1") != 0 || !time ||
	    !clock_parse(slice_of(time), &when) || !json_arr(doc, "maps"))
		return "/" PATH " is no pvewarden.array/1 document";
	if (when > now + ARRAY_STATE_MAX_AGE || now - when > ARRAY_STATE_MAX_AGE)
		return "/" PATH " is older than a minute (does pvewarden-array.service run?)";
	take_maps(ret, json_arr(doc, "maps"), a);
	return NULL;
}

void array_state_read(struct array_state *ret, const struct root *r, int64_t now, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	json_t *doc = NULL;

	*ret = (struct array_state){ .absent = load(r, &text) };
	if (ret->absent)
		return;
	if (json_parse(buf_slice(&text), PATH, &doc, NULL) < 0)
		ret->absent = "/" PATH " is not valid JSON";
	else
		ret->absent = interpret(ret, doc, now, a);
	json_decref(doc);
}

const struct array_map *array_state_find(const struct array_state *s, struct slice wwid)
{
	for (size_t i = 0; i < s->n_maps; i++)
		if (slice_eq(wwid, s->maps[i].wwid))
			return &s->maps[i];
	return NULL;
}
