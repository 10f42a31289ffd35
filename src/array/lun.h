/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The LUN that a new connection asks its array for. Left alone, an array gives the lowest that is
 * free on its side; there this node may still have a disk of what was connected before, as a path
 * of a live map even: that path would lead into the new volume (facts F2). So it is the LUN at
 * which the volume's own paths wait already, else one at which this node has nothing.
 */

#include "array/fa.h"
#include "array/name.h"
#include "pve/root.h"

enum { LUN_MAX = 4095, LUN_SHARED = 254 };

/* What this node has behind the ports of one array. A zeroed struct: nothing. */
struct luns {
	bool any;		 /* something at all */
	bool own[LUN_MAX + 1];	 /* paths of the volume, or disks that nothing holds */
	bool other[LUN_MAX + 1]; /* anything else, or taken on the array */
};

/* As /sys has it; no disk is touched. */
void luns_read(struct luns *ret, const struct root *root, enum array_protocol protocol,
	       const struct fa_ports *ports, const char *serial);

/* 0: there is nothing that could be in the way, the array may choose. @shared: for a host group, in
 * the order in which arrays give those. */
unsigned int luns_choose(const struct luns *l, bool shared);

/*
 * The same among calls at work in this process: what one has been given, and has no disk at yet, no
 * other is, until luns_release(). @array stands for the array.
 */
unsigned int luns_claim(const struct luns *l, bool shared, const void *array, const char *serial);
void luns_release(const char *serial);
