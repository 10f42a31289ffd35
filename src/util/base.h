/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What every file may take for granted: cleanup attributes, growing arrays,
 * allocation that cannot fail, slices of text, and the three-valued answer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN	       __attribute__((noreturn))
#define MUST_CHECK	       __attribute__((warn_unused_result))

/* Scoped ownership: CLEANUP(buf_done) struct buf text = {}; */
#define CLEANUP(fn)  __attribute__((cleanup(fn)))
#define CLEANUP_FREE CLEANUP(base_free_ptr)
#define CLEANUP_FD   CLEANUP(base_close_fd)

void base_free_ptr(void *ptr_to_ptr);
void base_close_fd(const int *fd);

/* Hands ownership on: the variable forgets what it held. */
#define take_ptr(p)                     \
	({                              \
		typeof(p) taken_ = (p); \
		(p) = NULL;             \
		taken_;                 \
	})
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* A question about the outside world has three answers. */
enum tri { TRI_NO, TRI_YES, TRI_UNKNOWN };

static inline enum tri tri_of(bool b)
{
	return b ? TRI_YES : TRI_NO;
}

/* Allocation for command line programs and children: out of memory ends them with a log line. */
void *xmalloc(size_t size) MUST_CHECK __attribute__((malloc));
void *xcalloc(size_t n, size_t size) MUST_CHECK __attribute__((malloc));
void *xreallocarray(void *p, size_t n, size_t size) MUST_CHECK;
char *xstrdup(const char *s) MUST_CHECK __attribute__((malloc));

/*
 * A growing array is three fields named items, n and cap, declared with VEC(). vec_push() returns
 * the address of a new zeroed last element, valid until the next push.
 */
#define VEC(type)              \
	struct {               \
		type *items;   \
		size_t n, cap; \
	}
#define vec_push(v)                                                                         \
	({                                                                                  \
		(v)->items = base_grow((v)->items, (v)->n, &(v)->cap, sizeof(*(v)->items)); \
		&(v)->items[(v)->n++];                                                      \
	})
#define vec_each(it, v)                                                                \
	for (typeof((v)->items + 0) it = (v)->items, it##_end = it ? it + (v)->n : it; \
	     it != it##_end; it++)
#define vec_free(v)                    \
	do {                           \
		free((v)->items);      \
		(v)->items = NULL;     \
		(v)->n = (v)->cap = 0; \
	} while (0)

/* Makes room for element n in an array of *cap elements, zeroes it, returns the array. */
void *base_grow(void *items, size_t n, size_t *cap, size_t size) MUST_CHECK;

/* A piece of somebody else's text; not terminated, may hold any byte. */
struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_FMT      "%.*s"
#define SLICE_ARG(s)   (int)(s).n, (s).p
#define slice_of(str)  ((struct slice){ (str), strlen(str) })
#define slice_empty(s) ((s).n == 0)
