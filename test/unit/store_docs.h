/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A cluster that lives: documents of its nodes while guests come, go, move and change, quorum is
 * lost and nodes restart; as the hub's handlers give them to the store. */

#include "hub/store.h"

struct document {
	char org[STORE_ORG_MAX], cluster[64], node[32], instance[40];
	uint64_t sequence;
	int64_t at;
	struct buf body;
};

struct history {
	struct document *items; /* VEC() */
	size_t n, cap;
};

void history_make(struct history *h, unsigned int seed, int nodes, int rounds);
/* Any order; @interleave: each node's own order stays. */
void history_shuffle(struct history *h, unsigned int *rnd, bool interleave);
void history_done(struct history *h);
struct store_document document_row(const struct document *d);
