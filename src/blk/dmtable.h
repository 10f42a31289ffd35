/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Live tables as the kernel prints them, and the same thing said by LVM's metadata, in one form: a
 * list of segments, each a run of sectors laid over one device (linear) or several (striped).
 * Sectors are 512 bytes.
 */

#include "blk/devno.h"
#include "util/arena.h"

struct dm_target {
	uint64_t start, length; /* sectors */
	const char *type;
	const char *params; /* "" where they may hold a key (crypt, integrity) */
};

struct leg {
	struct devno dev;
	uint64_t offset; /* sectors on dev */
};

struct segment {
	uint64_t start, length; /* sectors of the mapped device */
	uint64_t chunk;		/* sectors a stripe; 0 when linear */
	uint32_t n_legs;	/* 1 when linear */
	struct leg *legs;
};

struct segments {
	struct segment *items; /* VEC() */
	size_t n, cap;
};

/* "7:0 67584" of linear, "2 128 7:0 2048 7:1 2048" of striped. -EINVAL for any other type or form.
 */
int segment_parse(struct segment *ret, const struct dm_target *t, struct arena *a);

/* Adds a segment, merged into the last one where both together are one run: LVM splits where the
 * kernel merges, and the other way round. */
void segments_add(struct segments *s, const struct segment *add);
void segments_done(struct segments *s);

/* All targets of a table are linear or striped, without a gap: -EINVAL otherwise. */
int segments_of_table(struct segments *ret, const struct dm_target *t, size_t n, struct arena *a);

uint64_t dmtable_length(const struct dm_target *t, size_t n);

/* "253:4 7 ..." of a thin volume: its pool's device and its id there. */
int dmtable_thin(const struct dm_target *t, struct devno *ret_pool, uint64_t *ret_id);

/* Path of a multipath status line: how many are usable. */
unsigned int dmtable_active_paths(const char *status);
