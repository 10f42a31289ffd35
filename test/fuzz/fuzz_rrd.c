/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/rrd.h"

#include <errno.h>

#include "fuzz_pve.h"
#include "pve/guest.h"

static void check_entry(const struct rrd *rrd, const struct rrd_entry *x)
{
	CHECK(x->ctime >= 0 && x->n_fields <= RRD_FIELDS_MAX);
	for (size_t i = 0; i < RRD_FIELDS_MAX; i++)
		CHECK(i < x->n_fields || !x->fields[i].known);
	switch (x->kind) {
	case RRD_GUEST:
		CHECK(x->vmid >= VMID_MIN && x->vmid <= VMID_MAX);
		CHECK(x->name && x->status);
		CHECK(rrd_guest(rrd, x->vmid) == x);
		break;
	case RRD_NODE:
		CHECK(x->node && *x->node);
		break;
	case RRD_STORAGE:
		CHECK(x->node && x->storage);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct arena a = {};
	struct err e = {};
	struct rrd rrd;
	int r = rrd_parse(&rrd, (struct slice){ copy, n }, &a, &e);

	CHECK(r == 0 || (r == -EBADMSG && *e.text));
	for (size_t i = 0; r == 0 && i < rrd.n; i++)
		check_entry(&rrd, &rrd.entries[i]);
	arena_done(&a);
	return 0;
}
