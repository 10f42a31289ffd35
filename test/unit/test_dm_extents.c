/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Who covers whose sectors: the sweep against a count of all pairs, and what lies below a device.
 */

#include "dm/extents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ENTRIES_MAX = 60, ROUNDS = 3000 };

static uint64_t seed = 20261121;

/* Small and the same on every machine. */
static unsigned int random_below(unsigned int n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned int)(seed >> 33) % n;
}

static bool overlap(const struct extent *a, const struct extent *b)
{
	return devno_eq(a->dev, b->dev) && a->owner != b->owner && a->start < b->end &&
	       b->start < a->end;
}

struct meeting {
	const struct extents *list;
	size_t partners[ENTRIES_MAX];
	bool met[ENTRIES_MAX][ENTRIES_MAX];
	bool wrong;
};

static void meet(void *ctx, const struct extent *a, const struct extent *b)
{
	struct meeting *m = ctx;
	size_t i = (size_t)(a - m->list->items), k = (size_t)(b - m->list->items);

	if (!overlap(a, b) || m->met[i][k] || m->met[k][i])
		m->wrong = true;
	m->met[i][k] = m->met[k][i] = true;
	m->partners[i]++;
	m->partners[k]++;
}

static size_t partners_of(const struct extents *list, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < list->n; k++)
		n += k != i && overlap(&list->items[i], &list->items[k]);
	return n;
}

static void random_list(struct extents *list, unsigned int n, unsigned int sectors,
			unsigned int owners)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t start = random_below(sectors);
		struct extent *x = vec_push(list);

		*x = (struct extent){ .dev = { 8, random_below(2) }, .start = start };
		x->end = start + 1 + random_below(1 + random_below(sectors));
		x->owner = random_below(owners);
	}
	extents_sort(list);
}

/* Whoever overlaps another owner's extent is told of at least one, and of nobody else. */
static void sweep_against_all_pairs(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(extents_done) struct extents list = {};
		struct meeting m = { .list = &list };

		random_list(&list, 1 + random_below(ENTRIES_MAX), 1 + random_below(300),
			    1 + random_below(30));
		extents_sweep(&list, meet, &m);
		assert_false(m.wrong);
		for (size_t i = 0; i < list.n; i++) {
			size_t all = partners_of(&list, i);

			if ((all > 0) != (m.partners[i] > 0))
				fail_msg("round %d, entry %zu: %zu partners, %zu found", round, i,
					 all, m.partners[i]);
		}
	}
}

/* Where everybody overlaps few others, all pairs are found. */
static void sweep_finds_all_of_few(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(extents_done) struct extents list = {};
		struct meeting m = { .list = &list };

		random_list(&list, 1 + random_below(OVERLAPS_MAX), 100, 8);
		extents_sweep(&list, meet, &m);
		for (size_t i = 0; i < list.n; i++)
			assert_int_equal(m.partners[i], partners_of(&list, i));
	}
}

static void count(void *ctx, const struct extent *with, const struct extent *other)
{
	(void)with;
	(void)other;
	(*(size_t *)ctx)++;
}

static void sweep_of_one_and_none(void **state)
{
	CLEANUP(extents_done) struct extents list = {};
	size_t n = 0;

	(void)state;
	extents_sort(&list);
	extents_sweep(&list, count, &n);
	*vec_push(&list) = (struct extent){ .start = 0, .end = 10, .owner = 1 };
	extents_sweep(&list, count, &n);
	*vec_push(&list) = (struct extent){ .start = 5, .end = 15, .owner = 1 };
	extents_sweep(&list, count, &n);
	*vec_push(&list) = (struct extent){ .start = 15, .end = 20, .owner = 2 };
	extents_sweep(&list, count, &n);
	assert_int_equal(n, 0);
}

/* Ten thousand over one place must not take ten thousand squared. */
static void sweep_of_many_in_one_place(void **state)
{
	CLEANUP(extents_done) struct extents list = {};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		*vec_push(&list) = (struct extent){ .start = i, .end = 20000, .owner = i };
	extents_sort(&list);
	extents_sweep(&list, count, &n);
	assert_true(n >= 5000 && n <= 10000 * OVERLAPS_MAX);
}

static void overlapping_against_all(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		CLEANUP(extents_done) struct extents list = {};
		struct extent with = { .dev = { 8, 1 }, .owner = 9999 };
		uint64_t at = 0;
		size_t found = 0, want = 0;

		for (unsigned int i = 0; i < 40; i++) {
			struct extent *x = vec_push(&list);

			at += random_below(4);
			*x = (struct extent){ .dev = { 8, i / 20 }, .start = at, .owner = i };
			x->end = at += 1 + random_below(6);
		}
		with.start = random_below((unsigned int)at);
		with.end = with.start + 1 + random_below(30);
		extents_overlapping(&list, &with, count, &found);
		for (size_t i = 0; i < list.n; i++)
			want += overlap(&list.items[i], &with);
		assert_int_equal(found, want < OVERLAPS_MAX ? want : OVERLAPS_MAX);
	}
}

/* A disk 8:0 with partition 8:1 from sector 2048; multipath 253:0 over 8:16 and 8:32; 253:1 linear
 * on the partition in two pieces; 253:2 linear on 253:1; 253:3 striped; 253:4 and 253:5 on each
 * other, which the kernel does not allow. */
struct stack {
	struct arena arena;
	struct dm_dev devs[6];
	struct segments tables[6];
	struct dm_set dm;
	struct sysblk_dev disks[2];
	struct sysblk sys;
	struct resolver r;
};

static void table(struct stack *s, size_t i, const char *type, const char *const params[], size_t n)
{
	struct dm_dev *d = &s->devs[i];

	d->targets = arena_alloc(&s->arena, n * sizeof(*d->targets));
	for (size_t k = 0; k < n; k++)
		d->targets[k] = (struct dm_target){ k * 100, 100, type, params[k] };
	d->n_targets = n;
	if (segments_of_table(&s->tables[i], d->targets, n, &s->arena) < 0)
		s->tables[i].n = 0;
}

static void stack_make(struct stack *s)
{
	static const char *const pieces[] = { "8:1 1000", "8:1 5000" };
	static const char *const on_it[] = { "253:1 0", "253:1 100" };
	static const char *const striped[] = { "2 8 8:1 0 8:16 0" };
	static const char *const to_5[] = { "253:5 0" }, *const to_4[] = { "253:4 0" };
	static const char *const paths[] = { "0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1" };
	static struct devno deps[] = { { 8, 16 }, { 8, 32 } };

	*s = (struct stack){};
	for (uint32_t i = 0; i < 6; i++)
		s->devs[i] = (struct dm_dev){ .name = "x", .uuid = "", .dev = { 253, i } };
	s->devs[0].uuid = "mpath-36001";
	s->devs[0].deps = deps;
	s->devs[0].n_deps = 2;
	table(s, 0, "multipath", paths, 1);
	table(s, 1, "linear", pieces, 2);
	table(s, 2, "linear", on_it, 2);
	table(s, 3, "striped", striped, 1);
	table(s, 4, "linear", to_5, 1);
	table(s, 5, "linear", to_4, 1);
	s->dm = (struct dm_set){ s->devs, 6 };
	s->disks[0] = (struct sysblk_dev){ .name = "sda", .dev = { 8, 0 } };
	s->disks[1] = (struct sysblk_dev){ .name = "sda1", .dev = { 8, 1 }, .partition = true };
	s->disks[1].whole = (struct devno){ 8, 0 };
	s->disks[1].start = 2048;
	s->sys = (struct sysblk){ s->disks, 2, 2 };
	resolver_init(&s->r, &s->dm, &s->sys, s->tables);
}

static void stack_done(struct stack *s)
{
	for (size_t i = 0; i < 6; i++)
		segments_done(&s->tables[i]);
	resolver_done(&s->r);
	arena_done(&s->arena);
}

static void resolves(void **state)
{
	static const struct {
		struct leg from;
		uint64_t length;
		struct leg to;
	} cases[] = {
		{ { { 8, 0 }, 7 }, 10, { { 8, 0 }, 7 } },
		{ { { 8, 1 }, 7 }, 10, { { 8, 0 }, 2055 } },
		{ { { 8, 16 }, 7 }, 10, { { 253, 0 }, 7 } },
		{ { { 8, 32 }, 7 }, 10, { { 253, 0 }, 7 } },
		{ { { 253, 0 }, 7 }, 10, { { 253, 0 }, 7 } },
		{ { { 253, 1 }, 0 }, 100, { { 8, 0 }, 3048 } },
		{ { { 253, 1 }, 150 }, 50, { { 8, 0 }, 7098 } },
		{ { { 253, 2 }, 0 }, 100, { { 8, 0 }, 3048 } },
		/* A run over the border of two pieces stays in one: here. */
		{ { { 253, 1 }, 50 }, 100, { { 253, 1 }, 50 } },
		{ { { 253, 2 }, 50 }, 100, { { 253, 1 }, 50 } },
		{ { { 253, 1 }, 150 }, 51, { { 253, 1 }, 150 } },
		{ { { 253, 3 }, 0 }, 100, { { 253, 3 }, 0 } },
		{ { { 9, 9 }, 3 }, 1, { { 9, 9 }, 3 } },
	};
	struct stack s;
	struct leg leg;

	(void)state;
	stack_make(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		leg = resolve(&s.r, cases[i].from, cases[i].length);
		if (!devno_eq(leg.dev, cases[i].to.dev) || leg.offset != cases[i].to.offset)
			fail_msg("case %zu: %u:%u %llu", i, leg.dev.major, leg.dev.minor,
				 (unsigned long long)leg.offset);
	}
	leg = resolve(&s.r, (struct leg){ { 253, 4 }, 0 }, 10);
	assert_int_equal(leg.dev.major, 253);
	stack_done(&s);
}

/* What lies over the border of two pieces below covers both of them. */
static void adds_every_leg(void **state)
{
	CLEANUP(extents_done) struct extents list = {};
	struct stack s;

	(void)state;
	stack_make(&s);
	extents_add(&list, &s.r, s.tables[3].items, s.tables[3].n, 3);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.items[0].dev.major, 8);
	assert_int_equal(list.items[0].start, 2048);
	assert_int_equal(list.items[0].end, 2098);
	assert_int_equal(list.items[1].dev.major, 253);
	assert_int_equal(list.items[1].dev.minor, 0);
	assert_int_equal(list.items[1].owner, 3);
	stack_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep_against_all_pairs),
		cmocka_unit_test(sweep_finds_all_of_few),
		cmocka_unit_test(sweep_of_one_and_none),
		cmocka_unit_test(sweep_of_many_in_one_place),
		cmocka_unit_test(overlapping_against_all),
		cmocka_unit_test(resolves),
		cmocka_unit_test(adds_every_leg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
