/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A check, shown: as text on a terminal, as the document pvewarden.dm/1 and as
 * Prometheus' metrics. */

#include "dm/check.h"

struct dm_report;

struct dm_view {
	bool all;      /* every mapping, also what is ok and infrastructure */
	uint32_t vmid; /* only what concerns this guest; 0: everything */
	bool color, utf8;
	bool terminal; /* a person reads it: no performance data for monitoring */
	size_t width;
	const struct dm_report
		*report; /* documents have the host and its grade; NULL: they don't */
};

void dm_show_text(const struct dm_check *c, const struct dm_view *view, struct buf *out);
void dm_show_json(const struct dm_check *c, const struct dm_view *view, struct buf *out);

/* One finding: what it is, what it leads to, who has it open, what stands on it. */
void dm_show_finding(const struct dm_check *c, const struct dm_view *view, size_t i,
		     struct buf *out);

/* The whole check, whatever the view is narrowed to: series must not come and go. */
void dm_show_prometheus(const struct dm_check *c, const struct dm_view *view, struct buf *out);

/* The worst severity among what the view shows. */
enum dm_severity dm_view_answer(const struct dm_check *c, const struct dm_view *view);
