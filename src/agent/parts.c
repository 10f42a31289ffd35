/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/parts.h"

#include <errno.h>
#include <unistd.h>

#include "agent/wire.h"
#include "pve/published.h"
#include "util/json.h"
#include "util/str.h"

/* Depth inside the whole document, in which it lies two levels deep. */
enum { DEPTH_MAX = WIRE_DEPTH_MAX - 3 };

static void free_json(json_t *const *doc)
{
	json_decref(*doc);
}

/*
 * Neither too deep nor an array too long for the document. Only what stands outside of strings
 * counts; the text is JSON already.
 */
static bool fits(struct slice json)
{
	size_t commas[DEPTH_MAX + 1] = {};
	unsigned int depth = 0;
	bool text = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (text && c == '\\')
			i++;
		else if (c == '"')
			text = !text;
		else if (text)
			continue;
		else if ((c == '{' || c == '[') && ++depth > DEPTH_MAX)
			return false;
		else if (c == '{' || c == '[')
			commas[depth] = 0;
		else if (c == '}' || c == ']')
			depth--;
		else if (c == ',' && ++commas[depth] >= WIRE_ARRAY_MAX)
			return false;
	}
	return true;
}

static bool is_object(struct slice text)
{
	CLEANUP(free_json) json_t *doc = NULL;

	return json_parse(text, "part", &doc, NULL) == 0 && json_is_object(doc) && fits(text);
}

static void write_part(struct jsonw *w, const struct root *r, const char *name, const char *path)
{
	CLEANUP(buf_done) struct buf text = {};
	uint64_t size;
	int got = published_read(r, path, geteuid(), WIRE_PART_MAX, &text, &size);

	if (got == -EFBIG) {
		jsonw_row(w, name);
		jsonw_u64(w, "too_large", size);
		jsonw_close(w);
	}
	if (got == 0 && is_object(buf_slice(&text)))
		jsonw_raw(w, name, slice_trim(buf_slice(&text)));
}

void parts_write(struct jsonw *w, const struct root *r)
{
	jsonw_row(w, "parts");
	write_part(w, r, "dm", "run/pvewarden/dm/dm.json");
	write_part(w, r, "watch", "run/pvewarden/watch/watch.json");
	write_part(w, r, "array", "run/pvewarden/array/array.json");
	jsonw_close(w);
}
