/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A verdict in words: what the mapping is and why, what it leads to, and the exact command that
 * mends it, in the words that the old scripts' users know. Names are quoted for the shell in
 * commands; in sentences they stand as they are and are escaped where they are shown.
 */

#include "dm/judge.h"

struct dm_explanation {
	const char *reason;
	const char *impact; /* NULL when there is none */
	/* What to do: first what must be looked at or done by hand, then the command; either may be
	 * NULL. @remedy is both in one sentence, NULL: nothing to do. */
	const char *first, *command, *remedy;
};

/* Texts are @a's. */
void dm_explain(struct dm_explanation *ret, const struct dm_model *m, const struct dm_mapping *map,
		const struct dm_verdict *v, struct arena *a);

/* "VM 101 'web' on pve2", "CT 200", "no guest 119". */
const char *dm_guest_phrase(uint32_t vmid, const struct guest *g, struct arena *a);

/* The commands alone, for clean and for advice. */
const char *dm_command_remove(const struct dm_mapping *map, struct arena *a);
const char *dm_command_deactivate(const struct dm_mapping *map, struct arena *a);
