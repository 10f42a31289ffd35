/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether a guest of this node runs, as an unprivileged user can see it, for the moments in which
 * pvestatd's sample is old: a VM by its scope and the command line of the process in it, a
 * container by its monitor's socket. Read when the first one is asked for.
 */

#include "pve/guestconf.h"
#include "pve/root.h"

struct alive {
	bool read;	 /* /proc/net/unix was */
	bool containers; /* and it could be read */
	struct {
		uint32_t *items;
		size_t n, cap;
	} ids; /* of containers, sorted */
	struct buf text;
};

enum tri alive_is(struct alive *a, const struct root *r, enum guest_type type, uint32_t vmid);

/* What was read is old: the next cycle begins. */
void alive_forget(struct alive *a);
void alive_done(struct alive *a);
