/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Parts meet in files: every live check leaves its document as /run/pvewarden/dm/dm.json, where the
 * agent, a dashboard or a script finds it (0640 root:www-data, atomically replaced). A recorded
 * node publishes nothing.
 */

#include "pve/root.h"

/* @document is what `dm check --format json` prints. A failure is a log line. */
void dm_publish(const struct root *root, struct slice document);

/* The whole document of @c, and what it has seen without a reference (dm/seen.h). */
struct dm_check;
void dm_publish_check(const struct root *root, const struct dm_check *c);

/* As dm_publish(), below any root, for tests; 0 or -errno. */
int dm_publish_at(const struct root *root, struct slice document);
