/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/fa_read.h"

#include <errno.h>

#include "util/str.h"

int fa_read_items(const json_t *doc, const json_t **ret, struct err *e)
{
	const json_t *items = json_arr(doc, "items");

	if (!items)
		return err_set(e, -EPROTO, "an answer without items: no FlashArray's");
	*ret = items;
	return 0;
}

const char *fa_read_name(const json_t *item)
{
	const char *name = json_str(item, "name");

	return name ? name : "";
}

const char *fa_read_name_of(const json_t *item, const char *key)
{
	return fa_read_name(json_obj(item, key));
}

bool fa_read_destroyed(const json_t *item)
{
	return json_is_true(json_object_get(item, "destroyed"));
}

static int missing(const char *kind, const char *name, const char *what, struct err *e)
{
	char shown[128];

	str_printable(shown, sizeof(shown), slice_of(name));
	return err_set(e, -EPROTO, "%s %s: the answer has no %s", kind, shown, what);
}

/* NULL for "" and null. */
static const char *text_or_null(const json_t *item, const char *key, struct arena *a)
{
	const char *v = json_str(item, key);

	return v && *v ? arena_str(a, slice_of(v)) : NULL;
}

static const char *name_of(const json_t *item, const char *key, struct arena *a)
{
	return text_or_null(json_obj(item, key), "name", a);
}

static uint64_t space_used(const json_t *item)
{
	const json_t *space = json_obj(item, "space");
	uint64_t used;

	if (json_u64(space, "total_used", &used))
		return used;
	/* Its older name. */
	return json_number(space, "total_physical");
}

static int64_t seconds(const json_t *item, const char *key)
{
	int64_t ms = 0;

	(void)json_i64(item, key, &ms);
	return ms / 1000;
}

/* --- volumes and snapshots ------------------------------------------------------------------- */

int fa_read_volume(const json_t *item, struct arena *a, struct fa_volume *ret, struct err *e)
{
	const char *name = fa_read_name(item), *serial = json_str(item, "serial");
	struct fa_volume v = { .connections = UINT64_MAX };

	if (!*name)
		return missing("volume", "", "name", e);
	if (!serial || !*serial)
		return missing("volume", name, "serial", e);
	if (!json_u64(item, "provisioned", &v.size))
		return missing("volume", name, "size", e);
	v.name = arena_str(a, slice_of(name));
	v.serial = arena_str(a, slice_of(serial));
	v.id = text_or_null(item, "id", a);
	if (!v.id)
		return missing("volume", name, "id", e);
	v.used = space_used(item);
	v.created = seconds(item, "created");
	v.destroyed = fa_read_destroyed(item);
	v.source = name_of(item, "source", a);
	v.source_id = text_or_null(json_obj(item, "source"), "id", a);
	(void)json_u64(item, "connection_count", &v.connections);
	*ret = v;
	return 0;
}

static const char *suffix_of(const json_t *item, const char *name, struct arena *a)
{
	const char *suffix = text_or_null(item, "suffix", a), *dot = strrchr(name, '.');

	if (suffix)
		return suffix;
	return dot ? arena_str(a, slice_of(dot + 1)) : NULL;
}

int fa_read_snapshot(const json_t *item, struct arena *a, struct fa_snapshot *ret, struct err *e)
{
	const char *name = fa_read_name(item);
	struct fa_snapshot s = { .id = text_or_null(item, "id", a),
				 .volume = name_of(item, "source", a),
				 .created = seconds(item, "created"),
				 .destroyed = fa_read_destroyed(item) };

	if (!*name)
		return missing("snapshot", "", "name", e);
	s.name = arena_str(a, slice_of(name));
	s.suffix = suffix_of(item, name, a);
	if (!s.suffix || !s.volume)
		return missing("snapshot", name, "suffix or source", e);
	if (!json_u64(item, "provisioned", &s.size))
		return missing("snapshot", name, "size", e);
	*ret = s;
	return 0;
}

int fa_read_connection(const json_t *item, struct arena *a, struct fa_connection *ret,
		       struct err *e)
{
	struct fa_connection c = { .volume = name_of(item, "volume", a),
				   .volume_id = text_or_null(json_obj(item, "volume"), "id", a),
				   .host = name_of(item, "host", a),
				   .host_group = name_of(item, "host_group", a) };
	uint64_t lun = 0;

	if (!c.volume)
		return missing("connection", "", "volume", e);
	/* A namespace has its number there, in newer versions only. */
	if (!json_u64(item, "lun", &lun))
		(void)json_u64(item, "nsid", &lun);
	if (lun > UINT32_MAX)
		return missing("connection of", c.volume, "LUN that a host can have", e);
	c.lun = (unsigned int)lun;
	*ret = c;
	return 0;
}

/* --- the array ------------------------------------------------------------------------------- */

int fa_read_port(const json_t *item, struct arena *a, struct fa_port *ret, struct err *e)
{
	struct fa_port p = { .name = text_or_null(item, "name", a),
			     .iqn = text_or_null(item, "iqn", a),
			     .wwn = text_or_null(item, "wwn", a),
			     .nqn = text_or_null(item, "nqn", a),
			     .portal = text_or_null(item, "portal", a) };

	if (!p.name)
		return missing("port", "", "name", e);
	*ret = p;
	return 0;
}

static void read_texts(const json_t *item, const char *key, struct arena *a, const char ***ret,
		       size_t *ret_n)
{
	const json_t *list = json_arr(item, key);
	size_t n = json_array_size(list);
	const char **texts = n ? arena_alloc(a, n * sizeof(const char *)) : NULL;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text && *text)
			texts[(*ret_n)++] = arena_str(a, slice_of(text));
	}
	*ret = texts;
}

static const char *read_preferred(const json_t *item, struct arena *a)
{
	const json_t *list = json_arr(item, "preferred_arrays");
	CLEANUP(buf_done) struct buf out = {};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_str(json_array_get(list, i), "name");

		if (name && *name)
			buf_addf(&out, "%s%s", out.len ? ", " : "", name);
	}
	return arena_str(a, buf_slice(&out));
}

int fa_read_host(const json_t *item, struct arena *a, struct fa_host *ret, struct err *e)
{
	struct fa_host h = { .name = text_or_null(item, "name", a),
			     .host_group = name_of(item, "host_group", a) };

	if (!h.name)
		return missing("host", "", "name", e);
	read_texts(item, "iqns", a, &h.iqns, &h.n_iqns);
	read_texts(item, "wwns", a, &h.wwns, &h.n_wwns);
	read_texts(item, "nqns", a, &h.nqns, &h.n_nqns);
	h.preferred = read_preferred(item, a);
	*ret = h;
	return 0;
}

int fa_read_pod(const json_t *item, struct arena *a, struct fa_pod *ret, struct err *e)
{
	const json_t *arrays = json_arr(item, "arrays");
	const char *promotion = json_str(item, "promotion_status");
	struct fa_pod p = { .name = text_or_null(item, "name", a),
			    .destroyed = fa_read_destroyed(item),
			    .promoted = !promotion || strcmp(promotion, "promoted") == 0 };

	if (!p.name)
		return missing("pod", "", "name", e);
	if (!arrays)
		return missing("pod", p.name, "list of arrays", e);
	for (size_t i = 0; i < json_array_size(arrays) && i < ARRAY_SIZE(p.arrays); i++) {
		const json_t *one = json_array_get(arrays, i);

		p.arrays[i].id = text_or_null(one, "id", a);
		p.arrays[i].name = text_or_null(one, "name", a);
		p.arrays[i].status = text_or_null(one, "status", a);
		p.arrays[i].mediator = text_or_null(one, "mediator_status", a);
		p.n_arrays++;
	}
	*ret = p;
	return 0;
}

int fa_read_about(const json_t *item, struct arena *a, struct fa_about *ret, struct err *e)
{
	struct fa_about about = { .id = text_or_null(item, "id", a),
				  .name = text_or_null(item, "name", a),
				  .os = text_or_null(item, "os", a),
				  .version = text_or_null(item, "version", a) };

	if (!about.id || !about.name)
		return missing("array", "", "id or name", e);
	*ret = about;
	return 0;
}

/* --- space ----------------------------------------------------------------------------------- */

static void clamp(struct fa_space *s)
{
	if (s->used > s->total)
		s->used = s->total;
}

int fa_read_array_space(const json_t *item, struct fa_space *ret, struct err *e)
{
	struct fa_space s = { .used = space_used(item) };

	if (!json_u64(item, "capacity", &s.total))
		return err_set(e, -EPERM, "the token's user may not see the array's capacity");
	clamp(&s);
	*ret = s;
	return 0;
}

void fa_read_pod_space(const json_t *item, struct fa_space *ret)
{
	struct fa_space s = { .total = json_number(item, "quota_limit") };

	if (!json_u64(json_obj(item, "space"), "used_provisioned", &s.used))
		s.total = 0;
	clamp(&s);
	*ret = s;
}

int fa_read_vgroup_space(const json_t *item, struct fa_space *ret, struct err *e)
{
	struct fa_space s = {};

	if (!json_u64(json_obj(item, "space"), "total_provisioned", &s.used))
		return err_set(e, -EPERM,
			       "the token's user may not see the volume group's provisioned size");
	*ret = s;
	return 0;
}
