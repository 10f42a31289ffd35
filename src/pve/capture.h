/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * capture.json of a recorded node ("pvewarden.capture/1"): what a directory cannot hold, such as
 * quorum (a mode bit of FUSE), the time of the recording and locks that belong to inodes.
 */

#include "pve/root.h"
#include "util/json.h"

/* The caller owns *ret (json_decref). -ENOENT without one, -EBADMSG if it is not what it should be.
 */
int capture_read(const struct root *r, json_t **ret, struct err *e);

void capture_free(json_t *const *doc);
