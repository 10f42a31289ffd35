/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A destroyed snapshot gives its suffix back: arrays rename only what is not destroyed. */

#include <errno.h>

#include "array/fa_inside.h"

struct turning {
	const char *name, *id;
	bool destroyed; /* as it is to be */
	struct arena arena;
};

/* By the id: the name may be another one's by now. */
static int look_turned(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct turning *t = arg;
	struct fa_snapshots found;
	int r = fa_snapshots_named(f, c, &t->name, 1, &t->arena, &found, e);

	if (r < 0)
		return r;
	if (found.n != 1 || !found.items[0].id || strcmp(found.items[0].id, t->id) != 0)
		return err_set(e, -ENOENT, "%s: snapshot %s is gone", fa_url(f), t->name);
	return found.items[0].destroyed == t->destroyed ? 0 : FA_AGAIN;
}

static int turn(struct fa *f, const struct fa_call *c, const char *name, const char *id,
		bool destroyed, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, what = {};
	struct turning t = { .name = name, .id = id, .destroyed = destroyed };
	struct fa_change change = { .look = look_turned, .arg = &t };
	int r;

	buf_adds(&path, "volume-snapshots");
	fa_query_names(&path, "names", &name, 1);
	buf_addf(&what, "%s snapshot %s", destroyed ? "destroying" : "recovering", name);
	change.request = (struct rest_request){ "PATCH", buf_str(&path), buf_str(&what),
						slice_of(destroyed ? "{\"destroyed\":true}"
								   : "{\"destroyed\":false}") };
	r = fa_change(f, c, &change, e);
	fa_change_done(&change);
	arena_done(&t.arena);
	return destroyed && r == -ESTALE ? 0 : r;
}

int fa_snapshot_set_aside(struct fa *f, const struct fa_call *c, const struct fa_snapshot *s,
			  const char *suffix, struct err *e)
{
	CLEANUP(buf_done) struct buf aside = {};
	int r = 0;

	if (!s->id)
		return err_set(e, -EPROTO, "%s: snapshot %s has no id", fa_url(f), s->name);
	buf_addf(&aside, "%s.%s", s->volume, suffix);
	if (s->destroyed)
		r = turn(f, c, s->name, s->id, false, e);
	if (r < 0)
		return r;
	if (strcmp(s->suffix, suffix) != 0)
		r = fa_snapshot_rename(f, c, s->name, suffix, e);
	if (r == 0)
		return turn(f, c, buf_str(&aside), s->id, true, e);
	/* As it was before, as far as that can be: it is nobody's. */
	if (s->destroyed)
		(void)turn(f, c, s->name, s->id, true, NULL);
	return r;
}
