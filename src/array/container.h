/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The pod or the volume group that a storage's volumes are in: podname and vgname of its section,
 * or what its vnprefix begins with ("pod1::", "group/"), which the old plugin allowed too. Pure.
 */

#include "array/conf.h"

/* NULL: none. Memory is @a's. */
const char *container_pod(const struct array_conf *c, struct arena *a);
const char *container_group(const struct array_conf *c, struct arena *a);
