/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_mail.h"

static enum mail_severity severity_of(enum dm_severity answer)
{
	switch (answer) {
	case DM_SEVERITY_CRITICAL:
		return MAIL_ERROR;
	case DM_SEVERITY_UNKNOWN:
		return MAIL_UNKNOWN;
	case DM_SEVERITY_WARNING:
		return MAIL_WARNING;
	case DM_SEVERITY_NOTICE:
	case DM_SEVERITY_NONE:
	default:
		return MAIL_INFO;
	}
}

/* A file name that no mail program has to think about. */
static void name_file(struct buf *out, const char *node)
{
	buf_adds(out, "pvewarden-");
	for (; *node; node++) {
		bool plain = (*node >= 'a' && *node <= 'z') || (*node >= 'A' && *node <= 'Z') ||
			     (*node >= '0' && *node <= '9') || *node == '-';

		buf_addc(out, plain ? *node : '_');
	}
	buf_adds(out, ".json");
}

void dm_report_mail_make(struct dm_report_mail *m, const struct dm_report *r)
{
	*m = (struct dm_report_mail){};
	dm_report_text(r, false, &m->text);
	dm_report_html(r, &m->html);
	dm_report_json(r, &m->json);
	name_file(&m->name, r->check->look->scan.cluster.node.name);
	m->attachment = (struct mail_attachment){ .name = buf_str(&m->name),
						  .type = "application/json",
						  .data = buf_slice(&m->json) };
	m->mail = (struct mail){ .severity = severity_of(r->check->summary.answer),
				 .subject = r->subject,
				 .text = buf_slice(&m->text),
				 .html = buf_slice(&m->html),
				 .attachments = &m->attachment,
				 .n_attachments = 1 };
}

void dm_report_mail_done(struct dm_report_mail *m)
{
	buf_done(&m->text);
	buf_done(&m->html);
	buf_done(&m->json);
	buf_done(&m->name);
}
