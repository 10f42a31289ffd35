/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One GET in plain HTTP/1.1 and the status line that answers it; nothing after that line is of any
 * interest. Pure: bytes in, a verdict out, in whatever pieces they come.
 */

#include "watch/probe_text.h"

enum probe_http_state {
	PROBE_HTTP_MORE, /* the line is not yet whole */
	PROBE_HTTP_DONE, /* status holds the final answer's code */
	PROBE_HTTP_BAD,	 /* not HTTP/1 */
};

/* Zeroed at first. */
struct probe_http {
	uint16_t status;
	uint16_t at;   /* bytes into the line */
	bool interim;  /* inside the header of a 1xx answer, which another one follows */
	uint8_t state; /* enum probe_http_state */
};

/* Appends the request for @target. */
void probe_http_request(const struct probe_target *target, struct probe_text *ret);

/* Takes what came; what is behind the status line is ignored. */
enum probe_http_state probe_http_feed(struct probe_http *h, const void *data, size_t n);
