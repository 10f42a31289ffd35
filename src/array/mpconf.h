/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * /etc/multipath.conf and /etc/multipath/conf.d: sections in braces with "key value" lines
 * (multipath.conf(5)), read to say what is in the way of our volumes. Never written.
 */

#include "util/arena.h"
#include "util/base.h"

enum { MPCONF_DEPTH = 4, MPCONF_MAX = 4096 };

struct mpconf_line {
	const char *section;	 /* "defaults", "blacklist", "devices/device", with "/" between */
	const char *key, *value; /* value without its quotes, "" without one */
	unsigned int group;	 /* lines of one pair of braces have the same */
};

struct mpconf {
	struct mpconf_line *items; /* VEC() */
	size_t n, cap;
	unsigned int groups;
};

/* Adds what @text says; what cannot be understood is left out. Memory of the texts is @a's. */
void mpconf_parse(struct mpconf *ret, struct slice text, struct arena *a);
void mpconf_done(struct mpconf *c);

/* The last value of @key in @section, as multipathd takes it; NULL without. */
const char *mpconf_get(const struct mpconf *c, const char *section, const char *key);

/* The same in the device section whose vendor is @vendor. */
const char *mpconf_device(const struct mpconf *c, const char *section, const char *vendor,
			  const char *key);
