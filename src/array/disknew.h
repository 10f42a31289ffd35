/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A new name for a volume: the array itself is the judge of whether a name is free, since creating
 * onto a name that is there fails, a destroyed one's too. So the list of names is only a guess, and
 * may be a minute old; a name that turns out to be taken makes it be read again. A volume that is
 * there already is never taken over, whoever may have made it.
 */

#include "array/call.h"
#include "array/diskname.h"

enum { DISKNEW_LIST_MS = 60000 };

/* What makes the volume: -EEXIST when the name is taken. */
typedef int (*disknew_make)(struct call *c, const char *full, void *arg, struct err *e);

/* Under the next free "vm-N-disk-M" of guest @vmid, which is in @ret then. */
int disknew_next(struct call *c, uint32_t vmid, disknew_make make, void *arg,
		 char ret[DISKNAME_MAX], struct err *e);

/*
 * Under the name that was asked for. One that is made again and again (diskname_is_remade) and
 * whose destroyed predecessor the array may not eradicate yet (SafeMode) is freed of it: recovered,
 * renamed to del-SERIAL, destroyed again, so that SafeMode keeps what it keeps (facts F6).
 */
int disknew_named(struct call *c, const char *volname, disknew_make make, void *arg, struct err *e);
