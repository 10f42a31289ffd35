/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Prometheus' text format, for node_exporter's textfile collector. */

#include "util/buf.h"

/* The two lines before a metric's samples. */
void prom_gauge(struct buf *out, const char *name, const char *help);
void prom_counter(struct buf *out, const char *name, const char *help);

/* A label's value: backslash, quote and newline are escaped; bytes that are no UTF-8 are made
 * visible first. */
void prom_label(struct buf *out, const char *text);
