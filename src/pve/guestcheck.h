/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What is odd about a guest's config although it can be read: bytes that are no text, keys and
 * sections that stand twice, snapshots that are their own ancestors. Says so in a guest's diags and
 * changes nothing.
 */

#include "pve/guest.h"

/* NUL bytes, broken UTF-8, CR, endless lines, a last line without its end. */
void guest_check_text(const char *file, struct slice text, struct diags *diags);

/* Duplicate keys and sections, the tree of snapshots. @g is complete. */
void guest_check_sections(const struct guest *g, struct diags *diags);
