/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One HTTP request and its answer, with a deadline, a size limit and the server's certificate
 * checked. Credentials come from memory and go nowhere else. https only, but for loopback.
 */

#include "util/buf.h"
#include "util/err.h"

struct http_request {
	const char *url;
	const char *user, *password; /* basic authentication; NULL without */
	const char *content_type;
	struct slice body;   /* POST */
	const char *ca_file; /* NULL: the system's */
	int deadline_ms;
	size_t max_answer;
};

/* 0 and the status with the answer's body, whatever the status is; or -errno with a sentence:
 * -ETIMEDOUT, -EACCES (certificate), -EINVAL (no such URL, http to another machine), -EIO. */
int http_post(const struct http_request *r, long *ret_status, struct buf *ret_body, struct err *e);

/* "http://" goes to loopback alone. */
bool http_is_allowed(const char *url);
