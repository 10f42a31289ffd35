/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The live half of a guest's row: its sample, or what can be seen without one. */

#include "agent/picture.h"

struct guestlive {
	struct picture *picture;
	struct samples_time time; /* kept from row to row */
	struct rrd_line line;	  /* of the guest that was asked for last */
	bool sampled;
	struct slice status; /* the same; "unknown" if nothing is known */
};

/* A sample is fresh for that many seconds; pvestatd sends one every ten. */
enum { GUESTLIVE_FRESH = 60 };

/* Looks at @g; then line, sampled and status are its. */
void guestlive_look(struct guestlive *l, const struct picture_guest *g);

/* Its members, each with a comma in front. */
void guestlive_write(struct guestlive *l, const struct picture_guest *g, struct buf *out);

/* Seconds, 0 where it does not run or nobody knows. */
uint64_t guestlive_uptime(const struct guestlive *l);
