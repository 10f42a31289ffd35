/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/pmxcfs.h"

#include <errno.h>

#include "fuzz_pve.h"
#include "pve/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct arena a = {};
	struct err e = {};
	struct vmlist l;
	int r = vmlist_parse(&l, (struct slice){ copy, n }, "vmlist", &a, &e);

	CHECK(r == 0 || r == -EBADMSG);
	CHECK(r == 0 || *e.text);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		const struct vmlist_entry *g = &l.guests[i];

		CHECK(g->vmid >= VMID_MIN && g->vmid <= VMID_MAX);
		CHECK(g->node && *g->node);
		CHECK(i == 0 || l.guests[i - 1].vmid <= g->vmid);
	}
	arena_done(&a);
	return 0;
}
