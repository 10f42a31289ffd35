/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Whether this machine is on its way down. */

#include "pve/root.h"

/* systemd's system state is "stopping". TRI_NO without systemd, TRI_UNKNOWN when it does not
 * answer. Waits a second at most. */
enum tri node_is_stopping(const struct root *r);
