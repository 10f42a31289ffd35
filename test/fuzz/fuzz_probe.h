/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The first byte of an input says how the rest of it is cut: pieces of one to eight bytes, from a
 * generator that begins there. A parser must say the same of the pieces as of the whole.
 */

#include "fuzz_pve.h"

static inline size_t next_piece(uint32_t *seed, size_t left)
{
	*seed = *seed * 1664525 + 1013904223;
	return 1 + (*seed >> 24) % (left < 8 ? left : 8);
}
