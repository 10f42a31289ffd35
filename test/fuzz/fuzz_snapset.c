/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a set of snapshots: nothing is claimed twice, nothing that the array has not said it
 * took. */

#include "array/snapset.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct arena arena = {};
	struct snapset set;

	if (snapset_parse(&set, (struct slice){ copy, n }, &arena, NULL) == 0) {
		CHECK(set.n > 0 && set.since >= 0);
		for (size_t i = 0; i < set.n; i++) {
			bool taken = set.taken;
			const char *name = set.members[i].volname;
			enum snapset_claim first = snapset_claim(&set, name, set.since);

			CHECK(first == SNAPSET_CLAIMED || first == SNAPSET_AGAIN ||
			      (first == SNAPSET_PERHAPS && !taken));
			CHECK(snapset_claim(&set, name, set.since) != SNAPSET_CLAIMED);
			CHECK(snapset_may_be(&set, set.since));
		}
	}
	arena_done(&arena);
	return 0;
}
