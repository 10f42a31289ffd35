/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A destroyed snapshot holds its suffix until it is eradicated, which SafeMode puts off for days,
 * and Proxmox uses names again: the next backup's is called as the last one's. So it gets the
 * suffix "del-ID", which is no name of Proxmox', and is destroyed as before (docs/array.md, 4).
 * While that goes on a tag of the volume says which one it is: one that a cut call left recovered
 * is known by its id, and nobody takes it for the guest's.
 */

#include "array/call.h"

/* 0: of @volumes (the array's names) none has a snapshot of that suffix any more. 1: one has, it is
 * somebody's, and nothing was changed. */
int snapaside_clear(struct call *c, const char *const *volumes, size_t n, const char *suffix,
		    struct err *e);
