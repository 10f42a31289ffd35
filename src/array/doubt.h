/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Entries of the registry whose "verified" an array contradicts, or misses. Another node may have
 * renamed what this one left mapped: such an entry is believed no more, and stays for `array reap`.
 * And an activation that was cut, or that failed half-way, leaves an open volume's entry without
 * it: it is verified again when the array says so and the disk itself does.
 */

#include "array/finding.h"

enum doubt {
	DOUBT_NONE,
	DOUBT_NAME, /* verified, and the name or the volume is another one's by now, or gone */
	DOUBT_DISK, /* not verified, open, and by the arrays the right one: the disk is asked */
};

/* Pure. Of map @at of @s. What is open is what its name says to who has it open, whatever the array
 * calls it by now; what an array does not say counts for nothing. */
enum doubt doubt_of(const struct survey *s, const struct findings *f, size_t at);

/* Acts on all, each under its volume's lock, and only if the entry is still the one that was looked
 * at. What somebody works on at this moment is left for the next time. */
void doubts_settle(struct array_ctx *ctx, const struct survey *s, const struct findings *f);
