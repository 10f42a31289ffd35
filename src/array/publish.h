/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* array.json (docs/array.md, 5): a survey and what it means, for the other parts and for `array
 * status`. */

#include "array/finding.h"

#define ARRAY_DOCUMENT_SCHEMA "pvewarden.array/1"
#define ARRAY_DOCUMENT_FILE   "array.json"

struct array_daemon { /* what only the process itself knows */
	const char *node;
	int64_t now, started;
	uint64_t calls, failed, healed;
};

void array_document(const struct survey *s, const struct findings *f, const struct array_daemon *d,
		    struct buf *out);

/* Into the folder @run_dir, for root and group www-data. */
int array_publish(const char *run_dir, struct slice document, struct err *e);
