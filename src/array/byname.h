/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Paths by name, of what the array says is not there (docs/array.md, 4). Proxmox asks for the path
 * of a cloud-init drive before it looks whether there is one, then makes it, activates it, and
 * writes to the path that it was told: /run/pvewarden/array/named/STORAGE/VOLNAME, which activation
 * makes a link to the path of the device that it has verified. The folder is root's; no file is
 * ever made there. Of any other volume it wants to hear whose it was, and the path leads nowhere:
 * no folder of the name
 * .../array/absent is ever made.
 */

#include "array/call.h"

enum { BYNAME_MAX = 512 };

void byname_path(const char *storage, const char *volname, char ret[BYNAME_MAX]);

/* It leads to the device of @serial, or with NULL nowhere. Nothing is done for other volumes. */
int byname_lead(struct call *c, const char *volname, const char *serial, struct err *e);
