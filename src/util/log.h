/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Messages for people on stderr; stdout belongs to the answer. Under systemd (JOURNAL_STREAM is
 * set) lines carry the <N> priority prefix that journald reads. Only commands and daemons log above
 * debug: libraries return errors.
 */

#include "util/base.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above @max are dropped; the default is LOG_LEVEL_WARN. */
void log_set_level(enum log_level max);

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
