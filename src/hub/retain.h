/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The thread that lets old rows go, in small steps beside the writers. */

#include "util/err.h"

struct retain;
int retain_start(struct retain **ret, const char *where, struct err *e);
void retain_stop(struct retain *r);
