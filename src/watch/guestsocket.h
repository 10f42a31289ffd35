/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * QEMU's sockets of a guest: the agent's and QMP's, which only root may open. Each takes one client
 * at a time, and Proxmox is the first of them: connecting never waits.
 */

#include "watch/probe.h"

struct guest_sockets {
	int fds[PROBE_FDS_MAX]; /* in the order of their targets */
	size_t n;
};

/* Connects for the AGENT target of @ask, the last one it has; takes that away if it cannot. */
void guest_sockets_agent(struct guest_sockets *s, struct probe_ask *ask, uint32_t vmid);

/* Adds a QMP target. What could not be asked is said already by the return value; QMP_NOT_ASKED:
 * the prober will tell. */
enum probe_qmp guest_sockets_qmp(struct guest_sockets *s, struct probe_ask *ask, uint32_t vmid);

void guest_sockets_close(struct guest_sockets *s);

/* Brings an answer into the order of the @n targets of the settings: without QMP's place, and with
 * an unknown one for an agent that was left out. */
void guest_sockets_spread(size_t n, struct probe_answer *a);
