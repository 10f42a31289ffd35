/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The old agent's config.yaml: flat keys, and one level of blocks, with comments and quoted values.
 * That is all of YAML that such files have; lists, anchors and the like are named with file and
 * line, as is every key that is not in the table.
 */

#include "util/diag.h"

struct oldconf_key {
	const char *block; /* NULL: at the top */
	const char *key;
	/* As in util/ini.h. */
	const char *(*take)(struct slice value, void *into, struct arena *a);
	size_t offset;
};

void oldconf_read(struct slice text, const char *file, const struct oldconf_key *keys, size_t n,
		  void *into, struct arena *a, struct diags *diags);
