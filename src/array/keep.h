/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* array/secret.h for a call: within a deadline. -ETIMEDOUT: /etc/pve does not answer, and it is not
 * known whether it was done. */

#include "array/call.h"

int keep_write(struct call *c, struct err *e);
int keep_remove(struct call *c, struct err *e);
int keep_remove_sessions(struct call *c, struct err *e);
/* 1, 0 or -errno; the caller wipes @ret. */
int keep_read(struct call *c, struct buf *ret, struct err *e);
