/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The report as a mail: subject, HTML, its text alternative, and the whole document attached. */

#include "dm/report.h"
#include "util/mail.h"

struct dm_report_mail {
	struct mail mail; /* points into what follows */
	struct mail_attachment attachment;
	struct buf text, html, json, name;
};

/* @m stays where it is while the mail is used; @r must outlive it. */
void dm_report_mail_make(struct dm_report_mail *m, const struct dm_report *r);
void dm_report_mail_done(struct dm_report_mail *m);
