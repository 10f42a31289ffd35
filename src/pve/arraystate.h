/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the array part published in /run/pvewarden/array/array.json (schema pvewarden.array/1), as
 * far as others judge by it: for each multipath map of a FlashArray whether its volume still exists
 * and is connected to this node. Members read: "time", "maps": [{"wwid", "volume", "state",
 * "registered"}], state one of "connected", "gone", "not-connected".
 */

#include "pve/root.h"
#include "util/arena.h"

enum { ARRAY_STATE_MAX_AGE = 60 }; /* seconds; older says nothing */

enum array_map_state { ARRAY_MAP_CONNECTED, ARRAY_MAP_GONE, ARRAY_MAP_NOT_CONNECTED };

struct array_map {
	const char *wwid, *volume;
	enum array_map_state state;
	bool registered; /* false: not mapped by pvewarden, whose `array reap` does not touch it */
};

/* What is to be done with one that is not registered. */
#define ARRAY_MAP_BY_HAND \
	"not pvewarden's: look who uses it, then multipath -f, and delete its disks"

struct array_state {
	const char *absent; /* why there is nothing to judge by; NULL when maps is current */
	struct array_map *maps;
	size_t n_maps;
};

/* Never fails: what cannot be trusted (not root's, not a regular file, too old, broken) is absent.
 */
void array_state_read(struct array_state *ret, const struct root *r, int64_t now, struct arena *a);

const struct array_map *array_state_find(const struct array_state *s, struct slice wwid);
