/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The token's line in a storage's section of storage.cfg: where it stands, and the text without it.
 * Pure. Everything else of the file stays byte for byte.
 */

#include "util/arena.h"
#include "util/buf.h"
#include "util/err.h"

struct tokenline {
	unsigned int line; /* 0: the section has none */
	const char *token; /* NULL without */
	const char *nodes; /* the section's list as written, NULL: all nodes */
};

/* -ENOENT: no such section; -EINVAL: of another type, or there twice. Memory is @a's. */
int tokenline_find(struct tokenline *ret, struct slice text, const char *storage, struct arena *a,
		   struct err *e);

/* -ENODATA: there is none; -ESTALE: it is not @token any more. -EINVAL also when one is left after
 * the cut. */
int tokenline_cut(struct slice text, const char *storage, const char *token, struct buf *ret,
		  struct arena *a, struct err *e);
