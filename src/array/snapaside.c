/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapaside.h"

#include <errno.h>

#define TAG "aside"

struct clearing {
	struct call *c;
	const char *const *volumes;
	size_t n;
	const char *suffix;
};

static const char *aside_of(const struct fa_snapshot *s, struct arena *a)
{
	return arena_fmt(a, "del-%s", s->id ? s->id : "");
}

/* Recovered by a call that was cut before it had the other suffix? */
static int is_being_moved(struct fa *f, const struct clearing *w, const struct fa_snapshot *s,
			  struct err *e)
{
	CLEANUP(buf_done) struct buf id = {};
	int r = fa_tag_get(f, &w->c->fa, s->volume, TAG, &id, e);

	if (r == -ENODATA)
		return 0;
	return r < 0 ? r : s->id && strcmp(buf_str(&id), s->id) == 0;
}

/* 1: one of them is somebody's. */
static int look(struct fa *f, const struct clearing *w, const struct fa_snapshots *found,
		struct err *e)
{
	int r;

	for (size_t i = 0; i < found->n; i++) {
		const struct fa_snapshot *s = &found->items[i];

		if (s->destroyed || strcmp(s->suffix, w->suffix) != 0)
			continue;
		r = is_being_moved(f, w, s, e);
		if (r <= 0)
			return r < 0 ? r : 1;
	}
	return 0;
}

static int move(struct fa *f, const struct clearing *w, const struct fa_snapshot *s,
		const char *aside, struct err *e)
{
	const struct fa_call *fa = &w->c->fa;
	int r = 0;

	call_log(w->c, 1, "snapshot %s is destroyed and still has its name: becomes .%s", s->name,
		 aside);
	if (s->destroyed)
		r = fa_tag_set(f, fa, s->volume, TAG, s->id, e);
	if (r == 0)
		r = fa_snapshot_set_aside(f, fa, s, aside, e);
	/* Eradicated by now. */
	if (r == -ENOENT)
		r = 0;
	/* One that stays names what has another suffix by now. */
	if (r == 0)
		(void)fa_tag_set(f, fa, s->volume, TAG, NULL, NULL);
	return r;
}

static int clear_on(struct fa *f, void *arg, struct err *e)
{
	const struct clearing *w = arg;
	struct call *c = w->c;
	struct fa_snapshots found = {};
	int r = fa_snapshots_list(f, &c->fa, w->volumes, w->n, true, &c->arena, &found, e);

	if (r == 0)
		r = look(f, w, &found, e);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		const struct fa_snapshot *s = &found.items[i];
		const char *aside = aside_of(s, &c->arena);

		/* The other suffix, not destroyed: a call that was cut just before its end. */
		if (strcmp(s->suffix, w->suffix) == 0 ||
		    (!s->destroyed && s->id && strcmp(s->suffix, aside) == 0))
			r = move(f, w, s, aside, e);
	}
	return r;
}

int snapaside_clear(struct call *c, const char *const *volumes, size_t n, const char *suffix,
		    struct err *e)
{
	struct clearing w = { .c = c, .volumes = volumes, .n = n, .suffix = suffix };

	return call_first(c, clear_on, &w, e);
}
