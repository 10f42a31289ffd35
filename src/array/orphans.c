/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/orphans.h"

bool orphan_is(const struct finding *f)
{
	return f->map && f->map->entry && (f->kind == FINDING_COPY || f->kind == FINDING_GONE) &&
	       (!f->map->found || map_is_idle(&f->map->found->state));
}

static bool is_that(const struct orphan *o, const struct finding *f)
{
	return strcmp(o->serial, f->map->serial) == 0 && o->put == f->map->entry->put;
}

static struct orphan *orphan_of(const struct orphans *o, const struct finding *f)
{
	vec_each (it, o)
		if (is_that(it, f))
			return it;
	return NULL;
}

static bool is_still(const struct orphan *o, const struct findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (orphan_is(&f->items[i]) && is_that(o, &f->items[i]))
			return true;
	return false;
}

void orphans_note(struct orphans *o, const struct findings *f, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->n; i++)
		if (is_still(&o->items[i], f))
			o->items[kept++] = o->items[i];
	o->n = kept;
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->items[i];
		struct orphan *new;

		if (!orphan_is(x) || orphan_of(o, x))
			continue;
		new = vec_push(o);
		*new = (struct orphan){ .put = x->map->entry->put, .since = now };
		memcpy(new->serial, x->map->serial, sizeof(new->serial));
	}
}

bool orphans_are_due(const struct orphans *o, const struct finding *f, int64_t now)
{
	const struct orphan *known = orphan_of(o, f);

	return known && now - known->since >= (int64_t)ORPHAN_S * 1000;
}

void orphans_put_off(struct orphans *o, const struct finding *f, int64_t now)
{
	struct orphan *known = orphan_of(o, f);

	if (known)
		known->since = now;
}
