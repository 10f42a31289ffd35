/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The documents by which the parts meet, below /run/pvewarden: who reads one believes it only if it
 * is what its part wrote. Not through a symlink, a regular file, and on a live node root's or its
 * part's own user's.
 */

#include "pve/root.h"

/*
 * 0 and the text. -ENOENT, -EACCES: as open() says; -EPERM: it is something else, or somebody
 * else's; -EFBIG: more than @max bytes, *ret_size (may be NULL) says how many. @owner: a user
 * beside root who may have written it; 0: root alone.
 */
int published_read(const struct root *r, const char *path, uid_t owner, size_t max, struct buf *ret,
		   uint64_t *ret_size);
