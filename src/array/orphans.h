/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What stands for something that is no more, and since when that is seen: copies whose snapshot was
 * removed, and devices of volumes that are destroyed or gone. The service takes one away when it
 * has been so for a while, because who has activated it a moment ago may be about to open it.
 * Pure.
 */

#include "array/finding.h"

enum { ORPHAN_S = 45 };

struct orphans {
	struct orphan {
		char serial[ARRAY_SERIAL_LEN + 1];
		int64_t put;   /* of its registry entry */
		int64_t since; /* CLOCK_BOOTTIME, ms */
	} * items;	       /* VEC() */
	size_t n, cap;
};

/* In the registry, and nobody has it open. */
bool orphan_is(const struct finding *f);

/* What @f does not have any more, or has as another entry, begins anew when it is seen again. */
void orphans_note(struct orphans *o, const struct findings *f, int64_t now);
bool orphans_are_due(const struct orphans *o, const struct finding *f, int64_t now);
/* It could not be taken away: not tried again at once. */
void orphans_put_off(struct orphans *o, const struct finding *f, int64_t now);
