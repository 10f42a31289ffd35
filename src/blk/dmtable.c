/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmtable.h"

#include <errno.h>

#include "util/str.h"

enum { STRIPES_MAX = 4096 };

static bool next_word(struct slice *rest, struct slice *ret)
{
	*rest = slice_trim(*rest);
	return slice_split(rest, ' ', ret);
}

static bool next_number(struct slice *rest, uint64_t *ret)
{
	struct slice word;

	return next_word(rest, &word) && str_to_u64(word, ret);
}

static bool next_leg(struct slice *rest, struct leg *ret)
{
	struct slice word;

	return next_word(rest, &word) && devno_parse(word, &ret->dev) &&
	       next_number(rest, &ret->offset);
}

static int parse_linear(struct segment *ret, struct slice params, struct arena *a)
{
	struct leg *leg = arena_alloc(a, sizeof(*leg));

	if (!next_leg(&params, leg) || slice_trim(params).n)
		return -EINVAL;
	ret->n_legs = 1;
	ret->legs = leg;
	return 0;
}

static int parse_striped(struct segment *ret, struct slice params, struct arena *a)
{
	uint64_t n, chunk;

	if (!next_number(&params, &n) || !next_number(&params, &chunk) || n == 0 ||
	    n > STRIPES_MAX || chunk == 0)
		return -EINVAL;
	ret->legs = arena_alloc(a, n * sizeof(*ret->legs));
	for (uint64_t i = 0; i < n; i++)
		if (!next_leg(&params, &ret->legs[i]))
			return -EINVAL;
	if (slice_trim(params).n)
		return -EINVAL;
	ret->n_legs = (uint32_t)n;
	ret->chunk = n == 1 ? 0 : chunk;
	return 0;
}

int segment_parse(struct segment *ret, const struct dm_target *t, struct arena *a)
{
	*ret = (struct segment){ .start = t->start, .length = t->length };
	if (strcmp(t->type, "linear") == 0)
		return parse_linear(ret, slice_of(t->params), a);
	if (strcmp(t->type, "striped") == 0)
		return parse_striped(ret, slice_of(t->params), a);
	return -EINVAL;
}

/* @b goes on exactly where @a ends, on each of its legs. */
static bool continues(const struct segment *a, const struct segment *b)
{
	uint64_t per_leg = a->length / a->n_legs;

	if (a->start + a->length != b->start || a->chunk != b->chunk || a->n_legs != b->n_legs)
		return false;
	/* A run that ends inside a row of stripes cannot be continued by a row that begins anew. */
	if (a->chunk && a->length % (a->chunk * a->n_legs))
		return false;
	for (uint32_t i = 0; i < a->n_legs; i++)
		if (!devno_eq(a->legs[i].dev, b->legs[i].dev) ||
		    a->legs[i].offset + per_leg != b->legs[i].offset)
			return false;
	return true;
}

void segments_add(struct segments *s, const struct segment *add)
{
	if (s->n && continues(&s->items[s->n - 1], add))
		s->items[s->n - 1].length += add->length;
	else
		*vec_push(s) = *add;
}

void segments_done(struct segments *s)
{
	vec_free(s);
}

int segments_of_table(struct segments *ret, const struct dm_target *t, size_t n, struct arena *a)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct segment seg;
		int r = segment_parse(&seg, &t[i], a);

		if (r < 0)
			return r;
		if (seg.start != at || seg.length == 0 ||
		    __builtin_add_overflow(at, seg.length, &at))
			return -EINVAL;
		segments_add(ret, &seg);
	}
	return n ? 0 : -EINVAL;
}

uint64_t dmtable_length(const struct dm_target *t, size_t n)
{
	return n ? t[n - 1].start + t[n - 1].length : 0;
}

int dmtable_thin(const struct dm_target *t, struct devno *ret_pool, uint64_t *ret_id)
{
	struct slice params = slice_of(t->params), word;

	if (strcmp(t->type, "thin") != 0 || !next_word(&params, &word) ||
	    !devno_parse(word, ret_pool) || !next_number(&params, ret_id))
		return -EINVAL;
	return 0;
}

unsigned int dmtable_active_paths(const char *status)
{
	struct slice rest = slice_of(status), word;
	bool after_path = false;
	unsigned int n = 0;
	struct devno dev;

	while (next_word(&rest, &word)) {
		if (after_path && slice_eq(word, "A"))
			n++;
		after_path = devno_parse(word, &dev);
	}
	return n;
}
