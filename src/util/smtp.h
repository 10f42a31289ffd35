/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* One message to one SMTP server, with a deadline and, but for SMTP_PLAIN, its certificate checked.
 */

#include "util/mail.h"

enum smtp_security {
	SMTP_STARTTLS, /* required, not only if offered */
	SMTP_TLS,
	SMTP_PLAIN, /* no password goes over it, but for loopback */
};

struct smtp_server {
	const char *host;
	uint32_t port; /* 0: the usual one for the security */
	enum smtp_security security;
	const char *user, *password; /* NULL without */
	const char *ca_file;	     /* NULL: the system's */
	int deadline_ms;
};

/* 0 when the server took the message for every recipient. -errno with a sentence: -EACCES (password
 * or certificate refused), -EPERM (refused for good), -EAGAIN (try later), -ETIMEDOUT, -EIO. */
int smtp_send(const struct smtp_server *s, const struct mail_envelope *e, struct slice message,
	      struct err *err);
