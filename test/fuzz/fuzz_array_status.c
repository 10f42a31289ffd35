/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as array.json: shown without a byte that could move a terminal's cursor. */

#include "array/show_status.h"

#include "fuzz_pve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(array_status_done) struct array_status s = {};
	struct array_view view = { .width = 80, .now = 1795282183 };
	CLEANUP(buf_done) struct buf out = {};
	int status;

	array_status_parse(&s, (struct slice){ copy, n }, view.now);
	status = array_status_exit(&s);
	CHECK(status >= 0 && status <= 3);
	array_show_prometheus(&s, &out);
	if (!s.absent)
		array_show_status(&s, &view, &out);
	for (size_t i = 0; i < out.len; i++)
		CHECK((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n');
	return 0;
}
