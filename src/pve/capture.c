/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/capture.h"

#include <errno.h>

#include "util/str.h"

#define FILE_NAME "capture.json"
#define FILE_MAX  ((size_t)64 * 1024 * 1024)
#define SCHEMA	  "pvewarden.capture/1"

int capture_read(const struct root *r, json_t **ret, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	const char *schema;
	json_t *doc;
	int code = root_read(r, FILE_NAME, FILE_MAX, &text);

	if (code < 0)
		return err_set(e, code, FILE_NAME ": %s", strerror(-code));
	code = json_parse(buf_slice(&text), FILE_NAME, &doc, e);
	if (code < 0)
		return code;
	schema = json_str(doc, "schema");
	if (!schema || strcmp(schema, SCHEMA) != 0) {
		char shown[64];

		str_printable(shown, sizeof(shown), slice_of(schema ? schema : "nothing"));
		json_decref(doc);
		return err_set(e, -EBADMSG, FILE_NAME ": schema is %s: expected " SCHEMA, shown);
	}
	*ret = doc;
	return 0;
}

void capture_free(json_t *const *doc)
{
	json_decref(*doc);
}
