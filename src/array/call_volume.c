/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_volume.h"

#include <errno.h>
#include <inttypes.h>

#include "array/disknew.h"
#include "array/space.h"
#include "array/volumes.h"
#include "util/str.h"

enum { LOCKED_MS = 50000 };

#define MIB	   (UINT64_C(1) << 20)
#define VOLUME_MAX (UINT64_C(4) << 50) /* of a FlashArray: 4 PiB */

int call_vmid(struct call *c, const char *key, uint32_t *ret, struct err *e)
{
	uint64_t vmid = 0;
	int r = call_u64(c, key, &vmid, e);

	if (r == 0 && (vmid < 1 || vmid > 999999999))
		r = err_set(e, -EINVAL, "%" PRIu64 " is no guest's number", vmid);
	*ret = (uint32_t)vmid;
	return r;
}

/* ---- list ---- */

struct listing {
	struct call *c;
	const char **names; /* what was asked for by name; NULL: all, or a guest's */
	size_t n_names;
	uint32_t vmid; /* 0: of all */
	struct fa_volumes found;
};

static void write_volume(struct call *c, const struct fa_volume *v)
{
	const char *volname = array_volname_of(&c->conf, v->name);
	struct array_volname parsed;

	if (!volname || v->destroyed || !array_volname_parse(volname, &parsed))
		return;
	jsonw_row(c->out, NULL);
	jsonw_str(c->out, "volname", volname);
	jsonw_u64(c->out, "vmid", parsed.vmid);
	jsonw_u64(c->out, "size", v->size);
	jsonw_u64(c->out, "used", v->used);
	jsonw_i64(c->out, "ctime", v->created);
	jsonw_close(c->out);
}

static int list_now(struct fa *f, void *arg, struct err *e)
{
	struct listing *l = arg;
	struct call *c = l->c;

	if (!l->names)
		return volumes_of_guest(c, f, l->vmid, false, &c->arena, &l->found, e);
	return fa_volumes_list(f, &c->fa, l->names, l->n_names, NULL, false, &c->arena, &l->found,
			       e);
}

/* Names that this storage cannot hold are not there, which is what list says of them. */
static void names_arg(struct call *c, struct listing *l)
{
	const json_t *list = json_arr(c->args, "volumes");
	char full[256];

	if (!list)
		return;
	l->names = arena_alloc(&c->arena, (json_array_size(list) + 1) * sizeof(*l->names));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name && array_name_of(&c->conf, name, full, NULL) == 0)
			l->names[l->n_names++] = arena_str(&c->arena, slice_of(full));
	}
}

static int run_list(struct call *c, struct err *e)
{
	struct listing l = { .c = c };
	int r = 0;

	if (call_opt(c, "vmid"))
		r = call_vmid(c, "vmid", &l.vmid, e);
	names_arg(c, &l);
	if (r == 0 && !l.names && !l.vmid)
		r = volumes_list(c, &l.found, e);
	else if (r == 0 && (!l.names || l.n_names))
		r = call_first(c, list_now, &l, e);
	if (r < 0)
		return r;
	jsonw_array(c->out, "result");
	for (size_t i = 0; i < l.found.n; i++)
		write_volume(c, &l.found.items[i]);
	jsonw_close(c->out);
	return 0;
}

/* ---- alloc and clone ---- */

struct making {
	struct call *c;
	struct fa_new_volume want;
};

static int create_on(struct fa *f, void *arg, struct err *e)
{
	struct making *m = arg;
	struct fa_volume made;

	return fa_volume_create(f, &m->c->fa, &m->want, &m->c->arena, &made, e);
}

static int create(struct call *c, const char *full, void *arg, struct err *e)
{
	struct making *m = arg;

	m->want.name = full;
	m->want.qos_iops = c->conf.qos_iops;
	m->want.qos_bandwidth = c->conf.qos_bandwidth;
	return call_first(c, create_on, m, e);
}

static int size_arg(struct call *c, uint64_t *ret, struct err *e)
{
	uint64_t kib = 0;
	int r = call_u64(c, "size_kib", &kib, e);

	if (r < 0)
		return r;
	if (kib > VOLUME_MAX / 1024)
		return err_set(e, -EINVAL,
			       "a volume of %" PRIu64 " KiB: the array's largest is 4 PiB", kib);
	*ret = kib * 1024 < MIB ? MIB : kib * 1024;
	return 0;
}

static int run_alloc(struct call *c, struct err *e)
{
	struct making m = { .c = c };
	const char *name = call_opt(c, "name");
	char made[DISKNAME_MAX];
	uint32_t vmid = 0;
	int r = call_vmid(c, "vmid", &vmid, e);

	if (r == 0)
		r = size_arg(c, &m.want.size, e);
	if (r == 0 && name)
		r = diskname_given(name, vmid, e);
	if (r == 0)
		r = space_room_for(c, m.want.size, e);
	if (r == 0)
		r = name ? disknew_named(c, name, create, &m, e)
			 : disknew_next(c, vmid, create, &m, made, e);
	volumes_changed(c);
	if (r == 0) {
		told_forget(c->ctx->tolds, c->conf.storage, name ? name : made);
		jsonw_str(c->out, "result", name ? name : made);
	}
	return r;
}

struct sizing {
	struct call *c;
	const char *volume, *suffix;
	uint64_t size;
};

static int snapshot_size(struct fa *f, void *arg, struct err *e)
{
	struct sizing *s = arg;
	struct fa_snapshots found = {};
	int r = fa_snapshots_list(f, &s->c->fa, &s->volume, 1, false, &s->c->arena, &found, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < found.n; i++)
		if (strcmp(found.items[i].suffix, s->suffix) == 0) {
			s->size = found.items[i].size;
			return 0;
		}
	return err_set(e, -ENOENT, "%s has no snapshot %s", s->volume, s->suffix);
}

/* Only a quota needs to know how large the copy will be. */
static int room_for_copy(struct call *c, const char *full, const char *suffix, struct err *e)
{
	struct sizing s = { .c = c, .volume = full, .suffix = suffix };
	struct fa_volume v;
	int r;

	if (!c->conf.quota)
		return 0;
	if (suffix) {
		r = call_first(c, snapshot_size, &s, e);
	} else {
		r = volume_get(c, full, &v, e);
		s.size = r == 0 ? v.size : 0;
	}
	return r < 0 ? r : space_room_for(c, s.size, e);
}

static int run_clone(struct call *c, struct err *e)
{
	struct making m = { .c = c };
	struct array_volname parsed;
	const char *volname, *snap = call_opt(c, "snap");
	char full[256], suffix[80], made[DISKNAME_MAX];
	uint32_t vmid = 0;
	int r = call_volname(c, &volname, &parsed, e);

	if (r == 0)
		r = call_vmid(c, "vmid", &vmid, e);
	if (r == 0)
		r = array_name_of(&c->conf, volname, full, e);
	if (r == 0 && snap)
		r = array_suffix_of(snap, suffix, e);
	if (r == 0)
		r = room_for_copy(c, full, snap ? suffix : NULL, e);
	if (r < 0)
		return r;
	m.want.source = snap ? arena_fmt(&c->arena, "%s.%s", full, suffix) : full;
	r = disknew_next(c, vmid, create, &m, made, e);
	volumes_changed(c);
	if (r == 0) {
		told_forget(c->ctx->tolds, c->conf.storage, made);
		jsonw_str(c->out, "result", made);
	}
	return r;
}

const struct call_method call_volume_methods[] = {
	{ "list", run_list, 0, false },
	{ "alloc", run_alloc, LOCKED_MS, false, true },
	{ "free", call_free, LOCKED_MS, false, true },
	{ "clone", run_clone, LOCKED_MS, false, true },
	{ "create_base", call_create_base, LOCKED_MS, false, true },
	{ "rename", call_rename, LOCKED_MS, false, true },
	{ "attribute_get", call_attribute_get, 0, false },
	{ "attribute_set", call_attribute_set, 0, false },
	{},
};
