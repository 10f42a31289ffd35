/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Whether this machine is on its way down. */

#include "util/base.h"

/* systemd's system state is "stopping". False without systemd. Waits a second at most. */
bool node_is_stopping(void);
