/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which sectors of which disk a mapping really covers, and who else covers them: live mappings
 * against each other, and against the extents that today's metadata gives to other LVs. Found by
 * sorting and sweeping, O(n log n) in the number of segments. Pure.
 */

#include "blk/lvmreport.h"
#include "blk/sysblk.h"

/*
 * Translates a device number to the lowest device that still means the same sectors: partitions to
 * their disk, linear maps to what is below them, a path to its multipath map (decisions 16, 18).
 */
struct resolver {
	const struct dm_set *dm;
	const struct sysblk *sys;
	const struct segments *tables; /* by index in dm; n = 0 where not all linear or striped */
	struct {
		struct path {
			struct devno path, map;
		} * items;
		size_t n, cap;
	} paths; /* components of multipath maps, sorted */
};

void resolver_init(struct resolver *r, const struct dm_set *dm, const struct sysblk *sys,
		   const struct segments *tables);
void resolver_done(struct resolver *r);

/* @leg, of @length sectors, as far down as it stays in one piece. */
struct leg resolve(const struct resolver *r, struct leg leg, uint64_t length);

/* A run of sectors and whose it is. */
struct extent {
	struct devno dev;
	uint64_t start, end; /* sectors, end not included */
	size_t owner;	     /* index of a mapping, or of an LV, as the list's user says */
};

struct extents {
	struct extent *items; /* VEC() */
	size_t n, cap;
};

/* One extent for each leg of each segment, resolved. */
void extents_add(struct extents *list, const struct resolver *r, const struct segment *segs,
		 size_t n, size_t owner);
void extents_sort(struct extents *list);
void extents_done(struct extents *list);

/* How many partners of one overlap are named; whoever overlaps anything has at least one. */
enum { OVERLAPS_MAX = 8 };

/* Calls @found once for each pair of a sorted list's entries that share sectors and have different
 * owners, for at least one partner of each entry and at most OVERLAPS_MAX. */
void extents_sweep(const struct extents *list,
		   void (*found)(void *ctx, const struct extent *a, const struct extent *b),
		   void *ctx);

/* Calls @found for the entries of a sorted list of disjoint extents that share sectors with @with,
 * at most OVERLAPS_MAX times. */
void extents_overlapping(const struct extents *list, const struct extent *with,
			 void (*found)(void *ctx, const struct extent *with,
				       const struct extent *other),
			 void *ctx);
