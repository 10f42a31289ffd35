/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/web.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub/late.h"
#include "hub/listen.h"
#include "hub/tls.h"
#include "hub/visitor.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/str.h"

enum {
	THREADS = 2,
	CONNECTION_MEMORY = 4000, /* headers, and a piece of a body at a time */
	HEADERS_MS = 10000,	  /* from the request line to the end of the headers */
	DISCARD_MAX = 16 * 1024 * 1024,
	FILES_BESIDE = 200, /* databases, libraries */
};

struct web {
	struct hub *hub;
	struct MHD_Daemon *daemon;
	struct late late;
	struct visitors visitors;
	int fd; /* -1: libmicrohttpd closes it */
	bool tls;
	pthread_t starter;
	char why[256]; /* what libmicrohttpd said last to the thread that starts it */
};

enum phase {
	PHASE_NEW,
	PHASE_ADMITTING, /* suspended until the pool knows who speaks */
	PHASE_BODY,
	PHASE_RUNNING, /* suspended until the reply is there */
};

struct web_call {
	struct call call; /* first */
	struct web *web;
	struct MHD_Connection *connection;
	enum phase phase;
	struct late_item late;
	size_t discarded;
	bool said_last; /* the reply went out past libmicrohttpd */
};

/* --- sending ------------------------------------------------------------------------------- */

static void add(struct MHD_Response *r, const char *name, const char *value)
{
	if (value[0])
		(void)MHD_add_response_header(r, name, value);
}

static void add_headers(struct MHD_Response *m, const struct reply *r, bool draining)
{
	char number[24];

	add(m, "Content-Type", r->type ? r->type : "application/json");
	add(m, "X-Content-Type-Options", "nosniff");
	add(m, "Cache-Control", r->etag[0] ? "private, no-cache" : "no-store");
	add(m, "Location", r->location);
	add(m, "Set-Cookie", r->set_cookie);
	add(m, "ETag", r->etag);
	add(m, "Allow", r->allow);
	if (r->challenge)
		add(m, "WWW-Authenticate", "Bearer");
	if (r->retry_after) {
		(void)snprintf(number, sizeof(number), "%u", r->retry_after);
		add(m, "Retry-After", number);
	}
	if (draining)
		add(m, "Connection", "close");
	if (!r->page)
		return;
	add(m, "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
	    "base-uri 'none'; frame-ancestors 'none'");
	add(m, "X-Frame-Options", "DENY");
	add(m, "Referrer-Policy", "same-origin");
}

static enum MHD_Result send_reply(struct web_call *w)
{
	struct reply *r = &w->call.reply;
	struct MHD_Response *m;
	enum MHD_Result sent;

	if (r->const_body)
		m = MHD_create_response_from_buffer(r->const_size, (void *)(uintptr_t)r->const_body,
						    MHD_RESPMEM_PERSISTENT);
	else
		m = MHD_create_response_from_buffer(
			r->body.len, r->body.data,
			r->body.data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!m)
		return MHD_NO;
	if (!r->const_body)
		r->body = (struct buf){};
	add_headers(m, r, atomic_load(&w->call.hub->draining));
	sent = MHD_queue_response(w->connection, r->status, m);
	MHD_destroy_response(m);
	return sent;
}

/* A reply in the middle of a body, where libmicrohttpd has no place for one: written to the
 * connection itself. What still comes is read and dropped, so that the other side can read this. */
static void say_last(struct web_call *w)
{
	const union MHD_ConnectionInfo *session =
		MHD_get_connection_info(w->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const struct reply *r = &w->call.reply;
	CLEANUP(buf_done) struct buf text = {};

	w->said_last = true;
	w->late.plain = false; /* who is late now hears nothing more */
	buf_addf(&text,
		 "HTTP/1.1 %u Refused\r\nContent-Type: application/json\r\nConnection: close\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 r->status, r->body.len);
	buf_add(&text, r->body.data, r->body.len);
	if (w->web->tls && session && session->tls_session)
		(void)gnutls_record_send((gnutls_session_t)session->tls_session, text.data,
					 text.len);
	else if (!w->web->tls)
		(void)send(w->late.fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	counts_add(w->call.hub->counts, COUNT_CUT, 1);
}

/* --- the first look at a request ----------------------------------------------------------- */

static const char *header(struct web_call *w, const char *name)
{
	return MHD_lookup_connection_value(w->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	unsigned int *n = cls;

	(void)kind;
	(void)value;
	if (strcasecmp(key, "Content-Length") == 0 || strcasecmp(key, "Transfer-Encoding") == 0)
		n[0]++;
	if (strcasecmp(key, "Authorization") == 0 || strcasecmp(key, "Host") == 0)
		n[1]++;
	return MHD_YES;
}

/* How long the body will be; false: two answers to that question, which is how requests are
 * smuggled past a proxy. */
static bool announced(struct web_call *w, uint64_t *ret)
{
	const char *length = header(w, "Content-Length"), *coding = header(w, "Transfer-Encoding");
	unsigned int n[2] = {};

	(void)MHD_get_connection_values(w->connection, MHD_HEADER_KIND, count_header, n);
	*ret = 0;
	if (n[0] > 1 || n[1] > 2)
		return false;
	if (coding)
		*ret = CALL_CHUNKED;
	if (coding && strcasecmp(coding, "chunked") != 0)
		return false;
	return !length || str_to_u64(slice_of(length), ret);
}

static const char *query_of(const struct request *r, const char *key)
{
	return target_param(&((const struct call *)r->from)->target, key);
}

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *key,
				   const char *value)
{
	(void)kind;
	listen_header(cls, key, value);
	return MHD_YES;
}

static void read_headers(struct web_call *w, const char *method)
{
	const struct hub_conf *conf = atomic_load(&w->call.hub->conf);
	struct listen_said said = {};
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(w->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct request *r = &w->call.request;

	*r = (struct request){
		.method = method,
		.path = w->call.target.path,
		.authorization = header(w, "Authorization"),
		.cookie = header(w, "Cookie"),
		.if_none_match = header(w, "If-None-Match"),
		.content_type = header(w, "Content-Type"),
		.host = header(w, "Host"),
		.origin = header(w, "Origin"),
		.agent_id = header(w, "X-Agent-ID"),
		.now = clock_now(),
		.query = query_of,
		.from = &w->call,
	};
	(void)MHD_get_connection_values(w->connection, MHD_HEADER_KIND, note_header, &said);
	listen_peer(info->client_addr, w->web->tls, &said, conf->trusted_proxy, r);
}

static enum MHD_Result wait_for(struct web_call *w, enum phase phase, void (*go)(struct call *c))
{
	w->phase = phase;
	MHD_suspend_connection(w->connection);
	go(&w->call);
	return MHD_YES;
}

/* A body has its time, and more for what has come of it: a large one over a slow line arrives, one
 * that trickles does not. */
static int64_t body_until(const struct web_call *w)
{
	const struct hub_conf *conf = atomic_load(&w->call.hub->conf);

	return w->call.began_us / 1000 + 1000 * (int64_t)conf->body_timeout +
	       1000 * (int64_t)w->call.body.len / conf->body_rate;
}

static enum MHD_Result expect_body(struct web_call *w)
{
	w->phase = PHASE_BODY;
	w->call.began_us = clock_boot_us();
	late_watch(&w->web->late, &w->late, body_until(w));
	return MHD_YES;
}

static enum MHD_Result first_look(struct web_call *w, const char *method)
{
	struct reply *reply = &w->call.reply;
	const char *expect;
	uint64_t length;

	late_forget(&w->web->late, &w->late);
	read_headers(w, method);
	expect = header(w, "Expect");
	if (!announced(w, &length) || !w->call.target.path[0]) {
		reply_error(reply, 400, "bad_request", NULL, "this is no request");
		return send_reply(w);
	}
	call_begin(&w->call, length, header(w, "Content-Encoding"));
	/* Nothing of the body has been sent yet, and nothing will be: the connection ends. */
	if (reply->status && length && expect)
		return send_reply(w);
	/* It is on its way, and the other side may only listen when it has said everything. */
	if (reply->status == 413)
		say_last(w);
	if (!reply->status && length && w->call.match.route->need != NEED_NOBODY)
		return wait_for(w, PHASE_ADMITTING, call_admit);
	return expect_body(w);
}

/* --- the body ------------------------------------------------------------------------------ */

static enum MHD_Result take_body(struct web_call *w, const char *data, size_t n)
{
	struct reply *reply = &w->call.reply;

	if (!reply->status && call_body(&w->call, data, n)) {
		late_extend(&w->web->late, &w->late, body_until(w));
		return MHD_YES;
	}
	if (reply->status == 413 && !w->said_last)
		say_last(w);
	w->discarded += n;
	return w->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result body_is_whole(struct web_call *w)
{
	late_forget(&w->web->late, &w->late);
	if (w->said_last)
		return MHD_NO;
	if (w->call.reply.status)
		return send_reply(w);
	return wait_for(w, PHASE_RUNNING, call_run);
}

/* libmicrohttpd calls it after the headers, again after each suspension, for each piece of the
 * body, and when the request is whole. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **context)
{
	struct web_call *w = *context;
	size_t n = *size;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	switch (w->phase) {
	case PHASE_NEW:
		return first_look(w, method);
	case PHASE_ADMITTING:
		if (w->call.reply.status && header(w, "Expect"))
			return send_reply(w);
		return expect_body(w);
	case PHASE_BODY:
		*size = 0;
		return n ? take_body(w, data, n) : body_is_whole(w);
	case PHASE_RUNNING:
		return send_reply(w);
	}
	return MHD_NO;
}

/* --- the life of a request ----------------------------------------------------------------- */

static void on_finished(struct call *c)
{
	struct web_call *w = (struct web_call *)c;

	MHD_resume_connection(w->connection);
}

static struct visitor *visitor_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static int64_t silent_until(const struct web *w)
{
	const struct hub_conf *conf = atomic_load(&w->hub->conf);

	return clock_boot_ms() + 1000 * (int64_t)conf->silent_timeout;
}

/* The request line is here: @uri is its target as it was sent. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct web *web = cls;
	struct web_call *w = xcalloc(1, sizeof(*w));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	visitor_asks(visitor_of(connection));
	w->web = web;
	w->connection = connection;
	w->call.hub = web->hub;
	w->call.finished = on_finished;
	w->late.fd = info->connect_fd;
	w->late.plain = !web->tls;
	(void)target_parse(slice_of(uri), &w->call.target);
	atomic_fetch_add(&web->hub->requests, 1);
	late_watch(&web->late, &w->late, clock_boot_ms() + HEADERS_MS);
	return w;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct web_call *w = *context;

	(void)cls;
	(void)code;
	if (!w)
		return;
	*context = NULL;
	late_forget(&w->web->late, &w->late);
	visitor_answered(visitor_of(connection), w->call.who.org[0] != '\0',
			 w->call.request.forwarded, silent_until(w->web));
	atomic_fetch_sub(&w->web->hub->requests, 1);
	call_done(&w->call);
	free(w);
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
	struct web *web = cls;

	(void)len;
	return visitors_have_room(&web->visitors, address) ? MHD_YES : MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *peer, *fd;
	struct web *web = cls;

	if (code != MHD_CONNECTION_NOTIFY_STARTED) {
		visitor_free(*context);
		*context = NULL;
		atomic_fetch_sub(&web->hub->connections, 1);
		return;
	}
	peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	*context =
		visitor_new(&web->visitors, peer->client_addr, fd->connect_fd, silent_until(web));
	atomic_fetch_add(&web->hub->connections, 1);
}

/* Targets are taken apart by hub/target.h, from what was sent. */
static size_t leave_as_is(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *fmt, va_list ap)
{
	struct web *w = cls;
	char text[256];
	struct slice said;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	said = slice_rtrim(slice_of(text));
	log_debug("http: " SLICE_FMT, SLICE_ARG(said));
	if (pthread_equal(pthread_self(), w->starter))
		(void)snprintf(w->why, sizeof(w->why), SLICE_FMT, SLICE_ARG(said));
}

/* --- the life of the server ---------------------------------------------------------------- */

static struct MHD_Daemon *start(struct web *w, const struct hub_conf *conf, unsigned int room)
{
	unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			     MHD_USE_ITC | MHD_USE_ERROR_LOG | (w->tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)tls_retrieve },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(
		flags, 0, on_accept, w, on_request, w, MHD_OPTION_EXTERNAL_LOGGER, on_log, w,
		MHD_OPTION_LISTEN_SOCKET, w->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)THREADS,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_CONNECTION_LIMIT, room,
		MHD_OPTION_CONNECTION_TIMEOUT, conf->idle_timeout,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)1024, MHD_OPTION_URI_LOG_CALLBACK,
		on_target, w, MHD_OPTION_UNESCAPE_CALLBACK, leave_as_is, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, w, MHD_OPTION_THREAD_STACK_SIZE, (size_t)256 * 1024,
		MHD_OPTION_ARRAY, w->tls ? tls : &tls[2], MHD_OPTION_END);
}

int web_start(struct web **ret, struct hub *hub, uint16_t *ret_port, struct err *e)
{
	const struct hub_conf *conf = atomic_load(&hub->conf);
	size_t room = listen_make_room((size_t)conf->connections + FILES_BESIDE);
	struct web *w = xcalloc(1, sizeof(*w));
	int r;

	room = room > 2 * FILES_BESIDE ? room - FILES_BESIDE : FILES_BESIDE;
	if (room < conf->connections)
		log_warn("room for %zu connections instead of %u: raise LimitNOFILE", room,
			 conf->connections);
	w->hub = hub;
	w->tls = conf->tls_cert != NULL;
	w->starter = pthread_self();
	w->fd = listen_open(conf->listen, ret_port, e);
	r = w->fd < 0 ? w->fd : late_start(&w->late, hub->counts, e);
	visitors_begin(&w->visitors, &w->late, conf->connections_per_address);
	if (r) {
		visitors_done(&w->visitors);
		base_close_fd(&w->fd);
		free(w);
		return r;
	}
	w->daemon =
		start(w, conf, (unsigned int)(room < conf->connections ? room : conf->connections));
	if (!w->daemon) {
		r = err_set(e, -EIO, "the HTTP server does not start: %s",
			    w->why[0] ? w->why : strerror(errno));
		late_stop(&w->late);
		visitors_done(&w->visitors);
		base_close_fd(&w->fd);
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void web_drain(struct web *w)
{
	atomic_store(&w->hub->draining, true);
	w->fd = MHD_quiesce_daemon(w->daemon);
	base_close_fd(&w->fd);
	w->fd = -1;
}

void web_stop(struct web *w)
{
	if (!w)
		return;
	MHD_stop_daemon(w->daemon);
	late_stop(&w->late);
	visitors_done(&w->visitors);
	free(w);
}
