/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/diag.h"

#include <stdarg.h>
#include <stdio.h>

void diag_add(struct diags *d, const char *file, unsigned int line, const char *fmt, ...)
{
	char text[512];
	struct diag *item;
	va_list ap;

	if (d->n >= DIAGS_MAX) {
		d->dropped++;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	item = vec_push(d);
	item->file = file ? arena_str(d->arena, slice_of(file)) : NULL;
	item->line = line;
	item->text = arena_str(d->arena, slice_of(text));
}

void diags_done(struct diags *d)
{
	vec_free(d);
}
