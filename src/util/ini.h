/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Configuration files: "[section]", "key = value", comments from '#' or ';' at the start of a line.
 * Each part has a table of its keys; what is not in it, or has a wrong value, is named with file,
 * line and what was expected, and hinders nothing else.
 */

#include "util/diag.h"

struct ini_key {
	const char *section, *key;
	/* Takes the value (trimmed, one pair of double quotes taken off) into @into. NULL: fine,
	 * else what was expected. */
	const char *(*take)(struct slice value, void *into, struct arena *a);
	size_t offset; /* of the field in the part's struct */
};

/* Reads @text into the struct at @into. Sections that @keys does not name are other parts'. */
void ini_read(struct slice text, const char *file, const struct ini_key *keys, size_t n, void *into,
	      struct arena *a, struct diags *diags);

/* The usual fields. */
const char *ini_take_text(struct slice value, void *into, struct arena *a); /* const char * */
const char *ini_take_port(struct slice value, void *into, struct arena *a); /* uint32_t */
