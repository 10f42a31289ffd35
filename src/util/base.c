/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/base.h"

#include <errno.h>
#include <unistd.h>

#include "util/log.h"

void base_free_ptr(void *ptr_to_ptr)
{
	void *p;

	memcpy(&p, ptr_to_ptr, sizeof(p));
	free(p);
}

void base_close_fd(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static NORETURN void out_of_memory(size_t n, size_t size)
{
	log_error("out of memory while asking for %zu x %zu bytes", n, size);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory(1, size);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory(n, size);
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n ? n : 1, size ? size : 1);

	if (!q)
		out_of_memory(n, size);
	return q;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

void *base_grow(void *items, size_t n, size_t *cap, size_t size)
{
	if (n >= *cap) {
		*cap = *cap ? *cap * 2 : 8;
		items = xreallocarray(items, *cap, size);
	}
	memset((char *)items + n * size, 0, size);
	return items;
}
