/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What is looked at before a storage is added or changed: each array answers and takes its token,
 * the pod or the volume group is there, this node's host object is right. What cannot work is a
 * refusal; what works on this node now, or can be set right later, is a warning with its remedy.
 */

#include "array/call.h"

/* With c->conf and c->arrays as they would be. */
int newstorage_check(struct call *c, struct err *e);
