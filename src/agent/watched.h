/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A file of /etc/pve that is read again only when pmxcfs has counted a change of it. Where nothing
 * is counted, it is read each time and compared.
 */

#include "pve/pmxcfs.h"

struct watched {
	const char *path;  /* "etc/pve/jobs.cfg" */
	const char *count; /* its name in .version, NULL: it has none */
	bool known, counted;
	uint64_t counter;
	int code; /* of the last read: 0, -ENOENT (no such file: an empty text), or another -errno
		   */
	struct buf text;
};

/* True: the text is another one than before, or was never read. @v may have no counters. */
bool watched_look(struct watched *w, const struct root *r, const struct cfs_version *v);

/* What was read means nothing any more. */
void watched_forget(struct watched *w);
void watched_done(struct watched *w);
