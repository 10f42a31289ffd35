/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Where mails go: [mail] of /etc/pve/pvewarden/pvewarden.conf, of the whole cluster, and of
 * /etc/pvewarden/pvewarden.conf, of this node, which wins. Secrets stand in files of their own, of
 * mode 0600: /etc/pve/priv/pvewarden/mail.env and /etc/pvewarden/mail.env, in the lines that the
 * old scripts had (MAILJET_API_KEY="..." and so on), which are read and never run.
 */

#include "pve/root.h"
#include "util/diag.h"
#include "util/smtp.h"

enum mail_transport {
	MAIL_BY_NOTHING,
	MAIL_BY_PROXMOX, /* Proxmox' own notification system */
	MAIL_BY_SMTP,
	MAIL_BY_SENDMAIL,
	MAIL_BY_MAILJET,
};

struct mail_config {
	enum mail_transport transport;
	struct mail_envelope envelope;
	struct smtp_server smtp;
	const char *mailjet_key, *mailjet_secret, *mailjet_url;
	const char *ca_file; /* NULL: the system's */
	int deadline_ms;
	const char *problem; /* why nothing can be sent, with what to do; NULL: it can */
	struct diags diags;
};

#define MAIL_ENV_PATH "etc/pvewarden/mail.env"

/* Never fails: what is wrong is in problem or diags. All texts are @a's. @node names the sender
 * when nobody else does. */
void mail_config_read(struct mail_config *ret, const struct root *root, const char *node,
		      struct arena *a);
void mail_config_done(struct mail_config *c);

const char *mail_transport_name(enum mail_transport t);
