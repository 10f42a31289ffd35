/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What a process needs to answer calls: the same for arrayd and `pvewarden array call`. */

#include "array/call.h"

struct array_ctx_options {
	const struct root *root; /* lives as long as the context */
	const char *lib_dir;	 /* NULL: /var/lib/pvewarden/array */
	const char *run_dir;	 /* NULL: /run/pvewarden/array */
	const char *token_dir;	 /* NULL: /etc/pve/priv/purestorage */
	const char *node;	 /* NULL: this machine's name up to its first dot */
	int max_connections;	 /* per array; 0: 4 */
};

/* Starts the worker process: before any thread of the caller's. The folders are made. */
int array_ctx_open(struct array_ctx *ret, const struct array_ctx_options *o, struct err *e);
void array_ctx_close(struct array_ctx *ctx);
