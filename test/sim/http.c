/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler *handle;
	void *arg;
};

enum { BODY_MAX = 8 << 20 };

/* What a connection will do with its next request. */
struct line {
	bool stale, spoken;
};

static int fd_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static struct line *line_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

struct walk {
	void (*each)(void *arg, const char *key, const char *value);
	void *arg;
};

static enum MHD_Result on_arg(void *cls, enum MHD_ValueKind kind, const char *key,
			      const char *value)
{
	struct walk *w = cls;

	(void)kind;
	w->each(w->arg, key, value ? value : "");
	return MHD_YES;
}

void http_args(const struct http_exchange *x,
	       void (*each)(void *arg, const char *key, const char *value), void *arg)
{
	struct walk w = { each, arg };

	(void)MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, on_arg, &w);
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
	if (x->n_headers == ARRAY_SIZE(x->headers))
		return;
	(void)snprintf(x->headers[x->n_headers].name, sizeof(x->headers[0].name), "%s", name);
	(void)snprintf(x->headers[x->n_headers].value, sizeof(x->headers[0].value), "%s", value);
	x->n_headers++;
}

/* Of a body of which only the first half is sent. */
static ssize_t read_half(void *cls, uint64_t at, char *to, size_t max)
{
	const struct http_exchange *x = cls;
	size_t half = x->reply.len / 2;

	if (at >= half)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (max > half - at)
		max = half - at;
	memcpy(to, x->reply.data + at, max);
	return (ssize_t)max;
}

static enum MHD_Result answer(struct http_exchange *x)
{
	struct MHD_Response *r;
	enum MHD_Result sent;

	if (x->end == HTTP_TRUNCATED && x->reply.len > 1)
		r = MHD_create_response_from_callback(x->reply.len, 4096, read_half, x, NULL);
	else
		r = MHD_create_response_from_buffer(x->reply.len, x->reply.data,
						    MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	if (x->reply.len)
		(void)MHD_add_response_header(r, "Content-Type",
					      x->type ? x->type : "application/json");
	for (size_t i = 0; i < x->n_headers; i++)
		(void)MHD_add_response_header(r, x->headers[i].name, x->headers[i].value);
	sent = MHD_queue_response(x->connection, x->status, r);
	MHD_destroy_response(r);
	return sent;
}

static enum MHD_Result finish(struct http_exchange *x)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	switch (x->end) {
	case HTTP_CLOSE:
		return MHD_NO;
	case HTTP_RESET:
		/* To forget the peer is what makes the kernel send an RST at once. */
		(void)connect(fd_of(x->connection), &none, sizeof(none));
		return MHD_NO;
	case HTTP_STALE:
		line_of(x->connection)->stale = true;
		break;
	case HTTP_ANSWER:
	case HTTP_TRUNCATED:
	case HTTP_HALF_CLOSED:
		break;
	}
	return answer(x);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *size, void **context)
{
	struct http_server *h = cls;
	struct http_exchange *x = *context;

	(void)version;
	if (!x) {
		if (line_of(connection)->stale)
			return MHD_NO;
		x = xcalloc(1, sizeof(*x));
		x->connection = connection;
		*context = x;
		return MHD_YES;
	}
	if (*size) {
		if (x->body.len + *size > BODY_MAX)
			return MHD_NO;
		buf_add(&x->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	x->method = method;
	x->url = url;
	x->first = !line_of(connection)->spoken;
	line_of(connection)->spoken = true;
	h->handle(h->arg, x);
	return finish(x);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http_exchange *x = *context;

	(void)cls;
	(void)code;
	if (!x)
		return;
	if (x->end == HTTP_HALF_CLOSED) {
		line_of(connection)->stale = true;
		(void)shutdown(fd_of(connection), SHUT_WR);
	}
	buf_done(&x->body);
	buf_done(&x->reply);
	free(x);
	*context = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	(void)cls;
	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = xcalloc(1, sizeof(struct line));
	} else {
		free(*context);
		*context = NULL;
	}
}

static int listener(int *port, struct err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr = { htonl(INADDR_LOOPBACK) },
				  .sin_port = htons((uint16_t)*port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t n = sizeof(at);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 512) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &n) < 0) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return err_set(e, r, "cannot listen on 127.0.0.1:%d: %s", *port, strerror(-r));
	}
	*port = ntohs(at.sin_port);
	return fd;
}

int http_start(int *port, const char *cert, const char *key, http_handler *handle, void *arg,
	       struct http_server **ret, struct err *e)
{
	unsigned int flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			     MHD_USE_POLL | MHD_USE_ITC | (cert ? MHD_USE_TLS : 0);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct http_server *h;
	int fd = listener(port, e);

	if (fd < 0)
		return fd;
	h = xcalloc(1, sizeof(*h));
	*h = (struct http_server){ .handle = handle, .arg = arg };
	h->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024, MHD_OPTION_CONNECTION_LIMIT,
		1000u, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, h, MHD_OPTION_ARRAY, cert ? tls : &tls[2], MHD_OPTION_END);
	if (!h->daemon) {
		free(h);
		close(fd);
		return err_set(e, -EINVAL, "the server on port %d does not start%s", *port,
			       cert ? ": are certificate and key a pair?" : "");
	}
	*ret = h;
	return 0;
}

void http_stop(struct http_server *h)
{
	if (!h)
		return;
	MHD_stop_daemon(h->daemon);
	free(h);
}
