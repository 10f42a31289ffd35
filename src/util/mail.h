/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A mail as a value: who, to whom, a subject, the same content as text and as HTML, and attached
 * documents. Nothing here is owned. How it gets away is a matter of the transports.
 */

#include "util/buf.h"
#include "util/err.h"

enum mail_severity { MAIL_INFO, MAIL_NOTICE, MAIL_WARNING, MAIL_ERROR, MAIL_UNKNOWN };

struct mail_attachment {
	const char *name, *type; /* "report.json", "application/json" */
	struct slice data;
};

struct mail {
	enum mail_severity severity; /* for transports that sort by it */
	const char *subject;	     /* UTF-8, one line */
	struct slice text, html;     /* html may be empty */
	const struct mail_attachment *attachments;
	size_t n_attachments;
};
