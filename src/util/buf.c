/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_done(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 64;

		while (cap < need)
			cap *= 2;
		b->data = xreallocarray(b->data, cap, 1);
		b->cap = cap;
	}
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t n)
{
	char *end = buf_reserve(b, n);

	if (n)
		memcpy(end, data, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addu(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	size_t room;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	/* Mostly it is short, and one walk over the format is enough. */
	(void)buf_reserve(b, 32);
	room = b->cap - b->len;
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= room)
		(void)vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, fmt, again);
	if (n > 0)
		b->len += (size_t)n;
	b->data[b->len] = '\0';
	va_end(again);
}
