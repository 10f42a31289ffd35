/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the fuzzers of src/pve share: a check that also holds when asserts are compiled out. */

#include <stdio.h>

#include "util/base.h"

#define CHECK(what)                                                                            \
	do {                                                                                   \
		if (!(what)) {                                                                 \
			(void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, \
				      #what);                                                  \
			abort();                                                               \
		}                                                                              \
	} while (0)

static inline bool lies_in(struct slice inner, struct slice outer)
{
	return inner.p >= outer.p && inner.n <= outer.n &&
	       (size_t)(inner.p - outer.p) <= outer.n - inner.n;
}

/* A copy of exactly @n bytes, so that a byte read too far is seen. Freed with base_free_ptr(). */
static inline char *exact_copy(const uint8_t *data, size_t n)
{
	char *copy = xmalloc(n);

	if (n)
		memcpy(copy, data, n);
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
