/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A volume of the array and this node: made a device, and taken away again in the safe order (facts
 * D3), with the registry's entry put before the first step and dropped after the last, so that a
 * kill at any point leaves an entry from which a later call or `array reap` goes on. What to do is
 * decided in array/plan.h.
 *
 * All but attach_lock() and attach_look() are called with the volume's lock held.
 */

#include "array/call.h"

struct attach_target {
	const char *volname, *snap; /* snap "" for the volume itself */
	const char *array_volume, *volume_id, *serial;
	const char *origin; /* as registry_entry's; NULL: not known */
	uint64_t size;
	uint64_t connections; /* as fa_volume's */
	bool doomed;	      /* destroyed next: an entry without serial stays until then */
};

/* The lock of @volname on this node until the request's end: a descriptor to close. */
int attach_lock(struct call *c, const char *volname, struct err *e);

/* What this node has of it; nothing is touched. @ret->in_use is MAP_OPEN while somebody uses it,
 * and MAP_UNKNOWN, with @ret->why, where that cannot be told (a call is stuck in the kernel). */
int attach_look(struct call *c, const char *serial, struct map_state *ret, struct err *e);

/* 0 when nobody has it open here (or it is not mapped at all), -EBUSY with a sentence of who has,
 * also when that cannot be told. @what: "rolled back", for the sentence. @leaves: it is given back
 * before that is done, so that what LVM has found in it does not count. */
int attach_idle(struct call *c, const char *volname, const char *serial, const char *what,
		bool leaves, struct err *e);

/* Connected on the storage's arrays, a device, verified in the registry. */
int attach_volume(struct call *c, const struct attach_target *t, struct err *e);

/*
 * Off this node: the device, the connections of this host (not a host group's, which other nodes
 * use), the entry. Not mapped is success. -EBUSY: open here, nothing was changed. If an array was
 * not reached the device is gone and the entry stays as `leaving`, with a warning in the log.
 */
int attach_remove(struct call *c, const struct attach_target *t, struct err *e);

/* Grown on the array: here too, if it is mapped. */
int attach_resize(struct call *c, const struct attach_target *t, struct err *e);

/* Its content was replaced (rollback): here too, if it is mapped. -EBUSY if open. */
int attach_refresh(struct call *c, const struct attach_target *t, struct err *e);
