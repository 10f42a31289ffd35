/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * QEMU's sockets of a guest: the agent's and QMP's, which only root may open. Each takes one client
 * at a time, and Proxmox is the first of them: connecting never waits.
 */

#include "util/base.h"

/* Connects to the "qga" or "qmp" socket of that guest. The descriptor (non-blocking) or -errno:
 * -EAGAIN says that somebody else has it. */
int guest_socket(uint32_t vmid, const char *which);
