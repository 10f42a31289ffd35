/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Each diagnostic about a text names a line that is there. */

#include "util/diag.h"

#include "fuzz_pve.h"

static inline void check_lines(const struct diags *diags, struct slice text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	for (size_t i = 0; i < diags->n; i++)
		CHECK(diags->items[i].line >= 1 && diags->items[i].line <= lines);
}
