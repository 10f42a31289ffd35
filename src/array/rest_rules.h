/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What a FlashArray's answers mean, from their text alone. Pure; fuzzed. */

#include "util/err.h"
#include "util/json.h"

enum { REST_MINOR_MIN = 4, REST_MINOR_MAX = 42 };

/* The highest 2.x of GET /api/api_version that is between the two. -EPROTO: not a FlashArray's
 * answer; -ENOTSUP: none that we speak, with a sentence. */
int rest_choose_version(const json_t *doc, unsigned int *ret_minor, struct err *e);

/*
 * What status and body say: 0, or -errno as fa.h lists them, with the array's own words as the
 * sentence. -EROFS: eradication is not allowed (SafeMode). -EKEYREJECTED: 401.
 */
int rest_judge(long status, const json_t *doc, struct err *e);

/* 429 or 503: it asks to be asked later. */
bool rest_is_busy(long status);

/* How long to wait after that: Retry-After in seconds, or 1 s doubled each time up to 8 s,
 * with jitter. ms. */
int64_t rest_busy_ms(const char *retry_after, unsigned int tries, uint32_t random);

/* "Sat, 21 Nov 2026 17:02:12 GMT" in Unix ms; -1: not such a date. */
int64_t rest_date_ms(const char *date);
