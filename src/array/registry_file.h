/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The registry's file as text: one line of JSON an entry. Pure. */

#include "array/registry.h"
#include "util/buf.h"

struct registry_entries {
	struct registry_entry *items; /* the three fields of a VEC() */
	size_t n, cap;
};

/*
 * -EBADMSG with a sentence if any of it is not understood: half a registry is none. @boot_id:
 * "verified" holds only for entries of this boot. Memory is @a's, but for items (vec_free()).
 */
int registry_parse(struct registry_entries *ret, struct slice text, const char *boot_id,
		   struct arena *a, struct err *e);

void registry_print(const struct registry_entries *entries, const char *boot_id, struct buf *out);

bool registry_entry_is(const struct registry_entry *entry, const char *storage, const char *volname,
		       const char *snap);
