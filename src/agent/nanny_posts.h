/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * NannyAPI's objects, each as the body of one POST with the names of its documentation and those of
 * its own agent: node, cluster (not of a standalone node), containers, VMs, in this order, because
 * the server knows a guest only by a node that it has seen.
 */

#include "agent/picture.h"

/* {"posts": [{"path": "/api/proxmox/node", "body": {...}}, ...]} onto the end of @out. */
void nanny_posts_write(struct buf *out, struct picture *p);
