/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A storage's API tokens outside storage.cfg: /etc/pve/priv/storage/ID.purestorage-token, 0600,
 * shared by the cluster, where Proxmox' own plugins keep theirs. And what else of it must go with
 * the storage: the sessions' tokens (docs/array.md, 5).
 */

#include "array/conf.h"
#include "pve/root.h"
#include "util/buf.h"

/* The tokens of @c in the order of its addresses: written aside, fsync, rename. */
int secret_write(const struct root *root, const struct array_conf *c, struct err *e);

/* What is kept, without white space around it: 1, or 0 when there is none. The caller wipes @ret.
 */
int secret_read(const struct root *root, const char *storage, struct buf *ret, struct err *e);

/* Only the API tokens; none there is success. */
int secret_remove(const struct root *root, const char *storage, struct err *e);

/* The sessions of every address, those of the cluster and those in @run_dir/token. All are tried;
 * the first failure is said. */
int secret_remove_sessions(const struct root *root, const char *run_dir, const char *storage,
			   struct err *e);
