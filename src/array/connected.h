/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who is connected to a volume, on every array of its storage; whether that leaves room to destroy
 * or overwrite it (array/elsewhere.h); and the end of those connections.
 */

#include "array/call.h"

struct connected {
	size_t n_arrays;
	struct connected_on {
		struct fa *array;
		struct arena arena; /* asked in parallel: an arena is one thread's */
		int result;
		struct fa_connections found;
	} on[ARRAY_ADDRESSES_MAX];
	bool all_known; /* every array that the volume can be used on has answered */
};

/*
 * Asks the arrays, but for a volume that says that it has no connection and has only one array. One
 * that is not reached is left out if the pod is known not to be online there: then nobody has I/O
 * over it either (facts C6). Otherwise the answer is a failure: unknown is not "nobody".
 */
int connected_read(struct call *c, const struct fa_volume *v, struct connected *ret, struct err *e);
void connected_done(struct connected *w);

/* Nobody but this node may be using it: 0, else -EBUSY or -EAGAIN with a sentence. */
int connected_idle(struct call *c, const char *volname, const struct connected *w, struct err *e);

/* The connections of all others and of host groups, on all arrays that answered; each host is
 * named in the log, for its own device of the volume is its own to remove. */
int connected_drop(struct call *c, const char *full, struct connected *w, struct err *e);
