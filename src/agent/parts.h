/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the other parts publish below /run/pvewarden, put into the document whole. */

#include "pve/root.h"
#include "util/jsonw.h"

/* Writes "parts": {...}; a part that has published nothing, or nothing that may be believed, is
 * left out. */
void parts_write(struct jsonw *w, const struct root *r);
