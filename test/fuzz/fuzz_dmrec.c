/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/dmrec.h"

#include "fuzz_pve.h"
#include "util/str.h"

static bool all_different(const struct dm_set *set)
{
	for (size_t i = 1; i < set->n; i++)
		if (devno_eq(set->items[i - 1].dev, set->items[i].dev))
			return false;
	return true;
}

/* What was read and written once reads and writes the same for ever. */
static void check_round_trip(const struct dm_set *set, struct arena *a)
{
	CLEANUP(buf_done) struct buf first = {}, second = {};
	struct dm_set again = {};
	struct err e = {};

	dmrec_write(set, &first);
	CHECK(dmrec_parse(&again, buf_slice(&first), "again", a, &e) == 0);
	CHECK(again.n == set->n);
	dmrec_write(&again, &second);
	CHECK(slice_eq2(buf_slice(&first), buf_slice(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct dm_set set = {};
	struct err e = {};

	if (dmrec_parse(&set, (struct slice){ copy, n }, "input", &a, &e) < 0) {
		CHECK(*e.text);
		return 0;
	}
	for (size_t i = 0; i < set.n; i++) {
		const struct dm_dev *d = &set.items[i];

		CHECK(d->name && d->uuid);
		CHECK(i == 0 || devno_cmp(d[-1].dev, d->dev) <= 0);
		CHECK(devno_eq(dm_set_find(&set, d->dev)->dev, d->dev));
	}
	if (all_different(&set))
		check_round_trip(&set, &a);
	return 0;
}
