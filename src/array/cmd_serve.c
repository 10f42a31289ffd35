/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "array/arrayd.h"
#include "array/cmd_ctx.h"
#include "array/publisher.h"
#include "cmd.h"
#include "util/log.h"

const struct cli_option array_serve_options[] = {
	{ "socket", "PATH", "listen there instead of the socket that systemd hands over" },
	ARRAY_CTX_OPTIONS,
	{},
};

struct service {
	struct array_session session;
	struct publisher *publisher;
};

static int socket_of_systemd(struct err *e)
{
	int n = sd_listen_fds(1), fd = SD_LISTEN_FDS_START;

	if (n != 1)
		return err_set(e, -EBADF,
			       n < 1 ? "no socket was handed over: systemctl start "
				       "pvewarden-array.socket starts this, or give --socket PATH"
				     : "more than one socket was handed over");
	if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
		return err_set(e, -EBADF, "what was handed over is no listening stream socket");
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return err_set(e, -errno, "the socket: %s", strerror(errno));
	return fd;
}

static int answer(void *arg, struct slice request, struct buf *reply)
{
	struct service *s = arg;
	int r = array_call(&s->session.ctx, request, reply);

	publisher_count(s->publisher, r < 0);
	return r;
}

/* Threads still use what would be freed. */
NORETURN static void leave(int r, const struct err *e)
{
	if (r)
		log_error("%s", e->text);
	_exit(r ? CLI_INTERNAL : CLI_OK);
}

/* Everything that has threads stands between the workers' fork and their end. */
static int serve(struct service *s, int listen_fd, struct err *e)
{
	struct arrayd_options o = { .listen_fd = listen_fd,
				    .workers_fd = workers_fd(s->session.ctx.workers),
				    .connections = ARRAYD_CONNECTIONS_MAX,
				    .request_ms = ARRAYD_REQUEST_MS,
				    .drain_ms = ARRAYD_DRAIN_MS,
				    .call = answer,
				    .arg = s };
	unsigned int left = 0;
	int r = publisher_start(&s->publisher, &s->session.ctx, e);

	if (!r) {
		(void)sd_notify(0, "READY=1");
		r = arrayd_serve(&o, &left, e);
	}
	/* A thread that still waits for the kernel or an array is no reason to stay. */
	if (!publisher_stop(s->publisher) || left)
		leave(r, e);
	return r;
}

int cmd_array_serve(const struct cli *cli)
{
	const char *path = cli_value(cli, "socket");
	struct service s = {};
	struct err e = {};
	int fd, r;

	log_set_level(LOG_LEVEL_INFO);
	arrayd_block_signals();
	r = array_session_begin(&s.session, cli, &e);
	if (r < 0) {
		log_error("%s", e.text);
		return r == -EPERM ? CLI_NOPERM : CLI_INTERNAL;
	}
	fd = path ? arrayd_listen(path, &e) : socket_of_systemd(&e);
	r = fd < 0 ? fd : serve(&s, fd, &e);
	if (r)
		log_error("%s", e.text);
	if (path && fd >= 0)
		(void)unlink(path);
	array_session_end(&s.session);
	return r ? CLI_INTERNAL : CLI_OK;
}
