/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Memory that is freed all at once: everything read of a node lives in one arena, so that a tree of
 * facts has a single owner and a single free. A zeroed struct is an empty arena.
 */

#include "util/base.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;
	char *at, *end;
};

void arena_done(struct arena *a);

/* Zeroed memory, aligned for any type, valid until arena_done(). */
void *arena_alloc(struct arena *a, size_t size);

/* A terminated copy. Bytes are copied as they are, NUL included: the length is the caller's. */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_str(struct arena *a, struct slice s);
char *arena_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
