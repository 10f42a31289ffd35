/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A mail as a value: a subject, the same content as text and as HTML, and attached documents; and
 * the same as a message of RFC 5322, as every transport but Mailjet wants it. Nothing is owned.
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

enum { MAIL_RECIPIENTS_MAX = 50 };

/* From whom and to whom. */
struct mail_envelope {
	const char *from, *from_name; /* from_name may be NULL */
	const char *to[MAIL_RECIPIENTS_MAX];
	size_t n_to;
};

/* "a@b": one address, without anything that could end a header or an SMTP command. */
bool mail_is_address(const char *text);

/*
 * The whole message with CRLF line ends: headers, both alternatives in base64, the attachments.
 * What stands in headers is encoded, so that no name or subject can begin another header. @id makes
 * Message-ID and boundaries; @now is the date, Unix seconds.
 */
void mail_message(const struct mail *m, const struct mail_envelope *e, const char *id, int64_t now,
		  struct buf *out);

/* Base64 in lines of 76 (@lines) or in one. */
void mail_base64(struct slice data, bool lines, struct buf *out);
