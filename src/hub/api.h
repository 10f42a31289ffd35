/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The read API. Every answer carries an ETag (hub/etag.h), and the same again is a 304. Only what
 * belongs to the org of the one who asks. 0, or -EIO: the store has failed.
 */

#include "hub/call.h"

int api_list(struct call *c, struct store *s);
int api_one(struct call *c, struct store *s);
int api_history(struct call *c, struct store *s);

/* A page, or one record. */
int api_nanny_list(struct call *c, struct store *s);
int api_nanny_delete(struct call *c, struct store *s);

/* 200 when the database answers. */
int api_health(struct call *c, struct store *s);

/* The counters; @s may be NULL. */
int api_metrics(struct call *c, struct store *s);
int api_openapi(struct call *c, struct store *s);
