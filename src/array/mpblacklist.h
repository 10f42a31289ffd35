/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether multipath.conf's blacklist lets FlashArray volumes through, as multipathd decides it:
 * by each of five kinds of entries on its own, where exceptions of the same kind go before. A
 * devnode that is shut out is shut out whatever the exceptions say of its WWID.
 */

#include "array/conf.h"
#include "array/mpconf.h"

/* By what an entry goes. */
struct mpblacklist_kind {
	const char *key;
	const char *exception; /* a line that lets our volumes through */
};

/* The first entry that keeps our volumes away, with its kind; NULL: none. @ret_lifted: there is one
 * that would, without the exceptions. */
const struct mpconf_line *mpblacklist_find(const struct mpconf *c, enum array_protocol protocol,
					   struct mpblacklist_kind *ret, bool *ret_lifted);
