/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The agent's document as text and as metrics. The text is shown only if it is not absent. */

#include "agent/state.h"

struct agent_view {
	size_t width;
	bool color;
	bool terminal; /* no "| figures" for a monitoring system */
	int64_t now;
};

void agent_show_status(const struct agent_state *s, const struct agent_view *view, struct buf *out);
void agent_show_prometheus(const struct agent_state *s, int64_t now, struct buf *out);
