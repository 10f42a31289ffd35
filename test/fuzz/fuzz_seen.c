/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as the list of what was seen unreferenced: nothing was seen in a time to come. */

#include "dm/seen.h"

#include "fuzz_pve.h"

enum { NOW = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct dm_seen s;

	dm_seen_parse(&s, (struct slice){ copy, n }, NOW);
	CHECK(s.now == NOW && dm_seen_age(&s, "never seen by anybody") == -1);
	for (size_t i = 0; i < s.n; i++) {
		int64_t age = dm_seen_age(&s, s.items[i].uuid);

		CHECK(age >= 0 && age <= NOW);
		CHECK(i == 0 || strcmp(s.items[i - 1].uuid, s.items[i].uuid) <= 0);
	}
	dm_seen_done(&s);
	return 0;
}
