/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Which storage a line of a guest's config refers to. Errs on the side of a reference too many: a
 * volume that nobody seems to refer to may be called unreferenced, and somebody may delete it.
 */

#include "pve/guest.h"

struct volume_scan {
	const struct guest *guest;
	struct arena *arena;
	struct diags *diags;
	const struct guest_section *section; /* the one that the next line stands in */
	VEC(struct guest_volume) found;
};

/* Adds what @line refers to. The caller frees found with vec_free(). */
void volume_scan_line(struct volume_scan *s, const struct guest_line *line);
