/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What is said of a guest as long as its config stays the same, written once and kept as text: a
 * cycle puts the live numbers behind it.
 */

#include "agent/guestconfig.h"

/* Members of an object each, without the braces; all in one piece of memory. */
struct guesttexts {
	char *memory;
	struct slice row;   /* of "guests" */
	struct slice head;  /* of "configs" */
	struct slice nanny; /* of NannyAPI's object, that which does not change */
	struct slice tail;  /* of both: drives, nets, ... */
	struct slice raw;   /* of both: the config as it stands in the file */
	uint64_t digest;    /* of the config's text */
};

struct guesttexts_of {
	uint32_t vmid;
	enum guest_type type;
	const char *node;
	unsigned int processors; /* of that node, for a container without a limit; 0: not known */
};

/* @scratch and @out are used again for the next guest. The caller frees with guesttexts_done(). */
void guesttexts_make(struct guesttexts *ret, const struct guesttexts_of *of, struct slice text,
		     struct guestconfig *scratch, struct buf *out);

/* For a guest whose config could not be read: its row alone. */
void guesttexts_bare(struct guesttexts *ret, const struct guesttexts_of *of, struct buf *out);
void guesttexts_done(struct guesttexts *t);
