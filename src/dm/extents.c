/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/extents.h"

enum { LAYERS_MAX = 16 };

static int by_path(const void *a, const void *b)
{
	return devno_cmp(((const struct path *)a)->path, ((const struct path *)b)->path);
}

void resolver_init(struct resolver *r, const struct dm_set *dm, const struct sysblk *sys,
		   const struct segments *tables)
{
	*r = (struct resolver){ .dm = dm, .sys = sys, .tables = tables };
	for (size_t i = 0; i < dm->n; i++) {
		const struct dm_dev *d = &dm->items[i];

		if (dmuuid_parse(d->uuid).kind != DM_UUID_MPATH)
			continue;
		for (size_t k = 0; k < d->n_deps; k++)
			*vec_push(&r->paths) = (struct path){ d->deps[k], d->dev };
	}
	if (r->paths.n)
		qsort(r->paths.items, r->paths.n, sizeof(*r->paths.items), by_path);
}

void resolver_done(struct resolver *r)
{
	vec_free(&r->paths);
}

static bool through_multipath(const struct resolver *r, struct leg *leg)
{
	struct path key = { .path = leg->dev };
	const struct path *found =
		r->paths.n ? bsearch(&key, r->paths.items, r->paths.n, sizeof(key), by_path) : NULL;

	if (!found)
		return false;
	leg->dev = found->map;
	return true;
}

static bool through_partition(const struct resolver *r, struct leg *leg)
{
	const struct sysblk_dev *s = sysblk_find(r->sys, leg->dev);

	if (!s || !s->partition)
		return false;
	leg->dev = s->whole;
	leg->offset += s->start;
	return true;
}

/* Only while all of it lies in one linear segment: a striped or split run stays where it is. */
static bool through_linear(const struct resolver *r, struct leg *leg, uint64_t length)
{
	const struct dm_dev *d = dm_set_find(r->dm, leg->dev);
	const struct segments *table = d ? &r->tables[d - r->dm->items] : NULL;

	for (size_t i = 0; table && i < table->n; i++) {
		const struct segment *seg = &table->items[i];

		if (seg->n_legs != 1 || leg->offset < seg->start ||
		    leg->offset + length > seg->start + seg->length)
			continue;
		leg->offset = seg->legs[0].offset + (leg->offset - seg->start);
		leg->dev = seg->legs[0].dev;
		return true;
	}
	return false;
}

struct leg resolve(const struct resolver *r, struct leg leg, uint64_t length)
{
	for (int i = 0; i < LAYERS_MAX; i++)
		if (!through_multipath(r, &leg) && !through_linear(r, &leg, length) &&
		    !through_partition(r, &leg))
			break;
	return leg;
}

void extents_add(struct extents *list, const struct resolver *r, const struct segment *segs,
		 size_t n, size_t owner)
{
	for (size_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < segs[i].n_legs; k++) {
			uint64_t length = segs[i].length / segs[i].n_legs;
			struct leg leg = resolve(r, segs[i].legs[k], length);

			*vec_push(list) =
				(struct extent){ leg.dev, leg.offset, leg.offset + length, owner };
		}
	}
}

static int by_place(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;
	int r = devno_cmp(x->dev, y->dev);

	if (r)
		return r;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

void extents_sort(struct extents *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_place);
}

void extents_done(struct extents *list)
{
	vec_free(list);
}

struct sweep {
	const struct extent **active; /* begun, and may reach into what comes */
	unsigned int *partners;	      /* found so far, by the same index */
	size_t n;
};

/* Of those in the list that are not owner @not_of's the one that reaches furthest, s->n without
 * any. */
static size_t furthest(const struct sweep *s, const size_t *not_of)
{
	size_t best = s->n;

	for (size_t i = 0; i < s->n; i++)
		if ((!not_of || s->active[i]->owner != *not_of) &&
		    (best == s->n || s->active[i]->end > s->active[best]->end))
			best = i;
	return best;
}

/*
 * Drops what has ended before @at, and what has partners enough: all but the two of different
 * owners that reach furthest, one of which overlaps whatever any other would still overlap.
 */
static void prune(struct sweep *s, const struct extent *at)
{
	size_t kept = 0, first, second;

	if (s->n && !devno_eq(s->active[0]->dev, at->dev))
		s->n = 0;
	if (!s->n)
		return;
	first = furthest(s, NULL);
	second = furthest(s, &s->active[first]->owner);
	for (size_t i = 0; i < s->n; i++) {
		if (s->active[i]->end <= at->start ||
		    (s->partners[i] >= OVERLAPS_MAX && i != first && i != second))
			continue;
		s->active[kept] = s->active[i];
		s->partners[kept++] = s->partners[i];
	}
	s->n = kept;
}

void extents_sweep(const struct extents *list,
		   void (*found)(void *ctx, const struct extent *a, const struct extent *b),
		   void *ctx)
{
	struct sweep s = {
		.active = xcalloc(list->n, sizeof(*s.active)),
		.partners = xcalloc(list->n, sizeof(*s.partners)),
	};

	for (size_t i = 0; i < list->n; i++) {
		const struct extent *at = &list->items[i];
		unsigned int mine = 0;

		prune(&s, at);
		for (size_t k = s.n; k > 0 && mine < OVERLAPS_MAX; k--) {
			if (s.active[k - 1]->owner == at->owner)
				continue;
			found(ctx, s.active[k - 1], at);
			s.partners[k - 1]++;
			mine++;
		}
		s.active[s.n] = at;
		s.partners[s.n++] = mine;
	}
	free(s.active);
	free(s.partners);
}

void extents_overlapping(const struct extents *list, const struct extent *with,
			 void (*found)(void *ctx, const struct extent *with,
				       const struct extent *other),
			 void *ctx)
{
	size_t low = 0, high = list->n, calls = 0;

	/* The first entry that ends behind the beginning of @with. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct extent *x = &list->items[mid];
		int r = devno_cmp(x->dev, with->dev);

		if (r < 0 || (r == 0 && x->end <= with->start))
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < list->n && calls < OVERLAPS_MAX; low++) {
		const struct extent *x = &list->items[low];

		if (!devno_eq(x->dev, with->dev) || x->start >= with->end)
			break;
		if (x->end <= with->start)
			continue;
		found(ctx, with, x);
		calls++;
	}
}
