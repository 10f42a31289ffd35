/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

#include "array/call.h"

/*
 * Whether nothing of the volume @full can be mapped here, by what this node knows itself: for an
 * array that does not say. Each device of a FlashArray's that is here is of another volume, which
 * this boot has activated under another name and somebody has open: nobody renames that. One that
 * nobody has open may have been given the name on another node since. False: not known.
 */
bool absent_here(struct call *c, const char *full);
