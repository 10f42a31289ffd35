/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/http.h"

#include <errno.h>
#include <strings.h>

#include "util/curlib.h"
#include "util/str.h"

enum { CONNECT_MS = 10 * 1000, IDLE_S = 600 };

struct http_client {
	const struct curlib *c;
	CURL *h; /* holds the connection */
	char *ca_file;
};

struct taking {
	struct http_answer *answer;
	size_t max;
};

void http_answer_done(struct http_answer *a)
{
	buf_done(&a->body);
}

int http_client_open(struct http_client **ret, const char *ca_file, struct err *e)
{
	const struct curlib *c = curlib_load(e);
	struct http_client *client;
	CURL *h = c ? c->curl_easy_init() : NULL;

	if (!h)
		return c ? err_set(e, -ENOMEM, "libcurl gives no handle") : -ENOENT;
	client = xcalloc(1, sizeof(*client));
	client->c = c;
	client->h = h;
	client->ca_file = ca_file ? xstrdup(ca_file) : NULL;
	*ret = client;
	return 0;
}

void http_client_close(struct http_client *c)
{
	if (!c)
		return;
	c->c->curl_easy_cleanup(c->h);
	free(c->ca_file);
	free(c);
}

/* --- what comes ------------------------------------------------------------------------------ */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct taking *t = ctx;

	if (size * n > t->max - t->answer->body.len)
		return 0;
	buf_add(&t->answer->body, data, size * n);
	return size * n;
}

static void keep(char into[HTTP_HEADER_MAX], struct slice value)
{
	value = slice_trim(value);
	if (value.n >= HTTP_HEADER_MAX || memchr(value.p, '\0', value.n))
		value.n = 0;
	memcpy(into, value.p, value.n);
	into[value.n] = '\0';
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
	struct taking *t = ctx;
	struct slice line = { data, size * n }, name = { data, slice_find(line, ':') };

	/* A status line begins another answer (100 Continue). */
	if (slice_starts(line, "HTTP/"))
		t->answer->content_type[0] = t->answer->retry_after[0] = '\0';
	if (name.n == strlen("Retry-After") && strncasecmp(name.p, "Retry-After", name.n) == 0)
		keep(t->answer->retry_after, slice_from(line, name.n + 1));
	else if (name.n == strlen("Content-Type") &&
		 strncasecmp(name.p, "Content-Type", name.n) == 0)
		keep(t->answer->content_type, slice_from(line, name.n + 1));
	return size * n;
}

/* --- what goes ------------------------------------------------------------------------------- */

static void add_header(const struct curlib *c, struct curl_slist **list, const char *name,
		       const char *value)
{
	CLEANUP(buf_wipe) struct buf text = {};

	if (!value)
		return;
	buf_addf(&text, "%s: %s", name, value);
	*list = c->curl_slist_append(*list, buf_str(&text));
}

static void set_up(const struct http_client *k, const struct http_call *call,
		   struct curl_slist *headers, struct taking *t)
{
	const struct curlib *c = k->c;

	c->curl_easy_reset(k->h);
	(void)c->curl_easy_setopt(k->h, CURLOPT_URL, call->url);
	(void)c->curl_easy_setopt(k->h, CURLOPT_NOSIGNAL, 1L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_PROTOCOLS_STR, "https,http");
	(void)c->curl_easy_setopt(k->h, CURLOPT_FOLLOWLOCATION, 0L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)c->curl_easy_setopt(k->h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	(void)c->curl_easy_setopt(k->h, CURLOPT_TIMEOUT_MS, (long)call->deadline_ms);
	(void)c->curl_easy_setopt(k->h, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
	(void)c->curl_easy_setopt(k->h, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_USERAGENT, "pvewarden/" PVEWARDEN_VERSION);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HTTPHEADER, headers);
	if (call->body.p) {
		(void)c->curl_easy_setopt(k->h, CURLOPT_POST, 1L);
		(void)c->curl_easy_setopt(k->h, CURLOPT_POSTFIELDSIZE_LARGE,
					  (curl_off_t)call->body.n);
		(void)c->curl_easy_setopt(k->h, CURLOPT_POSTFIELDS, call->body.p);
	}
	(void)c->curl_easy_setopt(k->h, CURLOPT_WRITEFUNCTION, take_body);
	(void)c->curl_easy_setopt(k->h, CURLOPT_WRITEDATA, t);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HEADERFUNCTION, take_header);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HEADERDATA, t);
	curlib_trust(c, k->h, k->ca_file);
}

static int failure(const struct curlib *c, CURLcode code, const char *url, struct err *e)
{
	int r = -EIO;

	if (code == CURLE_OPERATION_TIMEDOUT)
		r = -ETIMEDOUT;
	else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
		r = -EACCES;
	else if (code == CURLE_WRITE_ERROR)
		r = -EFBIG;
	return err_set(e, r, "%s: %s", url, c->curl_easy_strerror(code));
}

/* A line break in a token would begin another header. */
static bool is_one_line(const char *text)
{
	return !text || !text[strcspn(text, "\r\n")];
}

int http_client_call(struct http_client *k, const struct http_call *call, struct http_answer *ret,
		     struct err *e)
{
	struct taking t = { .answer = ret, .max = call->max_answer };
	struct curl_slist *headers = NULL;
	CLEANUP(buf_wipe) struct buf bearer = {};
	CURLcode code;

	if (!http_is_allowed(call->url))
		return err_set(e, -EINVAL, "%s: expected https:// (http:// only to this machine)",
			       call->url);
	if (!is_one_line(call->bearer) || !is_one_line(call->agent_id))
		return err_set(e, -EINVAL, "a token or agent id with a line break in it");
	buf_reset(&ret->body);
	ret->status = 0;
	ret->content_type[0] = ret->retry_after[0] = '\0';
	if (call->bearer)
		buf_addf(&bearer, "Bearer %s", call->bearer);
	add_header(k->c, &headers, "Authorization", call->bearer ? buf_str(&bearer) : NULL);
	add_header(k->c, &headers, "X-Agent-ID", call->agent_id);
	add_header(k->c, &headers, "Content-Type", call->body.p ? "application/json" : NULL);
	add_header(k->c, &headers, "Accept", "application/json");
	headers = k->c->curl_slist_append(headers, "Expect:");
	set_up(k, call, headers, &t);
	code = k->c->curl_easy_perform(k->h);
	if (code == CURLE_OK)
		(void)k->c->curl_easy_getinfo(k->h, CURLINFO_RESPONSE_CODE, &ret->status);
	k->c->curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : failure(k->c, code, call->url, e);
}
