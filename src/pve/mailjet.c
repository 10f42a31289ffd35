/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/mailjet.h"

#include <errno.h>

#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

static void write_attachments(struct jsonw *w, const struct mail *m)
{
	jsonw_array(w, "Attachments");
	for (size_t i = 0; i < m->n_attachments; i++) {
		CLEANUP(buf_done) struct buf data = {};

		mail_base64(m->attachments[i].data, false, &data);
		jsonw_object(w, NULL);
		jsonw_str(w, "ContentType", m->attachments[i].type);
		jsonw_str(w, "Filename", m->attachments[i].name);
		jsonw_slice(w, "Base64Content", buf_slice(&data));
		jsonw_close(w);
	}
	jsonw_close(w);
}

static size_t size_of(const struct mail *m)
{
	size_t n = m->text.n + m->html.n;

	for (size_t i = 0; i < m->n_attachments; i++)
		n += m->attachments[i].data.n / 3 * 4 + 4;
	return n;
}

void mailjet_payload(const struct mail *m, const struct mail_envelope *e, const char *id,
		     struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_array(&w, "Messages");
	jsonw_object(&w, NULL);
	jsonw_object(&w, "From");
	jsonw_str(&w, "Email", e->from);
	if (e->from_name)
		jsonw_str(&w, "Name", e->from_name);
	jsonw_close(&w);
	jsonw_array(&w, "To");
	for (size_t i = 0; i < e->n_to; i++) {
		jsonw_row(&w, NULL);
		jsonw_str(&w, "Email", e->to[i]);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_str(&w, "Subject", m->subject);
	jsonw_slice(&w, "TextPart", m->text);
	if (!slice_empty(m->html))
		jsonw_slice(&w, "HTMLPart", m->html);
	if (m->n_attachments && size_of(m) <= MAILJET_BYTES_MAX)
		write_attachments(&w, m);
	jsonw_str(&w, "CustomID", id);
	jsonw_close(&w);
	jsonw_close(&w);
	jsonw_end(&w);
}

/* The first complaint anywhere in the answer, in Mailjet's own words. */
static const char *complaint_of(const json_t *obj)
{
	const char *text = json_str(obj, "ErrorMessage");
	const json_t *list = json_arr(obj, "Errors"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (!text)
			text = json_str(item, "ErrorMessage");
	}
	return text;
}

static int refused(long http_status, const char *words, struct err *e)
{
	char shown[300];
	int r = http_status == 401			   ? -EACCES
		: http_status == 429 || http_status >= 500 ? -EAGAIN
							   : -EPERM;

	str_printable(shown, sizeof(shown), slice_of(words ? words : "no reason given"));
	if (r == -EACCES)
		return err_set(e, r, "Mailjet refuses the API key and secret: %s", shown);
	return err_set(e, r, "Mailjet does not take the message (HTTP %ld): %s", http_status,
		       shown);
}

static int judge(long http_status, const json_t *doc, struct err *e)
{
	const json_t *list = json_arr(doc, "Messages"), *item;
	const char *words = complaint_of(doc);
	size_t i, taken = 0;

	json_array_foreach(list, i, item)
	{
		const char *status = json_str(item, "Status");

		if (status && strcmp(status, "success") == 0)
			taken++;
		else if (!words)
			words = complaint_of(item);
	}
	if (http_status == 200 && taken && taken == json_array_size(list))
		return 0;
	return refused(http_status, words, e);
}

int mailjet_verdict(long http_status, struct slice answer, struct err *e)
{
	json_t *doc = NULL;
	int r;

	if (json_parse(answer, "Mailjet's answer", &doc, NULL) < 0) {
		if (http_status == 401 || http_status >= 400)
			return refused(http_status, NULL, e);
		return err_set(e, -EBADMSG, "what answers is not Mailjet (HTTP %ld)", http_status);
	}
	r = judge(http_status, doc, e);
	json_decref(doc);
	return r;
}
