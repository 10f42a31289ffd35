/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the arrays say of a storage's volumes, for the methods: one question for all volumes of a
 * guest, whose answer serves for some seconds (facts E).
 */

#include "array/call.h"

enum { VOLUMES_MEMO_MS = 5000 };

/* One volume now: one GET. @full is the array's name. -ENOENT, -ESTALE. */
int volume_get(struct call *c, const char *full, struct fa_volume *ret, struct err *e);

/* @volname among its guest's volumes, asked for at most VOLUMES_MEMO_MS ago; one that is not among
 * them is asked for anew. -ENOENT: with a sentence. Memory is the call's. `connections` is not said
 * where the answer is another call's. */
int volume_find(struct call *c, const char *volname, struct fa_volume *ret, struct err *e);

/* The same with `connections` as it was then: for one that this node has not connected since. */
int volume_find_kept(struct call *c, const char *volname, struct fa_volume *ret, struct err *e);

/* All of a guest, its templates' too; one request. */
int volumes_of_guest(struct call *c, struct fa *f, uint32_t vmid, bool destroyed, struct arena *a,
		     struct fa_volumes *ret, struct err *e);

/* All of the storage now: one GET for each thousand, nothing that was remembered. For some seconds
 * volume_find() needs none then: Proxmox lists a storage and asks for the path of each volume. */
int volumes_list(struct call *c, struct fa_volumes *ret, struct err *e);

/* After each change of names, sizes or existence: nothing that was remembered of this array's
 * volumes is told again. */
void volumes_changed(struct call *c);
