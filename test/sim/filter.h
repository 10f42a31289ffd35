/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The filter language of REST 2.x, as far as its users need it:
 *
 *   or      = and { "or" and }
 *   and     = term { "and" term }
 *   term    = "not" term | "(" or ")" | FIELD op value
 *   op      = "=" | "!=" | "<" | ">" | "<=" | ">="
 *   value   = 'text' | "text" | WORD | "(" value { "," value } ")"
 *
 * Text after = and != may hold "*" for any characters; letters count in any case. FIELD may go into
 * objects: pod.name.
 */

#include "util/json.h"

struct filter;

/* -EINVAL with a sentence. The caller frees *ret. */
int filter_parse(const char *text, struct filter **ret, struct err *e);
void filter_free(struct filter *f);

/* 1: @item matches, 0: it does not, -ENOENT: it has no such field (named in @e).
 * @no_pod_patterns: a pattern with "::" in it matches nothing. */
int filter_match(const struct filter *f, const json_t *item, bool no_pod_patterns, struct err *e);

/* A member by its path ("pod.name"); NULL when there is none. */
const json_t *filter_member(const json_t *item, const char *path);
