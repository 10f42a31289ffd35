/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as the switches: sorted, each guest once; and what is refused holds for everybody. */

#include "fuzz_pve.h"
#include "pve/guest.h"
#include "watch/maintenance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(arena_done) struct arena a = {};
	struct err e = {};
	struct maintenance m;
	int r = maintenance_parse(&m, (struct slice){ copy, n }, &a, &e);

	CHECK(r == 0 || (*e.text && m.n == 1 && m.items[0].vmid == MAINTENANCE_NODE));
	CHECK(r == 0 || maintenance_find(&m, VMID_MIN, INT64_MAX));
	for (size_t i = 0; i < m.n; i++) {
		const struct maintenance_switch *s = &m.items[i];

		CHECK(s->by && s->since >= 0 && s->until >= 0);
		CHECK(s->vmid == MAINTENANCE_NODE || (s->vmid >= VMID_MIN && s->vmid <= VMID_MAX));
		CHECK(i == 0 || m.items[i - 1].vmid < s->vmid);
	}
	maintenance_done(&m);
	return 0;
}
