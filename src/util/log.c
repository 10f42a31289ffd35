/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

static enum log_level max_level = LOG_LEVEL_WARN;

void log_set_level(enum log_level max)
{
	max_level = max;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[1024], shown[2048];
	va_list ap;

	if (level > max_level)
		return;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	/* Names from outside may hold escape sequences: a log line is shown, so it is escaped. */
	str_printable(shown, sizeof(shown), slice_of(text));
	if (getenv("JOURNAL_STREAM"))
		(void)fprintf(stderr, "<%d>%s\n", level, shown);
	else
		(void)fprintf(stderr, "pvewarden: %s\n", shown);
}
