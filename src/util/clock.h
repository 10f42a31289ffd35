/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* Times as values: Unix seconds for people and documents, boot-time milliseconds for deadlines. */

#include "util/base.h"

enum { CLOCK_TEXT_MAX = 32 };

/* The last second that RFC 3339 can say. */
#define CLOCK_YEAR_9999 INT64_C(253402300799)

/* Milliseconds of CLOCK_BOOTTIME: does not jump, counts suspended time. */
int64_t clock_boot_ms(void);

/* The same in microseconds, for what is measured. */
int64_t clock_boot_us(void);

/* Milliseconds of CLOCK_MONOTONIC: what a wait in poll() or on a condition is counted in. */
int64_t clock_mono_ms(void);

/* Unix seconds. */
int64_t clock_now(void);

/* "2026-11-21T04:04:04Z" into @buf, which is returned. */
const char *clock_rfc3339(int64_t unix_seconds, char buf[CLOCK_TEXT_MAX]);

/* Reads "2026-11-21T04:04:04Z" and LVM's "2026-11-21 04:04:04 +0100". False leaves *ret alone. */
bool clock_parse(struct slice text, int64_t *ret);

/* "3d4h", "5m10s", "0s": the two largest units of @seconds. */
const char *clock_duration(int64_t seconds, char buf[CLOCK_TEXT_MAX]);
