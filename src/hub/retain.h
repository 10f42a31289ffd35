/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The thread for what can wait: in small steps beside the writers it lets old rows go, empties the
 * log, and puts down which tokens were used.
 */

#include "hub/auth.h"

struct retain;
int retain_start(struct retain **ret, const char *where, struct auth *auth, struct err *e);
void retain_stop(struct retain *r);
