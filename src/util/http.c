/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/http.h"

#include <errno.h>

#include "util/curlib.h"
#include "util/str.h"

struct answer {
	struct buf *body;
	size_t max;
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
	struct answer *a = ctx;

	if (size * n > a->max - a->body->len)
		return 0;
	buf_add(a->body, data, size * n);
	return size * n;
}

bool http_is_allowed(const char *url)
{
	static const char *const near[] = { "http://127.0.0.1", "http://localhost",
					    "http://[::1]" };

	if (strncmp(url, "https://", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(near); i++) {
		size_t n = strlen(near[i]);

		/* Only a port, a path or the end may follow: "localhost.example" is another host.
		 */
		if (strncmp(url, near[i], n) == 0 && strchr(":/", url[n]))
			return !strchr(url, '@');
	}
	return false;
}

static int failure(const struct curlib *c, CURLcode code, const char *url, struct err *e)
{
	int r = -EIO;

	if (code == CURLE_OPERATION_TIMEDOUT)
		r = -ETIMEDOUT;
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		r = -EACCES;
	return err_set(e, r, "%s: %s", url, c->curl_easy_strerror(code));
}

static void set_up(const struct curlib *c, CURL *h, const struct http_request *r,
		   struct curl_slist *headers, struct answer *a)
{
	(void)c->curl_easy_setopt(h, CURLOPT_URL, r->url);
	(void)c->curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)c->curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https,http");
	(void)c->curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)r->deadline_ms);
	(void)c->curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	(void)c->curl_easy_setopt(h, CURLOPT_POST, 1L);
	(void)c->curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
	(void)c->curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body.p);
	(void)c->curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	(void)c->curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
	curlib_trust(c, h, r->ca_file);
	if (r->user) {
		(void)c->curl_easy_setopt(h, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)c->curl_easy_setopt(h, CURLOPT_USERNAME, r->user);
		(void)c->curl_easy_setopt(h, CURLOPT_PASSWORD, r->password);
	}
}

int http_post(const struct http_request *r, long *ret_status, struct buf *ret_body, struct err *e)
{
	CLEANUP(buf_done) struct buf type = {};
	struct answer a = { .body = ret_body, .max = r->max_answer };
	const struct curlib *c;
	struct curl_slist *headers;
	CURLcode code;
	CURL *h;

	if (!http_is_allowed(r->url))
		return err_set(e, -EINVAL, "%s: expected https:// (http:// only to this machine)",
			       r->url);
	c = curlib_load(e);
	h = c ? c->curl_easy_init() : NULL;
	if (!h)
		return c ? err_set(e, -ENOMEM, "libcurl gives no handle") : -ENOENT;
	buf_reset(ret_body);
	buf_addf(&type, "Content-Type: %s", r->content_type);
	headers = c->curl_slist_append(NULL, buf_str(&type));
	headers = c->curl_slist_append(headers, "Expect:");
	set_up(c, h, r, headers, &a);
	code = c->curl_easy_perform(h);
	if (code == CURLE_OK)
		(void)c->curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, ret_status);
	c->curl_easy_cleanup(h);
	c->curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : failure(c, code, r->url, e);
}
