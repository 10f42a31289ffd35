/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/diag.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 5, 0))) static void add(struct diags *d, const char *file,
						      unsigned int line, bool hides,
						      const char *fmt, va_list ap)
{
	char text[512];
	struct diag *item;

	/* What hides something decides an answer, so it is never the one that is dropped. */
	if (d->n >= DIAGS_MAX && !hides) {
		d->dropped++;
		return;
	}
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	item = vec_push(d);
	item->file = file ? arena_str(d->arena, slice_of(file)) : NULL;
	item->line = line;
	item->hides = hides;
	item->text = arena_str(d->arena, slice_of(text));
}

void diag_add(struct diags *d, const char *file, unsigned int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, file, line, false, fmt, ap);
	va_end(ap);
}

void diag_add_hiding(struct diags *d, const char *file, unsigned int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, file, line, true, fmt, ap);
	va_end(ap);
}

void diags_done(struct diags *d)
{
	vec_free(d);
}
