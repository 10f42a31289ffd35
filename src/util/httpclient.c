/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/http.h"

#include <errno.h>
#include <strings.h>

#include "util/clock.h"
#include "util/curlib.h"
#include "util/str.h"

enum { CONNECT_MS = 10 * 1000, IDLE_S = 600, LOOK_MS = 50, POLL_MS = 1000 };

struct http_client {
	const struct curlib *c;
	CURLM *m; /* holds the connection */
	CURL *h;
	char *ca_file;
};

struct taking {
	const struct http_call *call;
	struct http_answer *answer;
};

void http_answer_done(struct http_answer *a)
{
	buf_done(&a->body);
}

int http_client_open(struct http_client **ret, const char *ca_file, struct err *e)
{
	const struct curlib *c = curlib_load(e);
	struct http_client *client;

	if (!c)
		return -ENOENT;
	client = xcalloc(1, sizeof(*client));
	client->c = c;
	client->m = c->curl_multi_init();
	client->h = c->curl_easy_init();
	if (!client->m || !client->h) {
		http_client_close(client);
		return err_set(e, -ENOMEM, "libcurl gives no handle");
	}
	client->ca_file = ca_file ? xstrdup(ca_file) : NULL;
	*ret = client;
	return 0;
}

void http_client_close(struct http_client *c)
{
	if (!c)
		return;
	c->c->curl_easy_cleanup(c->h);
	if (c->m)
		(void)c->c->curl_multi_cleanup(c->m);
	free(c->ca_file);
	free(c);
}

/* --- what comes ------------------------------------------------------------------------------ */

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct taking *t = ctx;

	if (size * n > t->call->max_answer - t->answer->body.len)
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

static bool is_named(struct slice name, const char *as)
{
	return name.n == strlen(as) && strncasecmp(name.p, as, name.n) == 0;
}

static void forget_headers(const struct taking *t)
{
	t->answer->content_type[0] = t->answer->retry_after[0] = '\0';
	for (size_t i = 0; i < t->call->n_wanted; i++)
		buf_reset(&t->call->wanted[i].value);
}

static void keep_wanted(struct http_wanted *w, struct slice value)
{
	value = slice_trim(value);
	buf_reset(&w->value);
	if (!memchr(value.p, '\0', value.n))
		buf_add(&w->value, value.p, value.n);
}

static size_t take_header(char *data, size_t size, size_t n, void *ctx)
{
	struct taking *t = ctx;
	struct slice line = { data, size * n }, name = { data, slice_find(line, ':') };
	struct slice value = slice_from(line, name.n + 1);

	/* A status line begins another answer (100 Continue). */
	if (slice_starts(line, "HTTP/"))
		forget_headers(t);
	if (is_named(name, "Retry-After"))
		keep(t->answer->retry_after, value);
	else if (is_named(name, "Content-Type"))
		keep(t->answer->content_type, value);
	for (size_t i = 0; i < t->call->n_wanted; i++)
		if (is_named(name, t->call->wanted[i].name))
			keep_wanted(&t->call->wanted[i], value);
	return size * n;
}

/*
 * Comes before each time that libcurl begins to send: when a kept connection ended without an
 * answer it would send the request once more on a new one, whatever the request does there.
 */
static int begin(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct taking *t = ctx;

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (t->answer->sent && t->call->once)
		return CURL_PREREQFUNC_ABORT;
	t->answer->sent = true;
	return CURL_PREREQFUNC_OK;
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

static struct curl_slist *headers_of(const struct curlib *c, const struct http_call *call)
{
	CLEANUP(buf_wipe) struct buf bearer = {};
	struct curl_slist *list = NULL;

	if (call->bearer)
		buf_addf(&bearer, "Bearer %s", call->bearer);
	add_header(c, &list, "Authorization", call->bearer ? buf_str(&bearer) : NULL);
	add_header(c, &list, "X-Agent-ID", call->agent_id);
	for (size_t i = 0; i < call->n_headers; i++)
		add_header(c, &list, call->headers[i].name, call->headers[i].value);
	add_header(c, &list, "Content-Type", call->body.p ? "application/json" : NULL);
	add_header(c, &list, "Accept", "application/json");
	return c->curl_slist_append(list, "Expect:");
}

static void set_body(const struct http_client *k, const struct http_call *call)
{
	const struct curlib *c = k->c;
	bool post = call->method ? strcmp(call->method, "POST") == 0 : call->body.p != NULL;

	if (call->body.p || post) {
		(void)c->curl_easy_setopt(k->h, CURLOPT_POST, 1L);
		(void)c->curl_easy_setopt(k->h, CURLOPT_POSTFIELDSIZE_LARGE,
					  (curl_off_t)call->body.n);
		(void)c->curl_easy_setopt(k->h, CURLOPT_POSTFIELDS,
					  call->body.p ? call->body.p : "");
	}
	if (call->method && !post)
		(void)c->curl_easy_setopt(k->h, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_trust(const struct http_client *k, const struct http_call *call)
{
	const struct curlib *c = k->c;

	(void)c->curl_easy_setopt(k->h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (call->unverified) {
		(void)c->curl_easy_setopt(k->h, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)c->curl_easy_setopt(k->h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (call->direct)
		(void)c->curl_easy_setopt(k->h, CURLOPT_PROXY, "");
	curlib_trust(c, k->h, k->ca_file);
}

static void set_taking(const struct http_client *k, struct taking *t)
{
	const struct curlib *c = k->c;

	(void)c->curl_easy_setopt(k->h, CURLOPT_WRITEFUNCTION, take_body);
	(void)c->curl_easy_setopt(k->h, CURLOPT_WRITEDATA, t);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HEADERFUNCTION, take_header);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HEADERDATA, t);
	(void)c->curl_easy_setopt(k->h, CURLOPT_PREREQFUNCTION, begin);
	(void)c->curl_easy_setopt(k->h, CURLOPT_PREREQDATA, t);
}

static void set_up(const struct http_client *k, const struct http_call *call,
		   struct curl_slist *headers)
{
	const struct curlib *c = k->c;
	long connect_ms = call->connect_ms ? call->connect_ms : CONNECT_MS;

	c->curl_easy_reset(k->h);
	(void)c->curl_easy_setopt(k->h, CURLOPT_URL, call->url);
	(void)c->curl_easy_setopt(k->h, CURLOPT_NOSIGNAL, 1L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_PROTOCOLS_STR, "https,http");
	(void)c->curl_easy_setopt(k->h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)c->curl_easy_setopt(k->h, CURLOPT_FOLLOWLOCATION, 0L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	/* A name that the resolver still asks for when the time is up is not waited for. */
	(void)c->curl_easy_setopt(k->h, CURLOPT_QUICK_EXIT, 1L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_TIMEOUT_MS, (long)call->deadline_ms);
	(void)c->curl_easy_setopt(k->h, CURLOPT_MAXAGE_CONN, (long)IDLE_S);
	(void)c->curl_easy_setopt(k->h, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)c->curl_easy_setopt(k->h, CURLOPT_USERAGENT, "pvewarden/" PVEWARDEN_VERSION);
	(void)c->curl_easy_setopt(k->h, CURLOPT_HTTPHEADER, headers);
	set_body(k, call);
	set_trust(k, call);
}

/* Until it is over, or the caller has had enough. */
static CURLMcode run(const struct http_client *k, const struct http_call *call, bool *ret_enough)
{
	int64_t began = clock_mono_ms();
	CURLMcode code = CURLM_OK;
	int running = 1;

	while (code == CURLM_OK && !*ret_enough) {
		code = k->c->curl_multi_perform(k->m, &running);
		if (code != CURLM_OK || !running)
			break;
		code = k->c->curl_multi_poll(k->m, NULL, 0, call->enough ? LOOK_MS : POLL_MS, NULL);
		*ret_enough =
			call->enough && call->enough(call->enough_arg, clock_mono_ms() - began);
	}
	return code;
}

/* As curl_easy_perform(). */
static CURLcode perform(const struct http_client *k, const struct http_call *call)
{
	const struct curlib *c = k->c;
	CURLMcode code = c->curl_multi_add_handle(k->m, k->h);
	CURLcode ret = CURLE_FAILED_INIT;
	const CURLMsg *done;
	bool enough = false;
	int left;

	if (code == CURLM_OK)
		code = run(k, call, &enough);
	done = c->curl_multi_info_read(k->m, &left);
	if (done && done->msg == CURLMSG_DONE)
		ret = done->data.result;
	else if (enough)
		ret = CURLE_OPERATION_TIMEDOUT;
	else if (code == CURLM_OUT_OF_MEMORY)
		ret = CURLE_OUT_OF_MEMORY;
	(void)c->curl_multi_remove_handle(k->m, k->h);
	return ret;
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
	else if (code == CURLE_ABORTED_BY_CALLBACK)
		return err_set(e, r, "%s: the connection ended before an answer came", url);
	return err_set(e, r, "%s: %s", url, c->curl_easy_strerror(code));
}

/* A line break in a token would begin another header. */
static bool is_one_line(const char *text)
{
	return !text || !text[strcspn(text, "\r\n")];
}

static int check(const struct http_call *call, struct err *e)
{
	bool fine = is_one_line(call->bearer) && is_one_line(call->agent_id) &&
		    is_one_line(call->method);

	if (!http_is_allowed(call->url))
		return err_set(e, -EINVAL, "%s: expected https:// (http:// only to this machine)",
			       call->url);
	for (size_t i = 0; i < call->n_headers; i++)
		fine = fine && is_one_line(call->headers[i].value);
	return fine ? 0 : err_set(e, -EINVAL, "a token or agent id with a line break in it");
}

int http_client_call(struct http_client *k, const struct http_call *call, struct http_answer *ret,
		     struct err *e)
{
	struct taking t = { .call = call, .answer = ret };
	struct curl_slist *headers;
	CURLcode code;
	int r;

	buf_reset(&ret->body);
	ret->status = 0;
	ret->sent = false;
	forget_headers(&t);
	r = check(call, e);
	if (r < 0)
		return r;
	headers = headers_of(k->c, call);
	set_up(k, call, headers);
	set_taking(k, &t);
	code = perform(k, call);
	if (code == CURLE_OK)
		(void)k->c->curl_easy_getinfo(k->h, CURLINFO_RESPONSE_CODE, &ret->status);
	k->c->curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : failure(k->c, code, call->url, e);
}
