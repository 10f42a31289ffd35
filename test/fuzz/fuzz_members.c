/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/pmxcfs.h"

#include <errno.h>

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct arena a = {};
	struct err e = {};
	struct members m;
	int r = members_parse(&m, (struct slice){ copy, n }, "members", &a, &e);

	CHECK(r == 0 || r == -EBADMSG);
	CHECK(r == 0 || *e.text);
	if (r == 0) {
		CHECK(m.nodename && (m.clustered || m.quorate));
		for (size_t i = 0; i < m.n_nodes; i++)
			CHECK(m.nodes[i].name && (i == 0 || m.nodes[i - 1].id <= m.nodes[i].id));
	}
	arena_done(&a);
	return 0;
}
