/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A set of numbers (ids, hashes): which of a list's elements came before. Zeroed it is empty. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct once {
	uint64_t *slots; /* open addressing, a power of two of them; 0: free */
	size_t size, n;
};

/* False if it was there already. */
bool once_add(struct once *s, uint64_t number);
void once_done(struct once *s);
