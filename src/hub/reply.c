/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>

#include "hub/request.h"
#include "util/jsonw.h"

void reply_error(struct reply *r, unsigned int status, const char *word, const char *path,
		 const char *fmt, ...)
{
	char text[1024];
	struct jsonw w;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->status = status;
	r->type = NULL;
	r->const_body = NULL;
	buf_reset(&r->body);
	jsonw_begin_row(&w, &r->body);
	jsonw_bool(&w, "success", false);
	jsonw_str(&w, "error", word);
	jsonw_str(&w, "error_description", text);
	if (path)
		jsonw_str(&w, "path", path);
	jsonw_end(&w);
}
