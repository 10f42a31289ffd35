/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who is connected to a volume, on every array of its storage; whether that leaves room to destroy
 * or overwrite it (array/elsewhere.h); and the end of those connections.
 */

#include "array/call.h"

struct connected {
	const char *full; /* the volume's name on the arrays */
	size_t n_arrays;
	struct connected_on {
		struct fa *array;
		struct arena arena; /* asked in parallel: an arena is one thread's */
		int result;
		struct fa_connections found;
	} on[ARRAY_ADDRESSES_MAX];
	bool all_known; /* every array that the volume can be used on has answered */
	int64_t read;	/* monotonic ms */
};

/*
 * Asks the arrays, but for a volume that says that it has no connection and has only one array. One
 * that is not reached is left out if the pod is known not to be online there: then nobody has I/O
 * over it either (facts C6). Otherwise the answer is a failure: unknown is not "nobody".
 */
int connected_read(struct call *c, const struct fa_volume *v, struct connected *ret, struct err *e);

/*
 * The same and the volume itself, with one request to each array, all at the same time. The first
 * array is asked for the volume, which says whether it has connections there at all; of one that
 * this node has activated in this boot, for its connections, which say by its id that it is still
 * the same. -ENOENT, -ESTALE: of the volume. v->connections: on all arrays that answered. *v is
 * @ret's memory or @c's.
 */
int connected_volume(struct call *c, const char *volname, const char *full, struct fa_volume *v,
		     struct connected *ret, struct err *e);

/* Pure. Who is connected, and somebody is, is so to the volume of that id. */
bool connected_shows(const struct fa_connections *found, const char *volume_id);

void connected_done(struct connected *w);

/* Nobody but this node may be using it: 0, else -EBUSY or -EAGAIN with a sentence. What took long
 * since @w was read has the arrays asked again. */
int connected_idle(struct call *c, const char *volname, struct connected *w, struct err *e);

/* The connections of all others and of host groups, on all arrays that answered; each host is
 * named in the log, for its own device of the volume is its own to remove. */
int connected_drop(struct call *c, const char *full, struct connected *w, struct err *e);
