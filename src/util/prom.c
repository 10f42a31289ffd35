/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/prom.h"

#include "util/str.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prom_gauge(struct buf *out, const char *name, const char *help)
{
	head(out, name, "gauge", help);
}

void prom_counter(struct buf *out, const char *name, const char *help)
{
	head(out, name, "counter", help);
}

void prom_label(struct buf *out, const char *text)
{
	size_t room = strlen(text) * 4 + 16;
	CLEANUP_FREE char *shown = xmalloc(room);

	str_printable(shown, room, slice_of(text));
	for (const char *p = shown; *p; p++) {
		if (*p == '\\' || *p == '"')
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
}
