/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A number that tells one text from another, the same on every machine and for ever, because it is
 * stored. FNV-1a of 64 bits: it is no protection against somebody who wants two texts to look
 * alike, and need not be.
 */

#include "util/base.h"

static inline uint64_t digest_of(struct slice text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < text.n; i++) {
		h ^= (unsigned char)text.p[i];
		h *= 0x100000001b3ULL;
	}
	return h;
}
