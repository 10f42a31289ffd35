/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The watch's document as text and as metrics. All of them may be shown a document that is absent
 * only through session_could_not_tell(), but for the metrics, which say so. */

#include "watch/state.h"

struct watch_view {
	size_t width;
	bool color;
	bool terminal; /* no "| figures" for a monitoring system */
	int64_t now;
};

void watch_show_status(const struct watch_document *s, const struct watch_view *view,
		       struct buf *out);
void watch_show_stats(const struct watch_document *s, const struct watch_view *view,
		      struct buf *out);
void watch_show_prometheus(const struct watch_document *s, struct buf *out);
