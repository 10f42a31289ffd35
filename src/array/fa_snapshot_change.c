/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Snapshots that go, or get another suffix. */

#include <errno.h>
#include <stdio.h>

#include "array/fa_inside.h"
#include "util/jsonw.h"

/* --- destroyed and eradicated ---------------------------------------------------------------- */

enum { ROUNDS_MAX = 5, PAUSE_MS = 300 };

struct removing {
	const char *const *names;
	size_t n;
	struct arena arena;
	/* Of the names, by what the array says: */
	const char **live, **destroyed;
	size_t n_live, n_destroyed;
};

static int sort_out(struct fa *f, const struct fa_call *c, struct removing *m, struct err *e)
{
	struct fa_snapshots found;
	int r = fa_snapshots_named(f, c, m->names, m->n, &m->arena, &found, e);

	if (r < 0)
		return r;
	m->n_live = m->n_destroyed = 0;
	for (size_t i = 0; i < found.n; i++) {
		if (found.items[i].destroyed)
			m->destroyed[m->n_destroyed++] = found.items[i].name;
		else
			m->live[m->n_live++] = found.items[i].name;
	}
	return 0;
}

/* What became of it is told by the next round, which reads everything again. */
static int look_next_round(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	(void)c, (void)arg;
	return err_set(e, -ENOENT, "%s: the outcome is unknown", fa_url(f));
}

static int send(struct fa *f, const struct fa_call *c, const char *method, const char *body,
		const char *const *names, size_t n, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, what = {};
	struct fa_change change = { .look = look_next_round };
	int r;

	buf_adds(&path, "volume-snapshots");
	fa_query_names(&path, "names", names, n);
	buf_addf(&what, "%s snapshot %s%s", *body ? "destroying" : "eradicating", names[0],
		 n > 1 ? " and others" : "");
	change.request = (struct rest_request){ .method = method,
						.path = buf_str(&path),
						.what = what.data };
	if (*body)
		change.request.body = slice_of(body);
	r = fa_change(f, c, &change, e);
	fa_change_done(&change);
	return r;
}

static int send_all(struct fa *f, const struct fa_call *c, const char *method, const char *body,
		    const char *const *names, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += FA_NAMES_AT_ONCE)
		r = send(f, c, method, body, names + i,
			 n - i < FA_NAMES_AT_ONCE ? n - i : FA_NAMES_AT_ONCE, e);
	return r;
}

/* Gone, or destroyed, since it was read: the next look says which. */
static bool has_moved(int r)
{
	return r == -ENOENT || r == -ESTALE;
}

/* 0: nothing is left; FA_AGAIN: to be looked at again; NOT_ALLOWED: what is left may not go now. */
enum { NOT_ALLOWED = FA_AGAIN + 1 };
static int round_of(struct fa *f, const struct fa_call *c, struct removing *m, struct err *e)
{
	int r = sort_out(f, c, m, e);

	if (r < 0 || (m->n_live == 0 && m->n_destroyed == 0))
		return r;
	if (m->n_live) {
		r = send_all(f, c, "PATCH", "{\"destroyed\":true}", m->live, m->n_live, e);
		return r < 0 && !has_moved(r) ? r : FA_AGAIN;
	}
	r = send_all(f, c, "DELETE", "", m->destroyed, m->n_destroyed, e);
	if (r == -EROFS)
		return NOT_ALLOWED;
	return r < 0 && !has_moved(r) ? r : FA_AGAIN;
}

static int by_rounds(struct fa *f, const struct fa_call *c, struct removing *m, struct err *e)
{
	struct err why = {};
	int again = 0, r;

	for (;;) {
		r = round_of(f, c, m, &why);
		if (r == NOT_ALLOWED)
			return 1;
		if (r == 0 || (r < 0 && !fa_is_silence(r)))
			break;
		if (r == FA_AGAIN && ++again > ROUNDS_MAX)
			return err_set(e, -EAGAIN, "%s: snapshot %s does not go", fa_url(f),
				       m->names[0]);
		if (!rest_pause(c, PAUSE_MS))
			return err_set(
				e, -EINPROGRESS,
				"%s: it is not known whether snapshot %s was removed (%.300s)",
				fa_url(f), m->names[0], why.text);
	}
	return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

/* The ordinary case takes two requests, and finds everything as it was said to be. */
static int remove_them(struct fa *f, const struct fa_call *c, struct removing *m, struct err *e)
{
	int r = send_all(f, c, "PATCH", "{\"destroyed\":true}", m->names, m->n, e);

	if (r < 0 && !has_moved(r))
		return r;
	if (r == 0)
		r = send_all(f, c, "DELETE", "", m->names, m->n, e);
	if (r == -EROFS)
		return 1;
	if (r == 0 || !(has_moved(r) || fa_is_silence(r)))
		return r;
	return by_rounds(f, c, m, e);
}

int fa_snapshot_delete(struct fa *f, const struct fa_call *c, const char *const *names, size_t n,
		       struct err *e)
{
	struct removing m = { .names = names, .n = n };
	int r = fa_names_check("snapshot", names, n, e);

	if (r < 0 || n == 0)
		return r;
	m.live = arena_alloc(&m.arena, n * sizeof(*m.live));
	m.destroyed = arena_alloc(&m.arena, n * sizeof(*m.destroyed));
	r = remove_them(f, c, &m, e);
	arena_done(&m.arena);
	return r;
}

/* --- another suffix -------------------------------------------------------------------------- */

struct renaming {
	const char *name, *to, *id;
	struct arena arena;
};

static int find(struct fa *f, const struct fa_call *c, struct renaming *k, struct fa_snapshot *ret,
		struct err *e)
{
	const char *const names[] = { k->name, k->to };
	struct fa_snapshots found;
	int r = fa_snapshots_named(f, c, names, 2, &k->arena, &found, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < found.n; i++) {
		const struct fa_snapshot *s = &found.items[i];

		if (k->id ? (s->id && strcmp(s->id, k->id) == 0) : strcmp(s->name, k->name) == 0) {
			*ret = *s;
			return 0;
		}
	}
	return err_set(e, -ENOENT, "%s: there is no snapshot %s", fa_url(f), k->name);
}

static int look_renamed(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct renaming *k = arg;
	struct fa_snapshot s;
	int r = find(f, c, k, &s, e);

	if (r < 0)
		return r;
	return strcmp(s.name, k->to) == 0 ? 0 : FA_AGAIN;
}

static int rename_known(struct fa *f, const struct fa_call *c, struct renaming *k,
			const char *suffix, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, body = {}, what = {};
	struct fa_change change = { .look = look_renamed, .arg = k };
	struct fa_snapshot s;
	int r = find(f, c, k, &s, e);

	if (r < 0)
		return r;
	if (!s.id)
		return err_set(e, -EPROTO, "%s: snapshot %s has no id", fa_url(f), k->name);
	k->id = s.id;
	buf_adds(&path, "volume-snapshots");
	fa_query_names(&path, "names", &k->name, 1);
	buf_adds(&body, "{\"name\":");
	jsonw_quote(&body, slice_of(suffix));
	buf_addc(&body, '}');
	buf_addf(&what, "renaming snapshot %s", k->name);
	change.request =
		(struct rest_request){ "PATCH", buf_str(&path), buf_str(&what), buf_slice(&body) };
	r = fa_change(f, c, &change, e);
	fa_change_done(&change);
	return r;
}

int fa_snapshot_rename(struct fa *f, const struct fa_call *c, const char *name, const char *suffix,
		       struct err *e)
{
	struct renaming k = { .name = name };
	const char *dot = strrchr(name, '.');
	int r = fa_names_check("snapshot", &name, 1, e);

	if (r == 0)
		r = fa_names_check("snapshot's suffix", &suffix, 1, e);
	if (r == 0 && !dot)
		r = err_set(e, -EINVAL, "\"%s\" is no name of a snapshot", name);
	if (r == 0) {
		k.to = arena_fmt(&k.arena, "%.*s.%s", (int)(dot - name), name, suffix);
		r = rename_known(f, c, &k, suffix, e);
	}
	arena_done(&k.arena);
	return r;
}
