/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A request as the handlers see it, and their reply: values, without the HTTP library, so that
 * every handler is tested without a server. web.c makes the one and sends the other.
 */

#include "hub/etag.h"
#include "hub/store.h"
#include "util/buf.h"

struct request {
	const char *method, *path; /* path without the query, percent-decoded, valid UTF-8 */
	const char *authorization, *cookie, *if_none_match, *content_type, *host,
		*origin;      /* or NULL */
	const char *agent_id; /* X-Agent-ID */
	struct slice body;
	char peer[64];	/* address as text, without the port */
	bool secure;	/* over TLS, or from this machine */
	bool forwarded; /* by a proxy that is believed */
	bool local;	/* from this machine, and nobody speaks through it */
	int64_t now;
	/* Value of a query parameter, percent-decoded; NULL if absent. */
	const char *(*query)(const struct request *r, const char *key);
	void *from; /* web.c's */
};

struct reply {
	unsigned int status;
	const char *type; /* NULL: application/json */
	struct buf body;
	const char *const_body; /* instead of body: embedded text */
	size_t const_size;
	unsigned int retry_after; /* seconds, 0: no header */
	char location[512];	  /* "" : no header */
	char set_cookie[512];
	char etag[ETAG_MAX];
	char allow[64]; /* methods, with 405 and 204 */
	bool challenge; /* WWW-Authenticate: Bearer */
	bool page; /* HTML: with a Content-Security-Policy that allows nothing from elsewhere */
};

/* {"success": false, "error": @word, "error_description": ..., "path": ...}; @path may be NULL. */
void reply_error(struct reply *r, unsigned int status, const char *word, const char *path,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Who speaks, as auth_check() found. */
struct identity {
	struct store_token token;
	char org[STORE_ORG_MAX];
};
