/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The part of a request after its "?": names and filters that say what was meant and nothing else.
 * Pure; fuzzed. */

#include "util/buf.h"
#include "util/err.h"

/* Letters, digits and what stands between the parts of an array's name. All others would mean
 * something in a list of names or a filter: a comma ends a name and begins another one. */
bool fa_name_ok(const char *name);
/* -EINVAL with a sentence if one is none. @kind: "volume". */
int fa_names_check(const char *kind, const char *const *names, size_t n, struct err *e);

/* "volumes" becomes "volumes?key=..." and then "...&key=...", with @value percent-encoded. */
void fa_query_add(struct buf *path, const char *key, const char *value);
/* The same with a list: names joined by commas. They must be checked. */
void fa_query_names(struct buf *path, const char *key, const char *const *names, size_t n);

/* Onto a filter: FIELD='a', or (FIELD='a' or FIELD='b'). Quotes are escaped. */
void fa_filter_any(struct buf *filter, const char *field, const char *const *values, size_t n);
/* FIELD='PREFIX*', or several of them in the same way. */
void fa_filter_prefixes(struct buf *filter, const char *field, const char *const *prefixes,
			size_t n);
/* " and TERM" or "TERM". */
void fa_filter_and(struct buf *filter, const char *term);
