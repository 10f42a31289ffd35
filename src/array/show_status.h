/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* `array status` as text and as metrics. */

#include "array/status.h"
#include "util/buf.h"

struct array_view {
	size_t width;
	bool color, terminal;
	int64_t now;
};

/* For people; the first line is a Nagios plugin's. @s must not be absent. */
void array_show_status(const struct array_status *s, const struct array_view *view,
		       struct buf *out);
void array_show_prometheus(const struct array_status *s, struct buf *out);
