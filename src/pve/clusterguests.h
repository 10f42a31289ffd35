/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Every guest of every node: found by .vmlist and by the folders, each read once. Guests move from
 * node to node while we read, so that what has vanished is looked for again.
 */

#include "pve/cluster.h"

/* Reasons, as they are gathered. The texts live in the cluster's arena. */
struct blind_list {
	const char **items; /* the three fields of a VEC() */
	size_t n, cap;
	size_t dropped; /* beyond the first hundred, counted only */
	struct arena *arena;
};

void blind_add(struct blind_list *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Fills c->guests. */
void cluster_read_guests(struct cluster *c, const struct root *r, struct blind_list *blind);
