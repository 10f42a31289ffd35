/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Mailjet's send API v3.1: one message to all recipients, its status checked in the answer
 * ("Messages": [{"Status": "success"}]), not only the HTTP status.
 */

#include "util/mail.h"

/* What is posted. */
void mailjet_payload(const struct mail *m, const struct mail_envelope *e, const char *id,
		     struct buf *out);

/* 0: taken. -EACCES: the keys were refused; -EPERM: refused for good; -EAGAIN: try later; -EBADMSG:
 * no answer of Mailjet's. */
int mailjet_verdict(long http_status, struct slice answer, struct err *e);

/* Its limit for a message is 15 MB; attachments that would pass it are left out. */
enum { MAILJET_BYTES_MAX = 14 * 1000 * 1000 };
