/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The target of a request line, "/a/b%2Fc?x=1&y=", taken apart and then decoded, so that an encoded
 * slash stays part of its segment. What is not UTF-8, holds a control character or a NUL is refused
 * as a whole. Pure.
 */

#include "util/buf.h"

enum { TARGET_SEGMENTS = 12, TARGET_PARAMS = 32 };

struct target {
	struct buf text;  /* where the texts below live */
	const char *path; /* decoded, without the query */
	const char *segments[TARGET_SEGMENTS];
	size_t n_segments;
	struct {
		const char *key, *value;
	} params[TARGET_PARAMS];
	size_t n_params;
};

/* -EINVAL: no target that this server answers. @t has to be freed either way. */
int target_parse(struct slice raw, struct target *t);
void target_done(struct target *t);

/* The first value of @key, NULL if there is none. */
const char *target_param(const struct target *t, const char *key);
