/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call.h"

int array_call(struct array_ctx *ctx, struct slice request, struct buf *reply)
{
	const struct call_method *const tables[] = { call_storage_methods, call_volume_methods,
						     call_snapshot_methods, call_map_methods };

	return array_call_with(ctx, tables, ARRAY_SIZE(tables), request, reply);
}
