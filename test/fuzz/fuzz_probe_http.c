/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as an HTTP server's answer, whole and in pieces. */

#include "fuzz_probe.h"
#include "watch/probe_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct probe_http whole = {}, pieces = {};
	uint32_t seed = n ? data[0] : 0;

	for (size_t i = 1, k; i < n; i += k) {
		k = next_piece(&seed, n - i);
		(void)probe_http_feed(&pieces, copy + i, k);
	}
	if (n > 1)
		(void)probe_http_feed(&whole, copy + 1, n - 1);
	CHECK(whole.state == pieces.state && whole.status == pieces.status);
	CHECK(whole.status <= 999);
	if (whole.state == PROBE_HTTP_DONE)
		CHECK(whole.status >= 100 && memmem(copy, n, "HTTP/1.", 7));
	return 0;
}
