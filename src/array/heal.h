/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Mending what an outage left: connections that one array of a pod misses, paths and sizes that do
 * not agree. Each is an `activate` of the volume as Proxmox would ask it: it connects on every
 * array, scans, corrects, verifies, under the volume's own lock; where nothing is wrong it does
 * nothing.
 */

#include "array/finding.h"

struct mend {
	const struct finding *finding; /* the first of its volume */
	const struct array_storage *storage;
};

struct mends {
	struct mend *items; /* VEC(): one a volume */
	size_t n, cap;
};

/* Which volumes @wanted (finding_heals or finding_reaps) picks, once each. @storage NULL: all. */
void mends_of(struct mends *ret, const struct survey *s, const struct findings *f,
	      bool (*wanted)(const struct finding *), const char *storage);
void mends_done(struct mends *m);

/* One call of @method for that volume, with @more arguments (taken over). 0 or -errno. */
int mend_call(struct array_ctx *ctx, const struct mend *m, const char *method, json_t *more,
	      struct err *e);

/* -ECANCELED: the registry says something else by now. */
int heal_one(struct array_ctx *ctx, const struct mend *m, struct err *e);
