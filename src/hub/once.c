/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/once.h"

#include <stdlib.h>

#include "util/base.h"

static bool insert(uint64_t *slots, size_t size, uint64_t number)
{
	uint64_t h = number * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h >> 32) & (size - 1);

	for (; slots[i]; i = (i + 1) & (size - 1))
		if (slots[i] == number)
			return false;
	slots[i] = number;
	return true;
}

static void grow(struct once *s)
{
	size_t size = s->size ? 2 * s->size : 128;
	uint64_t *slots = xcalloc(size, sizeof(*slots));

	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i])
			(void)insert(slots, size, s->slots[i]);
	free(s->slots);
	s->slots = slots;
	s->size = size;
}

bool once_add(struct once *s, uint64_t number)
{
	if (2 * (s->n + 1) > s->size)
		grow(s);
	/* 0 stands for free, so it goes by another number that no id and hardly a hash has. */
	if (!insert(s->slots, s->size, number ? number : UINT64_MAX))
		return false;
	s->n++;
	return true;
}

void once_done(struct once *s)
{
	free(s->slots);
	*s = (struct once){};
}
