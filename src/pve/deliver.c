/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/deliver.h"

#include <errno.h>
#include <unistd.h>

#include "pve/mailjet.h"
#include "util/clock.h"
#include "util/http.h"
#include "util/jsonw.h"
#include "util/proc.h"
#include "util/str.h"

enum { ANSWER_BYTES_MAX = 1024 * 1024 };

static int by_smtp(const struct mail_config *c, const struct mail *m, const char *id, struct err *e)
{
	CLEANUP(buf_done) struct buf message = {};

	mail_message(m, &c->envelope, id, clock_now(), &message);
	return smtp_send(&c->smtp, &c->envelope, buf_slice(&message), e);
}

static int by_mailjet(const struct mail_config *c, const struct mail *m, const char *id,
		      struct err *e)
{
	CLEANUP(buf_done) struct buf payload = {};
	CLEANUP(buf_done) struct buf answer = {};
	struct http_request r = { .url = c->mailjet_url,
				  .user = c->mailjet_key,
				  .password = c->mailjet_secret,
				  .content_type = "application/json",
				  .ca_file = c->ca_file,
				  .deadline_ms = c->deadline_ms,
				  .max_answer = ANSWER_BYTES_MAX };
	long status = 0;
	int code;

	mailjet_payload(m, &c->envelope, id, &payload);
	r.body = buf_slice(&payload);
	code = http_post(&r, &status, &answer, e);
	return code < 0 ? code : mailjet_verdict(status, buf_slice(&answer), e);
}

/* A child that takes @input and says by its exit status whether all is well. */
static int hand_to(const char *const argv[], struct slice input, int deadline_ms, struct err *e)
{
	CLEANUP(proc_result_done) struct proc_result p = {};
	struct slice rest, line = {};
	char shown[300];
	int r;

	if (access(argv[0], X_OK) < 0)
		return err_set(e, -EPERM, "%s is not installed", argv[0]);
	r = proc_run_input(argv, NULL, input, deadline_ms, ANSWER_BYTES_MAX, &p, e);
	if (r < 0)
		return r;
	if (p.status == 0)
		return 0;
	rest = buf_slice(&p.err);
	while (slice_split(&rest, '\n', &line) && slice_empty(slice_trim(line)))
		;
	str_printable(shown, sizeof(shown), slice_trim(line));
	return err_set(e, p.status == 64 || p.status == 69 ? -EPERM : -EAGAIN,
		       "%s ended with status %d: %s", argv[0], p.status,
		       *shown ? shown : "no message");
}

static int by_sendmail(const struct mail_config *c, const struct mail *m, const char *id,
		       struct err *e)
{
	const char *const argv[] = {
		"/usr/sbin/sendmail", "-t", "-oi", "-f", c->envelope.from, NULL
	};
	CLEANUP(buf_done) struct buf message = {};
	CLEANUP(buf_done) struct buf local = {};

	mail_message(m, &c->envelope, id, clock_now(), &message);
	/* A local program takes local line ends. */
	for (size_t i = 0; i < message.len; i++)
		if (message.data[i] != '\r')
			buf_addc(&local, message.data[i]);
	return hand_to(argv, buf_slice(&local), c->deadline_ms, e);
}

static int by_proxmox(const struct mail_config *c, const struct mail *m, struct err *e)
{
	static const char *const severities[] = { [MAIL_INFO] = "info",
						  [MAIL_NOTICE] = "notice",
						  [MAIL_WARNING] = "warning",
						  [MAIL_ERROR] = "error",
						  [MAIL_UNKNOWN] = "unknown" };
	const char *const argv[] = { NOTIFY_PROGRAM, NULL };
	CLEANUP(buf_done) struct buf input = {};
	struct jsonw w;

	/* Its templates have no attachments: who has them read the text knows where the document
	 * is. */
	jsonw_begin(&w, &input);
	jsonw_str(&w, "severity", severities[m->severity]);
	jsonw_str(&w, "template", "pvewarden-report");
	jsonw_str(&w, "subject", m->subject);
	jsonw_slice(&w, "text", m->text);
	jsonw_slice(&w, "html", m->html);
	jsonw_end(&w);
	return hand_to(argv, buf_slice(&input), c->deadline_ms, e);
}

int deliver(const struct mail_config *c, const struct mail *m, const char *id, struct err *e)
{
	if (c->problem)
		return err_set(e, -EPERM, "%s", c->problem);
	switch (c->transport) {
	case MAIL_BY_PROXMOX:
		return by_proxmox(c, m, e);
	case MAIL_BY_SMTP:
		return by_smtp(c, m, id, e);
	case MAIL_BY_SENDMAIL:
		return by_sendmail(c, m, id, e);
	case MAIL_BY_MAILJET:
		return by_mailjet(c, m, id, e);
	case MAIL_BY_NOTHING:
	default:
		return err_set(e, -EPERM, "no transport is set");
	}
}

bool delivery_is_hopeless(int code)
{
	return code == -EPERM || code == -EACCES;
}
