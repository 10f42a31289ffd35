/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/mail.h"

#include <time.h>

#include "util/str.h"

#define CRLF "\r\n"

enum {
	BASE64_LINE = 57,  /* bytes that make 76 characters */
	ENCODED_PIECE = 45 /* bytes of an encoded word: RFC 2047 allows 75 characters in all */
};

bool mail_is_address(const char *text)
{
	size_t n = strlen(text), at = slice_find(slice_of(text), '@');

	if (at == 0 || at + 1 >= n || n > 254 || *text == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == 0x7f || strchr("<>,;:\"()[]\\", c) || (c == '@' && i != at))
			return false;
	}
	return true;
}

static void add_quad(struct buf *out, const unsigned char *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);

	buf_addc(out, digits[v >> 18]);
	buf_addc(out, digits[v >> 12 & 63]);
	buf_addc(out, n > 1 ? digits[v >> 6 & 63] : '=');
	buf_addc(out, n > 2 ? digits[v & 63] : '=');
}

void mail_base64(struct slice data, bool lines, struct buf *out)
{
	for (size_t i = 0; i < data.n; i += 3) {
		if (lines && i && i % BASE64_LINE == 0)
			buf_adds(out, CRLF);
		add_quad(out, (const unsigned char *)data.p + i, data.n - i);
	}
	if (lines)
		buf_adds(out, CRLF);
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n <= 200 && s.n && memmem(s.p, s.n, "=?", 2) == NULL;
}

/* As much of @s as one encoded word holds, whole characters only. */
static size_t piece_of(struct slice s)
{
	size_t n = 0;

	while (n < s.n) {
		size_t len = str_utf8_len(slice_from(s, n));

		len = len ? len : 1;
		if (n + len > ENCODED_PIECE)
			break;
		n += len;
	}
	return n;
}

/* Encoded words (RFC 2047), each on a line of its own. */
static void add_encoded(struct buf *out, struct slice s)
{
	for (bool first = true; s.n; first = false) {
		size_t n = piece_of(s);

		buf_adds(out, first ? "=?UTF-8?B?" : CRLF " =?UTF-8?B?");
		mail_base64((struct slice){ s.p, n }, false, out);
		buf_adds(out, "?=");
		s = slice_from(s, n);
	}
}

static void add_text(struct buf *out, struct slice s)
{
	if (is_plain(s))
		buf_add(out, s.p, s.n);
	else
		add_encoded(out, s);
}

static void add_header(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "%s: ", name);
	add_text(out, slice_of(value));
	buf_adds(out, CRLF);
}

static void add_from(struct buf *out, const struct mail_envelope *e)
{
	buf_adds(out, "From: ");
	if (e->from_name && *e->from_name) {
		if (is_plain(slice_of(e->from_name)) && !strpbrk(e->from_name, "\"\\"))
			buf_addf(out, "\"%s\"", e->from_name);
		else
			add_encoded(out, slice_of(e->from_name));
		buf_addc(out, ' ');
	}
	buf_addf(out, "<%s>" CRLF, e->from);
}

static void add_date(struct buf *out, int64_t now)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)now;
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	buf_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000" CRLF, days[tm.tm_wday], tm.tm_mday,
		 months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_headers(const struct mail *m, const struct mail_envelope *e, const char *id,
			int64_t now, struct buf *out)
{
	const char *host = strchr(e->from, '@');

	add_date(out, now);
	add_from(out, e);
	for (size_t i = 0; i < e->n_to; i++)
		buf_addf(out, "%s%s", i ? "," CRLF " " : "To: ", e->to[i]);
	buf_adds(out, CRLF);
	add_header(out, "Subject", m->subject);
	buf_addf(out, "Message-ID: <%s%s>" CRLF, id, host ? host : "@localhost");
	buf_adds(out, "MIME-Version: 1.0" CRLF "Auto-Submitted: auto-generated" CRLF);
	if (m->severity == MAIL_ERROR)
		buf_adds(out, "X-Priority: 1" CRLF "Importance: high" CRLF);
}

static void add_part(struct buf *out, const char *type, struct slice data)
{
	buf_addf(out, "Content-Type: %s; charset=utf-8" CRLF, type);
	buf_adds(out, "Content-Transfer-Encoding: base64" CRLF CRLF);
	mail_base64(data, true, out);
}

static void add_alternatives(const struct mail *m, const char *id, struct buf *out)
{
	if (slice_empty(m->html)) {
		add_part(out, "text/plain", m->text);
		return;
	}
	buf_addf(out, "Content-Type: multipart/alternative; boundary=\"%s-a\"" CRLF CRLF, id);
	buf_addf(out, "--%s-a" CRLF, id);
	add_part(out, "text/plain", m->text);
	buf_addf(out, "--%s-a" CRLF, id);
	add_part(out, "text/html", m->html);
	buf_addf(out, "--%s-a--" CRLF, id);
}

static void add_attachment(const struct mail_attachment *a, struct buf *out)
{
	buf_addf(out, "Content-Type: %s; name=\"%s\"" CRLF, a->type, a->name);
	buf_addf(out, "Content-Disposition: attachment; filename=\"%s\"" CRLF, a->name);
	buf_adds(out, "Content-Transfer-Encoding: base64" CRLF CRLF);
	mail_base64(a->data, true, out);
}

void mail_message(const struct mail *m, const struct mail_envelope *e, const char *id, int64_t now,
		  struct buf *out)
{
	add_headers(m, e, id, now, out);
	if (!m->n_attachments) {
		add_alternatives(m, id, out);
		return;
	}
	buf_addf(out, "Content-Type: multipart/mixed; boundary=\"%s-m\"" CRLF CRLF, id);
	buf_addf(out, "--%s-m" CRLF, id);
	add_alternatives(m, id, out);
	for (size_t i = 0; i < m->n_attachments; i++) {
		buf_addf(out, "--%s-m" CRLF, id);
		add_attachment(&m->attachments[i], out);
	}
	buf_addf(out, "--%s-m--" CRLF, id);
}
