/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What path() has said of each name of late. Proxmox VE 8 asks for the path, activates, and starts
 * QEMU with the path that it has: an activation that finds another volume under that name by then,
 * as another node has renamed it, must not succeed. In memory; any thread.
 */

#include "array/name.h"

enum { TOLD_MS = 60000 }; /* from the path to the activation */

struct tolds;

struct tolds *tolds_new(void);
void tolds_free(struct tolds *t);

void told_note(struct tolds *t, const char *storage, const char *volname, const char *serial);
/* The name is a new volume's, which this node has made, or Proxmox has done with it here. */
void told_forget(struct tolds *t, const char *storage, const char *volname);
/* True: another serial than @serial was told, and that is @ret. */
bool told_other(struct tolds *t, const char *storage, const char *volname, const char *serial,
		char ret[ARRAY_SERIAL_LEN + 1]);
