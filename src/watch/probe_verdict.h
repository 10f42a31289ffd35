/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What a failure means, and which address speaks for a target. Pure. */

#include <sys/socket.h>

#include "watch/probe.h"

/* Whose fault it is that a socket call gave @code: PROBE_WHY_OURS, or what the other side did. */
enum probe_why probe_verdict_errno(int code);

/* Why a QMP target is not good. */
enum probe_why probe_verdict_qmp(enum probe_qmp found);

/*
 * The heavier verdict of a target's addresses counts. One that answers is enough; one that we could
 * not ask might have answered, so it hides what is bad; an address of a kind that this node does
 * not speak is as good as not there.
 */
int probe_verdict_weight(enum probe_result result, enum probe_why why);

/* The address as connect() wants it; its length. */
socklen_t probe_sockaddr(const struct probe_address *a, uint16_t port,
			 struct sockaddr_storage *ret);
