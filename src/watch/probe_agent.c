/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_agent.h"

/* Never part of UTF-8: the agent drops what it has read so far, and we what we have. */
#define DELIMITER '\xff'

void probe_agent_command(const struct probe_agent *a, struct probe_text *ret)
{
	if (a->state == PROBE_AGENT_PING) {
		probe_text_add(ret, "{\"execute\":\"guest-ping\"}\n");
		return;
	}
	probe_text_add(ret, "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":");
	probe_text_number(ret, a->id);
	probe_text_add(ret, "}}\n");
}

static bool is_ours(const struct probe_agent *a)
{
	struct probe_text want = {};

	probe_text_number(&want, a->id);
	return a->reply.number.n == want.n && memcmp(a->reply.number.text, want.data, want.n) == 0;
}

/* Anything but our number is what somebody else asked for, so it may be nonsense to us. */
static void sync_byte(struct probe_agent *a, char c)
{
	enum probe_reply_state state = probe_reply_byte(&a->reply, c);

	if (state == PROBE_REPLY_MORE)
		return;
	a->state = state == PROBE_REPLY_DONE && is_ours(a) ? PROBE_AGENT_PING : PROBE_AGENT_SEEK;
	a->reply = (struct probe_reply){};
}

/* An agent that refuses guest-ping (it may be forbidden to it) has answered too. */
static void ping_byte(struct probe_agent *a, char c)
{
	enum probe_reply_state state = probe_reply_byte(&a->reply, c);
	const struct probe_reply *r = &a->reply;

	if (state == PROBE_REPLY_MORE)
		return;
	if (state == PROBE_REPLY_DONE && (r->returns_object || r->error))
		a->state = PROBE_AGENT_DONE;
	else
		a->state = PROBE_AGENT_BAD;
}

enum probe_agent_state probe_agent_feed(struct probe_agent *a, const void *data, size_t n)
{
	const char *p = data;

	for (size_t i = 0; i < n && a->state < PROBE_AGENT_DONE; i++) {
		if (a->state == PROBE_AGENT_PING) {
			ping_byte(a, p[i]);
		} else if (p[i] == DELIMITER) {
			a->reply = (struct probe_reply){};
			a->state = PROBE_AGENT_SYNC;
		} else if (a->state == PROBE_AGENT_SYNC) {
			sync_byte(a, p[i]);
		}
	}
	return a->state;
}
