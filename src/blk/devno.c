/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "blk/devno.h"

#include "util/str.h"

bool devno_parse(struct slice text, struct devno *ret)
{
	size_t colon = slice_find(text, ':');
	struct devno d;

	if (!str_to_u32((struct slice){ text.p, colon }, &d.major) ||
	    !str_to_u32(slice_from(text, colon + 1), &d.minor))
		return false;
	*ret = d;
	return true;
}
