/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/reap.h"

#include <errno.h>

/* A guest that was started since has verified its volumes, which is no leftover then. */
int reap_one(struct array_ctx *ctx, const struct mend *m, struct err *e)
{
	const struct registry_entry *was = m->finding->map->entry;
	CLEANUP(arena_done) struct arena a = {};
	struct registry_entry now;

	if (registry_find(ctx->registry, was->storage, was->volname, was->snap, &a, &now) < 0)
		return err_set(e, -ECANCELED, "somebody else has taken it away");
	if (strcmp(now.serial, was->serial) != 0 || now.since != was->since ||
	    now.verified != was->verified || now.leaving != was->leaving)
		return err_set(e, -ECANCELED, "it changed since it was looked at");
	return mend_call(ctx, m, "deactivate", e);
}
