/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What was wrong with an input: file, line and a sentence that says what was expected. Parsers add
 * to the list and go on: they cut nothing off, so that a strange line never hides a reference.
 */

#include "util/arena.h"

struct diag {
	const char *file;
	unsigned int line; /* 0: the whole file */
	const char *text;
};

struct diags {
	struct diag *items; /* the three fields of a VEC() */
	size_t n, cap;
	size_t dropped;	     /* found beyond DIAGS_MAX, counted only */
	struct arena *arena; /* where the texts live; not owned */
};

enum { DIAGS_MAX = 200 };

void diag_add(struct diags *d, const char *file, unsigned int line, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void diags_done(struct diags *d);
