/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/reap.h"

#include <errno.h>

/* An array that did not answer has its connections still, and the entry stays for it. */
static int check_told(struct array_ctx *ctx, const struct registry_entry *was, struct err *e)
{
	struct registry_entry is = {};
	struct arena arena = {};
	int r = registry_find(ctx->registry, was->storage, was->volname, was->snap, &arena, &is);

	arena_done(&arena);
	return r == 0 && is.leaving ? err_set(e, -EAGAIN,
					      "it is gone from this node, and not every array was "
					      "told: again when they answer")
				    : 0;
}

/* "put" has it decided under the volume's lock whether the entry is still the one that was looked
 * at. */
int reap_one(struct array_ctx *ctx, const struct mend *m, struct err *e)
{
	const struct registry_entry *was = m->finding->map->entry;
	json_t *more = json_pack("{s:I, s:b}", "put", (json_int_t)was->put, "orphan",
				 m->finding->kind == FINDING_COPY);
	int r = mend_call(ctx, m, "deactivate", more, e);

	return r == 0 ? check_told(ctx, was, e) : r;
}
