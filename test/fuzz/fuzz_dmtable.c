/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmtable.h"

#include "fuzz_pve.h"
#include "util/str.h"

enum { TARGETS_MAX = 64 };

/* Where a sector of a segment lies, counted out by hand. */
static struct leg place(const struct segment *s, uint64_t sector)
{
	uint64_t at = sector - s->start, row, within;
	struct leg leg;

	if (!s->chunk) {
		leg = s->legs[0];
		leg.offset += at;
		return leg;
	}
	row = at / s->chunk / s->n_legs;
	within = at - row * s->chunk * s->n_legs;
	leg = s->legs[within / s->chunk];
	leg.offset += row * s->chunk + within % s->chunk;
	return leg;
}

static const struct segment *find(const struct segments *list, uint64_t sector)
{
	for (size_t i = 0; i < list->n; i++)
		if (sector >= list->items[i].start &&
		    sector - list->items[i].start < list->items[i].length)
			return &list->items[i];
	return NULL;
}

/* Merging must not change where anything lies. */
static void check_sector(const struct segments *merged, const struct segment *one, uint64_t sector)
{
	const struct segment *in = find(merged, sector);
	struct leg a = place(one, sector), b;

	CHECK(in);
	b = place(in, sector);
	CHECK(devno_eq(a.dev, b.dev) && a.offset == b.offset);
}

/* Products of chunk and number of legs that overflow are nonsense that no kernel prints. */
static bool is_sane(const struct segment *s)
{
	return s->chunk < UINT32_MAX && s->length < UINT64_C(1) << 60;
}

static void check_table(const struct dm_target *t, size_t n, struct arena *a)
{
	CLEANUP(segments_done) struct segments merged = {}, again = {};
	uint64_t at = 0;

	if (segments_of_table(&merged, t, n, a) < 0)
		return;
	CHECK(n && merged.n && merged.n <= n);
	for (size_t i = 0; i < merged.n; i++) {
		CHECK(merged.items[i].start == at && merged.items[i].length);
		CHECK(merged.items[i].n_legs &&
		      (merged.items[i].chunk || merged.items[i].n_legs == 1));
		at += merged.items[i].length;
		segments_add(&again, &merged.items[i]);
	}
	CHECK(at == dmtable_length(t, n) && again.n == merged.n);
	for (size_t i = 0; i < n; i++) {
		struct segment one;

		CHECK(segment_parse(&one, &t[i], a) == 0);
		if (!is_sane(&one))
			continue;
		check_sector(&merged, &one, one.start);
		check_sector(&merged, &one, one.start + one.length / 2);
		check_sector(&merged, &one, one.start + one.length - 1);
	}
}

/* Lines of a table: start, length, type, the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(arena_done) struct arena a = {};
	struct slice rest = { (const char *)data, n }, line, word;
	struct dm_target t[TARGETS_MAX] = {};
	struct devno pool;
	size_t count = 0;
	uint64_t id;

	while (count < TARGETS_MAX && slice_split(&rest, '\n', &line)) {
		struct dm_target *one = &t[count];

		one->type = one->params = "";
		if (!slice_split(&line, ' ', &word) || !str_to_u64(word, &one->start) ||
		    !slice_split(&line, ' ', &word) || !str_to_u64(word, &one->length) ||
		    !slice_split(&line, ' ', &word))
			continue;
		one->type = arena_str(&a, word);
		one->params = arena_str(&a, line);
		(void)dmtable_thin(one, &pool, &id);
		CHECK(dmtable_active_paths(one->params) <= strlen(one->params));
		count++;
	}
	check_table(t, count, &a);
	return 0;
}
