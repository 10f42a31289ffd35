/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Settings that were written as lines of a shell script, NAME="value": read, never run. Whatever a
 * shell would have to compute ($x, `x`, $(x)) is refused, because its value is not in the file.
 */

#include "util/diag.h"

struct shellvar {
	const char *name;
	const char *value; /* NULL: the file does not set it */
	unsigned int line;
};

/*
 * Fills in the variables of that name; of one set twice the last. Other lines are passed over: in a
 * script (@script) without a word, in a file of settings as diagnostics.
 */
void shellvars_read(struct slice text, const char *file, bool script, struct shellvar *vars,
		    size_t n, struct arena *a, struct diags *diags);
