/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Does the guest agent answer? What earlier clients asked and did not wait for may still be in the
 * channel, so guest-sync-delimited comes first: 0xFF, a line, and our number in it. Only after that
 * a reply is to our guest-ping. Pure: bytes in, what to send next out, in whatever pieces they
 * come.
 */

#include "watch/probe_reply.h"
#include "watch/probe_text.h"

enum probe_agent_state {
	PROBE_AGENT_SEEK, /* what comes is somebody else's until 0xFF */
	PROBE_AGENT_SYNC, /* behind 0xFF: perhaps our number */
	PROBE_AGENT_PING, /* our number came: probe_agent_command() is to be sent again */
	PROBE_AGENT_DONE,
	PROBE_AGENT_BAD,
};

struct probe_agent {
	uint8_t state; /* enum probe_agent_state */
	uint32_t id;
	struct probe_reply reply;
};

/* Appends what is to be sent in this state: a zeroed one with its id set begins. The id should be
 * another one each time. */
void probe_agent_command(const struct probe_agent *a, struct probe_text *ret);

/* Takes what came. It goes to PING once, and after that to DONE or BAD. */
enum probe_agent_state probe_agent_feed(struct probe_agent *a, const void *data, size_t n);
