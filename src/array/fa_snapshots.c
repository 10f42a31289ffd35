/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Snapshots: reading and making them. */

#include <errno.h>

#include "array/fa_inside.h"
#include "util/jsonw.h"

/* --- lists ----------------------------------------------------------------------------------- */

struct listing {
	const char *const *texts; /* volumes, or names of snapshots */
	size_t n;
	bool by_name, destroyed;
	struct arena *arena;
	VEC(struct fa_snapshot) found;
};

static bool is_wanted(const struct listing *l, const json_t *item)
{
	const char *text = l->by_name ? fa_read_name(item) : fa_read_name_of(item, "source");

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->texts[i], text) == 0)
			return true;
	return false;
}

static int take(void *arg, const json_t *item, struct err *e)
{
	struct listing *l = arg;
	struct fa_snapshot s;
	int r;

	if (!is_wanted(l, item) || (fa_read_destroyed(item) && !l->destroyed))
		return 0;
	r = fa_read_snapshot(item, l->arena, &s, e);
	if (r == 0)
		*vec_push(&l->found) = s;
	return r;
}

static int list_some(struct fa *f, const struct fa_call *c, struct listing *l, struct err *e)
{
	CLEANUP(buf_done) struct buf filter = {}, path = {};

	fa_filter_any(&filter, l->by_name ? "name" : "source.name", l->texts, l->n);
	if (!l->destroyed)
		fa_filter_and(&filter, "destroyed='false'");
	buf_adds(&path, "volume-snapshots");
	fa_query_add(&path, "filter", buf_str(&filter));
	return fa_list(f, c, "list of snapshots", buf_str(&path), take, l, e);
}

static int list(struct fa *f, const struct fa_call *c, bool by_name, const char *const *texts,
		size_t n, bool destroyed, struct arena *a, struct fa_snapshots *ret, struct err *e)
{
	struct listing l = { .by_name = by_name, .destroyed = destroyed, .arena = a };
	int r = fa_names_check(by_name ? "snapshot" : "volume", texts, n, e);

	for (size_t i = 0; r == 0 && i < n; i += FA_NAMES_AT_ONCE) {
		l.texts = texts + i;
		l.n = n - i < FA_NAMES_AT_ONCE ? n - i : FA_NAMES_AT_ONCE;
		r = list_some(f, c, &l, e);
	}
	if (r == 0)
		*ret = (struct fa_snapshots){ fa_keep(a, &l.found), l.found.n };
	vec_free(&l.found);
	return r;
}

int fa_snapshots_list(struct fa *f, const struct fa_call *c, const char *const *volumes, size_t n,
		      bool destroyed, struct arena *a, struct fa_snapshots *ret, struct err *e)
{
	return list(f, c, false, volumes, n, destroyed, a, ret, e);
}

int fa_snapshots_named(struct fa *f, const struct fa_call *c, const char *const *names, size_t n,
		       struct arena *a, struct fa_snapshots *ret, struct err *e)
{
	return list(f, c, true, names, n, true, a, ret, e);
}

int fa_snapshot_get(struct fa *f, const struct fa_call *c, const char *name, struct arena *a,
		    struct fa_snapshot *ret, struct err *e)
{
	struct fa_snapshots found;
	int r = fa_snapshots_named(f, c, &name, 1, a, &found, e);

	if (r < 0)
		return r;
	if (!found.n)
		return err_set(e, -ENOENT, "%s: there is no snapshot %s", fa_url(f), name);
	if (found.items[0].destroyed)
		return err_set(e, -ESTALE, "%s: snapshot %s is destroyed, not yet eradicated",
			       fa_url(f), name);
	*ret = found.items[0];
	return 0;
}

/* --- one moment for all ---------------------------------------------------------------------- */

struct taking {
	const char *const *names; /* of what is to be */
	size_t n;
	struct arena *arena;
	struct fa_change change;
	struct fa_snapshots found;
};

/*
 * All there and made since: ours. None: not done. All are made at once or none is, so that some
 * only, or older ones, are somebody else's.
 */
static int look_for_taken(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct taking *t = arg;
	struct fa_snapshots found;
	size_t ours = 0;
	int r = fa_snapshots_named(f, c, t->names, t->n, t->arena, &found, e);

	if (r < 0)
		return r;
	if (found.n == 0)
		return FA_AGAIN;
	for (size_t i = 0; i < found.n; i++) {
		enum tri since = fa_made_since(f, found.items[i].created, t->change.began);

		if (since == TRI_UNKNOWN)
			return err_set(e, -EPROTO, "snapshot %s is there, but not when it was made",
				       found.items[i].name);
		ours += since == TRI_YES && !found.items[i].destroyed;
	}
	if (ours < t->n)
		return err_set(e, -EEXIST, "%s: snapshot %s exists already", fa_url(f),
			       found.items[0].name);
	t->found = found;
	return 0;
}

static int read_taken(struct taking *t, struct fa_snapshots *ret)
{
	const json_t *items = json_arr(t->change.reply.doc, "items");
	struct fa_snapshot *all = arena_alloc(t->arena, t->n * sizeof(*all));

	if (json_array_size(items) != t->n)
		return -EPROTO;
	for (size_t i = 0; i < t->n; i++) {
		int r = fa_read_snapshot(json_array_get(items, i), t->arena, &all[i], NULL);

		if (r < 0)
			return r;
	}
	*ret = (struct fa_snapshots){ all, t->n };
	return 0;
}

static int take_result(struct fa *f, const struct fa_call *c, struct taking *t,
		       struct fa_snapshots *ret, struct err *e)
{
	int r;

	if (t->found.n) {
		*ret = t->found;
		return 0;
	}
	if (read_taken(t, ret) == 0)
		return 0;
	r = fa_snapshots_named(f, c, t->names, t->n, t->arena, ret, e);
	if (r == -EHOSTUNREACH || r == -EAGAIN || r == -EKEYREJECTED)
		return err_wrap(e, -EINPROGRESS, "made, but cannot be read");
	return r;
}

/* "Has been destroyed" may speak of a volume or of a snapshot that has the suffix still. */
static int whose_end(struct fa *f, const struct fa_call *c, const struct taking *t, struct err *e)
{
	struct fa_snapshots found = {};

	if (fa_snapshots_named(f, c, t->names, t->n, t->arena, &found, NULL) < 0 || found.n == 0)
		return -ESTALE;
	return err_set(e, -EEXIST, "%s: snapshot %s: the name is taken%s", fa_url(f),
		       found.items[0].name, found.items[0].destroyed ? " by a destroyed one" : "");
}

static int take_all(struct fa *f, const struct fa_call *c, const char *const *volumes,
		    const char *suffix, struct taking *t, struct fa_snapshots *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, body = {}, what = {};
	int r;

	buf_adds(&path, "volume-snapshots");
	fa_query_names(&path, "source_names", volumes, t->n);
	buf_adds(&body, "{\"suffix\":");
	jsonw_quote(&body, slice_of(suffix));
	buf_addc(&body, '}');
	buf_addf(&what, "snapshot %s%s", t->names[0], t->n > 1 ? " and others" : "");
	t->change = (struct fa_change){
		.request = { "POST", buf_str(&path), buf_str(&what), buf_slice(&body) },
		.look = look_for_taken,
		.arg = t,
	};
	r = fa_change(f, c, &t->change, e);
	if (r == 0)
		r = take_result(f, c, t, ret, e);
	else if (r == -ESTALE)
		r = whose_end(f, c, t, e);
	fa_change_done(&t->change);
	return r;
}

int fa_snapshot_create(struct fa *f, const struct fa_call *c, const char *const *volumes, size_t n,
		       const char *suffix, struct arena *a, struct fa_snapshots *ret, struct err *e)
{
	struct taking t = { .n = n, .arena = a };
	const char **names = arena_alloc(a, (n ? n : 1) * sizeof(*names));
	int r = n ? fa_names_check("volume", volumes, n, e)
		  : err_set(e, -EINVAL, "a snapshot of no volume");

	if (r == 0)
		r = fa_names_check("snapshot's suffix", &suffix, 1, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		names[i] = arena_fmt(a, "%s.%s", volumes[i], suffix);
	t.names = names;
	return take_all(f, c, volumes, suffix, &t, ret, e);
}
