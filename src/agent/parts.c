/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/parts.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/wire.h"
#include "util/file.h"
#include "util/json.h"
#include "util/str.h"

/* Depth inside the whole document, in which it lies two levels deep. */
enum { DEPTH_MAX = WIRE_DEPTH_MAX - 3 };

static void free_json(json_t *const *doc)
{
	json_decref(*doc);
}

/* Only brackets outside of strings count; the text is JSON already. */
static unsigned int depth_of(struct slice json)
{
	unsigned int depth = 0, deepest = 0;
	bool text = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (text && c == '\\')
			i++;
		else if (c == '"')
			text = !text;
		else if (!text && (c == '{' || c == '['))
			depth++;
		else if (!text && (c == '}' || c == ']'))
			depth--;
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

static bool is_object(struct slice text)
{
	CLEANUP(free_json) json_t *doc = NULL;

	return json_parse(text, "part", &doc, NULL) == 0 && json_is_object(doc) &&
	       depth_of(text) <= DEPTH_MAX;
}

static void write_part(struct jsonw *w, const struct root *r, const char *name, const char *path)
{
	CLEANUP(buf_done) struct buf text = {};
	CLEANUP_FD int fd = root_openat(r, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (r->live && st.st_uid != 0 && st.st_uid != geteuid()))
		return;
	if (st.st_size > WIRE_PART_MAX) {
		jsonw_row(w, name);
		jsonw_u64(w, "too_large", (uint64_t)st.st_size);
		jsonw_close(w);
		return;
	}
	if (file_read_fd(fd, WIRE_PART_MAX, &text) == 0 && is_object(buf_slice(&text)))
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
