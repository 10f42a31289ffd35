/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as agent.json: shown without a byte that could move a terminal's cursor. */

#include "agent/show_status.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(agent_state_done) struct agent_state s = {};
	struct agent_view view = { .width = 80, .now = 1795269600 };
	CLEANUP(buf_done) struct buf out = {};
	int status;

	agent_state_parse(&s, (struct slice){ copy, n }, view.now);
	status = agent_state_exit(&s, view.now);
	CHECK(status >= 0 && status <= 3);
	agent_show_prometheus(&s, view.now, &out);
	if (!s.absent)
		agent_show_status(&s, &view, &out);
	for (size_t i = 0; i < out.len; i++)
		CHECK((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n');
	return 0;
}
