/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A growing byte buffer. data is always terminated by a NUL that len does not count, so that it can
 * be handed to functions that want a string; a zeroed struct is an empty buffer (data may be NULL).
 */

#include "util/base.h"

struct buf {
	char *data;
	size_t len, cap;
};

void buf_done(struct buf *b);
void buf_wipe(struct buf *b); /* the same for secrets: nothing of it stays in memory */
void buf_reset(struct buf *b);

/* Makes room for @more bytes behind len and returns the place; the caller adds to len. */
char *buf_reserve(struct buf *b, size_t more);

void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addu(struct buf *b, uint64_t n); /* in decimal digits */
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){ b->data ? b->data : "", b->len };
}

static inline const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}
