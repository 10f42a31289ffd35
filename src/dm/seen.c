/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/seen.h"

#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define SCHEMA "pvewarden.dm-seen/1"

enum { SEEN_BYTES_MAX = 16 * 1024 * 1024 };

static int by_uuid(const void *a, const void *b)
{
	const struct dm_seen_entry *x = a, *y = b;

	return strcmp(x->uuid, y->uuid);
}

static void sort(struct dm_seen *s)
{
	if (s->n > 1)
		qsort(s->items, s->n, sizeof(*s->items), by_uuid);
}

static void read_entries(struct dm_seen *s, const json_t *doc)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_arr(doc, "unreferenced"), i, item)
	{
		const char *uuid = json_str(item, "uuid");
		int64_t since;

		/* A time to come is of another boot, or wrong. */
		if (!uuid || !json_i64(item, "since", &since) || since < 0 || since > s->now)
			continue;
		*vec_push(s) =
			(struct dm_seen_entry){ arena_str(&s->arena, slice_of(uuid)), since };
	}
	sort(s);
}

void dm_seen_parse(struct dm_seen *ret, struct slice text, int64_t now)
{
	json_t *doc = NULL;
	const char *schema;

	*ret = (struct dm_seen){ .now = now };
	if (json_parse(text, DM_SEEN_PATH, &doc, NULL) < 0)
		return;
	schema = json_str(doc, "schema");
	if (schema && strcmp(schema, SCHEMA) == 0)
		read_entries(ret, doc);
	json_decref(doc);
}

void dm_seen_read(struct dm_seen *ret, const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};

	if (!root->live || root_read(root, DM_SEEN_PATH, SEEN_BYTES_MAX, &text) < 0)
		buf_reset(&text);
	dm_seen_parse(ret, buf_slice(&text), clock_boot_ms() / 1000);
}

void dm_seen_done(struct dm_seen *s)
{
	vec_free(s);
	arena_done(&s->arena);
}

int64_t dm_seen_age(const struct dm_seen *s, const char *uuid)
{
	struct dm_seen_entry key = { .uuid = uuid };
	const struct dm_seen_entry *found =
		s && s->n ? bsearch(&key, s->items, s->n, sizeof(key), by_uuid) : NULL;

	return found ? s->now - found->since : -1;
}

static void write_entries(const struct dm_seen *s, const struct root *root)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;

	jsonw_begin(&w, &out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_array(&w, "unreferenced");
	vec_each (entry, s) {
		jsonw_row(&w, NULL);
		jsonw_str(&w, "uuid", entry->uuid);
		jsonw_i64(&w, "since", entry->since);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
	if (file_mkdirs(root->fd, "run/pvewarden/dm", 0755) == 0)
		(void)file_write_atomic(root->fd, DM_SEEN_PATH, buf_slice(&out), 0644);
}

void dm_seen_update(struct dm_seen *s, const struct dm_look *l, const struct root *root)
{
	struct dm_seen now = { .now = s->now };

	if (!root->live || dm_blind(&l->model))
		return;
	for (size_t i = 0; i < l->model.n; i++) {
		const char *uuid = l->model.mappings[i].dev->uuid;
		int64_t age = dm_seen_age(s, uuid);

		/* Young ones count as well: what is too young for a verdict was seen all the same.
		 */
		if (l->verdicts[i].class == DM_UNREFERENCED ||
		    (l->verdicts[i].class == DM_BUSY && l->verdicts[i].cause == DM_CAUSE_YOUNG))
			*vec_push(&now) =
				(struct dm_seen_entry){ arena_str(&now.arena, slice_of(uuid)),
							age < 0 ? s->now : s->now - age };
	}
	dm_seen_done(s);
	*s = now;
	sort(s);
	write_entries(s, root);
}
