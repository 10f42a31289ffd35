/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What stands for an answer, so that who has it already need not get it again. */

#include "util/str.h"

enum { ETAG_MAX = 40 };

/*
 * Of @body, a JSON text. The ages of its items, which change by themselves, do not count: the
 * members "age" at depth @ages (1: of the text's own object; 3: of the objects in a list of it; 0:
 * there are none). Where there are ages the tag is a weak one.
 */
void etag_of(struct slice body, unsigned int ages, char ret[ETAG_MAX]);

/* Is it in the list of If-None-Match? */
bool etag_matches(const char *if_none_match, const char *etag);
