/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The thread that works beside the writers in small steps: lets old rows go, and empties the log.
 */

#include "util/err.h"

struct retain;
int retain_start(struct retain **ret, const char *where, struct err *e);
void retain_stop(struct retain *r);
