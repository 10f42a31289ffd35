/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/watched.h"

#include <errno.h>

#include "util/str.h"

/* No file of pmxcfs is larger. */
#define BYTES_MAX ((size_t)1024 * 1024)

bool watched_look(struct watched *w, const struct root *r, const struct cfs_version *v)
{
	CLEANUP(buf_done) struct buf now = {};
	uint64_t counter = 0;
	bool counted = w->count && cfs_version_of(v, w->count, &counter), same;
	int code;

	if (w->known && counted && w->counted && counter == w->counter)
		return false;
	code = root_read(r, w->path, BYTES_MAX, &now);
	if (code < 0)
		buf_reset(&now);
	same = w->known && code == w->code && slice_eq2(buf_slice(&now), buf_slice(&w->text));
	/* What could not be read is tried again in the next cycle. */
	w->counted = counted && (code == 0 || code == -ENOENT);
	w->counter = counter;
	w->known = true;
	w->code = code;
	if (same)
		return false;
	buf_reset(&w->text);
	buf_add(&w->text, buf_str(&now), now.len);
	return true;
}

void watched_forget(struct watched *w)
{
	w->known = w->counted = false;
}

void watched_done(struct watched *w)
{
	buf_done(&w->text);
	watched_forget(w);
}
