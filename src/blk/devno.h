/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Kernel device numbers as values. They name a device of this moment only: minors are re-used. */

#include "util/base.h"

struct devno {
	uint32_t major, minor;
};

#define DEVNO_FMT    "%u:%u"
#define DEVNO_ARG(d) (d).major, (d).minor

static inline int devno_cmp(struct devno a, struct devno b)
{
	if (a.major != b.major)
		return a.major < b.major ? -1 : 1;
	return a.minor < b.minor ? -1 : a.minor > b.minor;
}

static inline bool devno_eq(struct devno a, struct devno b)
{
	return a.major == b.major && a.minor == b.minor;
}

/* "253:7"; nothing may follow. */
bool devno_parse(struct slice text, struct devno *ret);
