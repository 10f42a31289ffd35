/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/arena.h"

#include <stdarg.h>
#include <stdio.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct arena_block {
	struct arena_block *next;
	_Alignas(max_align_t) char data[];
};

void arena_done(struct arena *a)
{
	struct arena_block *b = a->blocks;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	*a = (struct arena){};
}

static void add_block(struct arena *a, size_t size)
{
	struct arena_block *b = xmalloc(sizeof(*b) + size);

	b->next = a->blocks;
	a->blocks = b;
	a->at = b->data;
	a->end = b->data + size;
}

static void *take(struct arena *a, size_t size, size_t align)
{
	size_t pad = (size_t)(-(uintptr_t)a->at & (align - 1));
	char *p;

	if (!a->at || (size_t)(a->end - a->at) < pad + size) {
		add_block(a, size > BLOCK_SIZE / 4 ? size + align : BLOCK_SIZE);
		pad = (size_t)(-(uintptr_t)a->at & (align - 1));
	}
	p = a->at + pad;
	a->at = p + size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(take(a, size, _Alignof(max_align_t)), 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = take(a, n + 1, 1);

	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *arena_str(struct arena *a, struct slice s)
{
	return arena_strndup(a, s.p, s.n);
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = take(a, (size_t)(n < 0 ? 0 : n) + 1, 1);
	p[0] = '\0';
	if (n > 0)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}
