/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/smtp.h"

#include <errno.h>

#include "util/curlib.h"
#include "util/str.h"

static size_t give(char *to, size_t size, size_t n, void *ctx)
{
	struct slice *rest = ctx;
	size_t len = size * n < rest->n ? size * n : rest->n;

	memcpy(to, rest->p, len);
	*rest = slice_from(*rest, len);
	return len;
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

static void url_of(const struct smtp_server *s, struct buf *ret)
{
	static const uint32_t ports[] = {
		[SMTP_STARTTLS] = 587, [SMTP_TLS] = 465, [SMTP_PLAIN] = 25
	};
	bool v6 = strchr(s->host, ':') != NULL;

	buf_addf(ret, "%s://%s%s%s:%u", s->security == SMTP_TLS ? "smtps" : "smtp", v6 ? "[" : "",
		 s->host, v6 ? "]" : "", s->port ? s->port : ports[s->security]);
}

static int failure(const struct curlib *c, CURL *h, CURLcode code, const char *url, struct err *e)
{
	long reply = 0;
	int r = -EIO;

	(void)c->curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &reply);
	if (code == CURLE_OPERATION_TIMEDOUT)
		r = -ETIMEDOUT;
	else if (code == CURLE_LOGIN_DENIED || code == CURLE_PEER_FAILED_VERIFICATION)
		r = -EACCES;
	else if (reply >= 500 && reply < 600)
		r = -EPERM;
	else if (reply >= 400)
		r = -EAGAIN;
	if (reply >= 400)
		return err_set(e, r, "%s: %s (the server said %ld)", url,
			       c->curl_easy_strerror(code), reply);
	return err_set(e, r, "%s: %s", url, c->curl_easy_strerror(code));
}

static void set_up(const struct curlib *c, CURL *h, const struct smtp_server *s, const char *url)
{
	(void)c->curl_easy_setopt(h, CURLOPT_URL, url);
	(void)c->curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)c->curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	(void)c->curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)s->deadline_ms);
	if (s->security != SMTP_PLAIN)
		(void)c->curl_easy_setopt(h, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	curlib_trust(c, h, s->ca_file);
	if (s->user) {
		(void)c->curl_easy_setopt(h, CURLOPT_USERNAME, s->user);
		(void)c->curl_easy_setopt(h, CURLOPT_PASSWORD, s->password);
	}
}

int smtp_send(const struct smtp_server *s, const struct mail_envelope *e, struct slice message,
	      struct err *err)
{
	CLEANUP(buf_done) struct buf url = {};
	struct curl_slist *to = NULL;
	const struct curlib *c;
	CURLcode code;
	CURL *h;
	int r;

	if (s->user && s->security == SMTP_PLAIN && !is_loopback(s->host))
		return err_set(err, -EPERM, "no password is sent to %s without TLS", s->host);
	c = curlib_load(err);
	h = c ? c->curl_easy_init() : NULL;
	if (!h)
		return c ? err_set(err, -ENOMEM, "libcurl gives no handle") : -ENOENT;
	url_of(s, &url);
	set_up(c, h, s, buf_str(&url));
	for (size_t i = 0; i < e->n_to; i++)
		to = c->curl_slist_append(to, e->to[i]);
	(void)c->curl_easy_setopt(h, CURLOPT_MAIL_FROM, e->from);
	(void)c->curl_easy_setopt(h, CURLOPT_MAIL_RCPT, to);
	(void)c->curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	(void)c->curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
	(void)c->curl_easy_setopt(h, CURLOPT_READDATA, &message);
	code = c->curl_easy_perform(h);
	r = code == CURLE_OK ? 0 : failure(c, h, code, buf_str(&url), err);
	c->curl_easy_cleanup(h);
	c->curl_slist_free_all(to);
	return r;
}
