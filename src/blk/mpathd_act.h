/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What multipathd is told to do, always about one disk or one map. Never "reconfigure", which
 * concerns all of the machine. The include check knows who may.
 */

#include "blk/mpathd.h"

/*
 * "add path sdX", "del path sdX", "add map WWID", "del map WWID", "resize map WWID",
 * "disablequeueing map WWID", "restorequeueing map WWID". 0; -EBUSY (in use), -ENOENT (not found),
 * -EPERM (blacklisted), -EAGAIN (it refused without a reason, or was busy), and mpathd_ask()'s.
 */
int mpathd_do(const char *verb, const char *what, int deadline_ms, struct err *e);

/* `multipath -a WWID`: from now on this disk is multipath's. The only process that is started. */
int mpathd_allow(const char *wwid, int deadline_ms, struct err *e);
