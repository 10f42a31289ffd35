/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as the watch's document: an exit status, and nothing of it moves a cursor. */

#include "fuzz_pve.h"
#include "watch/show_status.h"

enum { NOW = 1795233844 }; /* 2026-11-21T04:04:04Z */

static void check_text(const struct buf *out)
{
	for (size_t i = 0; i < out->len; i++)
		CHECK((unsigned char)out->data[i] >= ' ' || out->data[i] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct watch_view view = { .width = 100, .now = NOW };
	CLEANUP(watch_state_done) struct watch_document s = {};
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(buf_done) struct buf out = {};
	int status;

	watch_state_parse(&s, (struct slice){ copy, n }, NOW);
	status = watch_state_exit(&s);
	CHECK(status >= 0 && status <= 3 && (!s.absent || status == 3));
	if (!s.absent) {
		watch_show_status(&s, &view, &out);
		watch_show_stats(&s, &view, &out);
	}
	watch_show_prometheus(&s, &out);
	check_text(&out);
	return 0;
}
