/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/volumes.h"

#include <errno.h>
#include <inttypes.h>

#include "util/jsonw.h"
#include "util/str.h"

struct one {
	struct call *c;
	const char *full;
	struct fa_volume *ret;
};

static int get_one(struct fa *f, void *arg, struct err *e)
{
	struct one *o = arg;

	return fa_volume_get(f, &o->c->fa, o->full, &o->c->arena, o->ret, e);
}

int volume_get(struct call *c, const char *full, struct fa_volume *ret, struct err *e)
{
	struct one o = { c, full, ret };

	return call_first(c, get_one, &o, e);
}

int volumes_of_guest(struct call *c, struct fa *f, uint32_t vmid, bool destroyed, struct arena *a,
		     struct fa_volumes *ret, struct err *e)
{
	const char *likes[] = {
		arena_fmt(a, "%svm-%" PRIu32 "-", c->conf.prefix, vmid),
		arena_fmt(a, "%sbase-%" PRIu32 "-", c->conf.prefix, vmid),
	};

	return fa_volumes_like(f, &c->fa, likes, ARRAY_SIZE(likes), destroyed, a, ret, e);
}

/* ---- a guest's volumes, remembered as JSON ---- */

struct guest {
	struct call *c;
	const char *like;
	struct fa_volumes found;
	bool fresh; /* it is this call that asked */
};

static int list_guest(struct fa *f, void *arg, struct err *e)
{
	struct guest *g = arg;

	return fa_volumes_list(f, &g->c->fa, NULL, 0, g->like, false, &g->c->arena, &g->found, e);
}

static void print_volume(struct jsonw *w, const struct fa_volume *v)
{
	jsonw_str(w, "name", v->name);
	jsonw_str(w, "id", v->id);
	jsonw_str(w, "serial", v->serial);
	jsonw_u64(w, "size", v->size);
	jsonw_u64(w, "used", v->used);
	jsonw_i64(w, "created", v->created);
	if (v->connections != UINT64_MAX)
		jsonw_u64(w, "connections", v->connections);
}

static int fetch_guest(void *arg, struct buf *ret, struct err *e)
{
	struct guest *g = arg;
	struct jsonw w;
	int error = call_first(g->c, list_guest, g, e);

	if (error)
		return error;
	g->fresh = true;
	jsonw_begin_row(&w, ret);
	jsonw_array(&w, "volumes");
	for (size_t i = 0; i < g->found.n; i++)
		if (!g->found.items[i].destroyed) {
			jsonw_row(&w, NULL);
			print_volume(&w, &g->found.items[i]);
			jsonw_close(&w);
		}
	jsonw_close(&w);
	jsonw_end(&w);
	return 0;
}

static void read_volume(struct fa_volume *ret, const json_t *row, struct arena *a)
{
	*ret = (struct fa_volume){ .name = json_text(row, "name", a),
				   .id = json_text(row, "id", a),
				   .serial = json_text(row, "serial", a),
				   .size = json_number(row, "size"),
				   .used = json_number(row, "used"),
				   .created = (int64_t)json_number(row, "created"),
				   .connections = UINT64_MAX };
	(void)json_u64(row, "connections", &ret->connections);
}

static int pick(struct call *c, const struct buf *known, const char *full, struct fa_volume *ret,
		struct err *e)
{
	json_t *doc = NULL, *row;
	size_t i;
	int error = json_parse(buf_slice(known), "a guest's volumes", &doc, e);

	if (error)
		return error;
	error = -ENOENT;
	json_array_foreach(json_arr(doc, "volumes"), i, row)
	{
		const char *name = json_str(row, "name");

		if (!name || strcmp(name, full) != 0)
			continue;
		read_volume(ret, row, &c->arena);
		error = 0;
	}
	json_decref(doc);
	return error;
}

/* ---- all of a storage, remembered as lines: a name, a blank, its JSON ---- */

struct all {
	struct call *c;
	struct fa_volumes found;
	bool fresh; /* it is this call that asked */
};

static const char *all_key(struct call *c)
{
	return arena_fmt(&c->arena, "volumes %s %s", c->conf.addresses[0].url, c->conf.storage);
}

static int list_all(struct fa *f, void *arg, struct err *e)
{
	struct all *all = arg;
	struct call *c = all->c;

	return fa_volumes_list(f, &c->fa, NULL, 0, c->conf.prefix, false, &c->arena, &all->found,
			       e);
}

static int fetch_all(void *arg, struct buf *ret, struct err *e)
{
	struct all *all = arg;
	int error = call_first(all->c, list_all, all, e);

	if (error)
		return error;
	all->fresh = true;
	for (size_t i = 0; i < all->found.n; i++) {
		const struct fa_volume *v = &all->found.items[i];
		struct jsonw w;

		if (v->destroyed || !array_volname_of(&all->c->conf, v->name))
			continue;
		buf_addf(ret, "%s ", v->name);
		jsonw_begin_row(&w, ret);
		print_volume(&w, v);
		jsonw_end(&w);
	}
	return 0;
}

int volumes_list(struct call *c, struct fa_volumes *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf lines = {};
	struct all all = { .c = c };
	int error = array_memo_get(c->ctx->memo, all_key(c), -1, c->fa.deadline, fetch_all, &all,
				   &lines, e);

	/* Another call's list may have begun before this one was asked for. */
	if (!all.fresh)
		error = call_first(c, list_all, &all, e);
	if (error == 0)
		*ret = all.found;
	return error;
}

/* What follows the name on its line. */
static bool pick_line(const struct buf *lines, const char *full, struct slice *ret)
{
	struct slice rest = buf_slice(lines), line;
	size_t n = strlen(full);

	while (slice_split(&rest, '\n', &line)) {
		if (line.n <= n || memcmp(line.p, full, n) != 0 || line.p[n] != ' ')
			continue;
		*ret = slice_from(line, n + 1);
		return true;
	}
	return false;
}

/* 1: it is in no list of the last seconds. */
static int find_listed(struct call *c, const char *full, struct fa_volume *ret)
{
	CLEANUP(buf_done) struct buf lines = {};
	struct slice text;
	json_t *doc = NULL;

	if (!array_memo_peek(c->ctx->memo, all_key(c), VOLUMES_MEMO_MS, &lines) ||
	    !pick_line(&lines, full, &text) || json_parse(text, "a volume", &doc, NULL))
		return 1;
	read_volume(ret, doc, &c->arena);
	json_decref(doc);
	return 0;
}

static int find(struct call *c, const char *volname, struct fa_volume *ret, bool *fresh,
		struct err *e)
{
	CLEANUP(buf_done) struct buf known = {};
	struct array_volname v;
	struct guest g = { .c = c };
	const char *key;
	char full[256];
	int error = array_name_of(&c->conf, volname, full, e);

	if (error || !array_volname_parse(volname, &v) || find_listed(c, full, ret) == 0)
		return error;
	g.like = arena_fmt(&c->arena, "%s%s-%u-", c->conf.prefix, v.base ? "base" : "vm", v.vmid);
	key = arena_fmt(&c->arena, "volumes %s %s %s", c->conf.addresses[0].url, c->conf.storage,
			g.like);
	error = array_memo_get(c->ctx->memo, key, VOLUMES_MEMO_MS, c->fa.deadline, fetch_guest, &g,
			       &known, e);
	if (error == 0)
		error = pick(c, &known, full, ret, e);
	*fresh = g.fresh || error == -ENOENT;
	/* One that was made since then is found as well. */
	return error == -ENOENT ? volume_get(c, full, ret, e) : error;
}

int volume_find(struct call *c, const char *volname, struct fa_volume *ret, struct err *e)
{
	bool fresh = false;
	int error = find(c, volname, ret, &fresh, e);

	/* Who is connected may have changed since, by ourselves. */
	if (error == 0 && !fresh)
		ret->connections = UINT64_MAX;
	return error;
}

int volume_find_kept(struct call *c, const char *volname, struct fa_volume *ret, struct err *e)
{
	bool fresh = false;

	return find(c, volname, ret, &fresh, e);
}

void volumes_changed(struct call *c)
{
	call_forget(c, "volumes");
}
