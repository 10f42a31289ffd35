/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/registry_file.h"

#include <errno.h>

#include "util/json.h"
#include "util/jsonw.h"

#define SCHEMA "pvewarden.array.registry/1"

static const char *const protocols[] = {
	[ARRAY_ISCSI] = "iscsi", [ARRAY_FC] = "fc", [ARRAY_NVME_TCP] = "nvme"
};

bool registry_entry_is(const struct registry_entry *entry, const char *storage, const char *volname,
		       const char *snap)
{
	return strcmp(entry->storage, storage) == 0 && strcmp(entry->volname, volname) == 0 &&
	       strcmp(entry->snap, snap) == 0;
}

static bool protocol_of(const json_t *row, enum array_protocol *ret)
{
	const char *v = json_str(row, "protocol");

	for (size_t i = 0; v && i < ARRAY_SIZE(protocols); i++)
		if (strcmp(v, protocols[i]) == 0) {
			*ret = (enum array_protocol)i;
			return true;
		}
	return false;
}

static bool read_row(struct registry_entry *ret, const json_t *row, const char *boot_id,
		     struct arena *a)
{
	const char *boot = json_str(row, "boot");

	*ret = (struct registry_entry){
		.storage = json_text(row, "storage", a),
		.volname = json_text(row, "volname", a),
		.snap = json_text(row, "snap", a),
		.array_volume = json_text(row, "array_volume", a),
		.volume_id = json_text(row, "volume_id", a),
		.serial = json_text(row, "serial", a),
		.origin = json_text(row, "origin", a) ?: "", /* older files have none */
		.verified = json_is_true(json_object_get(row, "verified")) && boot &&
			    strcmp(boot, boot_id) == 0,
		.partial = json_is_true(json_object_get(row, "partial")),
		.leaving = json_is_true(json_object_get(row, "leaving")),
	};
	(void)json_i64(row, "put", &ret->put);
	(void)json_i64(row, "checked", &ret->checked);
	return ret->storage && ret->volname && ret->snap && ret->array_volume && ret->volume_id &&
	       ret->serial && (array_serial_ok(ret->serial) || (*ret->snap && !*ret->serial)) &&
	       protocol_of(row, &ret->protocol) && json_u64(row, "size", &ret->size) &&
	       json_i64(row, "since", &ret->since);
}

int registry_parse(struct registry_entries *ret, struct slice text, const char *boot_id,
		   struct arena *a, struct err *e)
{
	const char *schema;
	const json_t *rows;
	json_t *doc = NULL, *row;
	size_t i;
	int error = json_parse(text, "registry.json", &doc, e);

	if (error)
		return error;
	schema = json_str(doc, "schema");
	rows = json_arr(doc, "entries");
	if (!schema || strcmp(schema, SCHEMA) != 0 || !rows)
		error = err_set(e, -EBADMSG, "registry.json: not of " SCHEMA);
	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
	{
		if (error || read_row(vec_push(ret), row, boot_id, a))
			continue;
		error = err_set(e, -EBADMSG, "registry.json: entry %zu is not understood", i + 1);
	}
	json_decref(doc);
	return error;
}

static void print_row(struct jsonw *w, const struct registry_entry *it, const char *boot_id)
{
	jsonw_row(w, NULL);
	jsonw_str(w, "storage", it->storage);
	jsonw_str(w, "volname", it->volname);
	jsonw_str(w, "snap", it->snap);
	jsonw_str(w, "array_volume", it->array_volume);
	jsonw_str(w, "volume_id", it->volume_id);
	jsonw_str(w, "serial", it->serial);
	jsonw_str(w, "origin", it->origin);
	jsonw_str(w, "protocol", protocols[it->protocol]);
	jsonw_u64(w, "size", it->size);
	jsonw_i64(w, "since", it->since);
	jsonw_i64(w, "put", it->put);
	jsonw_i64(w, "checked", it->checked);
	jsonw_bool(w, "verified", it->verified);
	jsonw_bool(w, "partial", it->partial);
	jsonw_bool(w, "leaving", it->leaving);
	jsonw_str(w, "boot", it->verified ? boot_id : "");
	jsonw_close(w);
}

void registry_print(const struct registry_entries *entries, const char *boot_id, struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_array(&w, "entries");
	vec_each (it, entries)
		print_row(&w, it, boot_id);
	jsonw_close(&w);
	jsonw_end(&w);
}
