/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The lines of an undo journal as text: writing one. Reading them is dm_undo_parse(). */

#include "dm/undo.h"

void dm_undo_write_header(struct buf *out, const char *node, const char *boot_id, int64_t now);
void dm_undo_write_intent(struct buf *out, const struct dm_undo_entry *entry);
void dm_undo_write_mark(struct buf *out, unsigned int n, enum dm_undo_state state, const char *text,
			int64_t now);

const char *dm_undo_state_name(enum dm_undo_state s);
