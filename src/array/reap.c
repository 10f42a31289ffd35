/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/reap.h"

/* "put" has it decided under the volume's lock whether the entry is still the one that was looked
 * at. */
int reap_one(struct array_ctx *ctx, const struct mend *m, struct err *e)
{
	const struct registry_entry *was = m->finding->map->entry;
	json_t *more = json_pack("{s:I, s:b}", "put", (json_int_t)was->put, "orphan",
				 m->finding->kind == FINDING_COPY);

	return mend_call(ctx, m, "deactivate", more, e);
}
