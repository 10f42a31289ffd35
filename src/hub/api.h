/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The read API. Every answer carries an ETag of its bytes, and the same again is a 304. Only what
 * belongs to the org of the one who asks. 0, or -EIO: the store has failed.
 */

#include "hub/call.h"

/* Lists, single records, history, NannyAPI's lists and deletions, /healthz. */
int api_answer(struct call *c, struct store *s);

/* @s may be NULL. */
int api_metrics(struct call *c, struct store *s);
int api_openapi(struct call *c);

/* Is @etag in the header If-None-Match? */
bool api_etag_matches(const char *if_none_match, const char *etag);
