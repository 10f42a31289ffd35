/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a guest agent's answer to the id 77, whole and in pieces. */

#include "fuzz_probe.h"
#include "watch/probe_agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct probe_agent whole = { .id = 77 }, pieces = { .id = 77 };
	uint32_t seed = n ? data[0] : 0;

	for (size_t i = 1, k; i < n; i += k) {
		k = next_piece(&seed, n - i);
		(void)probe_agent_feed(&pieces, copy + i, k);
	}
	if (n > 1)
		(void)probe_agent_feed(&whole, copy + 1, n - 1);
	CHECK(whole.state == pieces.state);
	/* Without our number behind the delimiter there is no good answer. */
	if (whole.state >= PROBE_AGENT_PING)
		CHECK(memchr(copy, '\xff', n) && memmem(copy, n, "77", 2));
	return 0;
}
