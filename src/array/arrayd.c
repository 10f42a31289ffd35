/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/arrayd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/jsonw.h"
#include "util/log.h"

enum { CHUNK = 16 * 1024, PULSE_MS = 10000, ORPHANED_MS = 5000 };

struct arrayd {
	const struct arrayd_options *o;
	pthread_mutex_t lock;
	unsigned int active; /* connections that are being served */
	int wake;	     /* an eventfd: one of them is done */
	int signals;
};

struct visit {
	struct arrayd *d;
	int fd;
};

void arrayd_refuse(struct buf *reply, int code, const char *sentence)
{
	const char *name = strerrorname_np(-code);
	struct jsonw w;

	jsonw_begin_row(&w, reply);
	jsonw_bool(&w, "ok", false);
	jsonw_str(&w, "error", sentence);
	jsonw_str(&w, "code", name ? name : "EIO");
	jsonw_array(&w, "log");
	jsonw_close(&w);
	jsonw_end(&w);
}

/* --- one connection -------------------------------------------------------------------------- */

/* 0 once @fd is ready for @events, -ETIMEDOUT at the deadline. */
static int wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = deadline - clock_boot_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* One more piece of the request: 1, or 0 at the end of what the peer sends. */
static int read_piece(int fd, int64_t deadline, struct buf *ret)
{
	int r = wait_for(fd, POLLIN, deadline);
	ssize_t got;

	if (r < 0)
		return r;
	got = recv(fd, buf_reserve(ret, CHUNK), CHUNK, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	ret->len += (size_t)got;
	return got > 0;
}

/* The line without its newline. What was cut short is never run. */
static int read_request(int fd, int request_ms, struct buf *ret, struct err *e)
{
	int64_t deadline = clock_boot_ms() + request_ms;

	for (;;) {
		size_t before = ret->len;
		int r = read_piece(fd, deadline, ret);
		char *end = ret->len > before ? memchr(ret->data + before, '\n', ret->len - before)
					      : NULL;

		if (end) {
			ret->len = (size_t)(end - ret->data);
			*end = '\0';
		}
		if (ret->len > ARRAYD_REQUEST_MAX)
			return err_set(e, -E2BIG, "the request has more than %d bytes",
				       ARRAYD_REQUEST_MAX);
		if (end)
			return 0;
		if (r == -ETIMEDOUT)
			return err_set(e, r, "the request was not complete within %d ms",
				       request_ms);
		if (r < 0)
			return err_set(e, r, "the request could not be read: %s", strerror(-r));
		if (r == 0)
			return err_set(e, -EINVAL, "the request ended before the end of its line");
	}
}

static int write_reply(int fd, const struct buf *reply)
{
	int64_t deadline = clock_boot_ms() + ARRAYD_REPLY_MS;

	for (size_t at = 0; at < reply->len;) {
		ssize_t put =
			send(fd, reply->data + at, reply->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (put > 0)
			at += (size_t)put;
		else if (put < 0 && errno == EAGAIN)
			r = wait_for(fd, POLLOUT, deadline);
		else if (put < 0 && errno != EINTR)
			r = -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

/* While it waited for its turn its caller may have given it up, and with that the locks of Proxmox'
 * under which it asked. Who has only said its last word (SHUT_WR) is there. */
static bool has_left(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static void answer(const struct arrayd_options *o, int fd)
{
	CLEANUP(buf_wipe) struct buf request = {}; /* it may hold a token */
	CLEANUP(buf_done) struct buf reply = {};
	struct err e = {};
	int r = read_request(fd, o->request_ms, &request, &e);

	if (r < 0 && !request.len)
		return; /* somebody looked whether anybody listens */
	if (r < 0) {
		log_warn("a request was refused: %s", e.text);
		arrayd_refuse(&reply, r, e.text);
	} else if (has_left(fd)) {
		log_warn("a request was not run: its caller did not wait for its turn");
		return;
	} else {
		(void)o->call(o->arg, buf_slice(&request), &reply);
	}
	r = write_reply(fd, &reply);
	if (r < 0)
		log_debug("nobody took the reply: %s", strerror(-r));
}

static void *visit_run(void *arg)
{
	struct visit *v = arg;
	struct arrayd *d = v->d;

	answer(d->o, v->fd);
	(void)close(v->fd);
	free(v);
	(void)pthread_mutex_lock(&d->lock);
	d->active--;
	/* Under the lock: once it is let go without anybody active, the eventfd may be closed. */
	(void)eventfd_write(d->wake, 1);
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* --- the door -------------------------------------------------------------------------------- */

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	log_warn("user %u (pid %d) was turned away: the socket is root's", peer.uid, peer.pid);
	return false;
}

static void change_active(struct arrayd *d, int by)
{
	(void)pthread_mutex_lock(&d->lock);
	d->active += (unsigned int)by;
	(void)pthread_mutex_unlock(&d->lock);
}

static unsigned int active(struct arrayd *d)
{
	unsigned int n;

	(void)pthread_mutex_lock(&d->lock);
	n = d->active;
	(void)pthread_mutex_unlock(&d->lock);
	return n;
}

/* Without memory for a thread it is said, so that the caller need not wait for its own deadline. */
static void turn_away(int fd, int r)
{
	CLEANUP(buf_done) struct buf reply = {};

	log_error("no thread for a request: %s", strerror(-r));
	arrayd_refuse(&reply, -EAGAIN, "pvewarden's array service has no memory for this request");
	(void)send(fd, reply.data, reply.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

static void take_one(struct arrayd *d)
{
	struct visit *v;
	pthread_attr_t attr;
	pthread_t thread;
	int r, fd = accept4(d->o->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (!is_allowed(fd)) {
		(void)close(fd);
		return;
	}
	v = xmalloc(sizeof(*v));
	*v = (struct visit){ .d = d, .fd = fd };
	change_active(d, 1);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, visit_run, v);
	(void)pthread_attr_destroy(&attr);
	if (!r)
		return;
	change_active(d, -1);
	free(v);
	turn_away(fd, -r);
}

/* --- the loop -------------------------------------------------------------------------------- */

enum { AT_SIGNAL, AT_WAKE, AT_WORKERS, AT_DOOR, AT_MAX };

static void swallow(int fd)
{
	eventfd_t n;

	(void)eventfd_read(fd, &n);
}

static bool was_signalled(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info);
}

/* Until there is a reason to end: 0 by a signal, -EPIPE without workers. */
static int receive(struct arrayd *d, struct err *e)
{
	for (;;) {
		bool full = active(d) >= d->o->connections;
		struct pollfd p[AT_MAX] = {
			[AT_SIGNAL] = { .fd = d->signals, .events = POLLIN },
			[AT_WAKE] = { .fd = d->wake, .events = POLLIN },
			[AT_WORKERS] = { .fd = d->o->workers_fd, .events = POLLIN },
			[AT_DOOR] = { .fd = full ? -1 : d->o->listen_fd, .events = POLLIN },
		};

		if (poll(p, AT_MAX, PULSE_MS) < 0 && errno != EINTR)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		(void)sd_notify(0, "WATCHDOG=1");
		if (p[AT_WORKERS].revents)
			return err_set(e, -EPIPE, "the workers' process ended");
		if (p[AT_SIGNAL].revents && was_signalled(d->signals))
			return 0;
		if (p[AT_WAKE].revents)
			swallow(d->wake);
		if (p[AT_DOOR].revents)
			take_one(d);
	}
}

/* A second signal ends the waiting. */
static unsigned int drain(struct arrayd *d, int ms)
{
	int64_t end = clock_boot_ms() + ms;
	unsigned int n;

	while ((n = active(d)) > 0) {
		struct pollfd p[] = { { .fd = d->signals, .events = POLLIN },
				      { .fd = d->wake, .events = POLLIN } };
		int64_t left = end - clock_boot_ms();

		if (left <= 0)
			return n;
		(void)poll(p, ARRAY_SIZE(p), left < PULSE_MS ? (int)left : PULSE_MS);
		(void)sd_notify(0, "WATCHDOG=1");
		if (p[0].revents && was_signalled(d->signals))
			return active(d);
		if (p[1].revents)
			swallow(d->wake);
	}
	return 0;
}

static void signal_set(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
}

void arrayd_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static struct arrayd *begin(const struct arrayd_options *o, struct err *e)
{
	struct arrayd *d = xcalloc(1, sizeof(*d));
	sigset_t set;

	signal_set(&set);
	d->o = o;
	(void)pthread_mutex_init(&d->lock, NULL);
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->wake >= 0 && d->signals >= 0)
		return d;
	err_set(e, -errno, "no descriptors to wait with: %s", strerror(errno));
	free(d);
	return NULL;
}

int arrayd_serve(const struct arrayd_options *o, unsigned int *ret_left, struct err *e)
{
	struct arrayd *d = begin(o, e);
	int r;

	*ret_left = 0;
	if (!d)
		return -EMFILE;
	r = receive(d, e);
	(void)sd_notify(0, "STOPPING=1");
	*ret_left = drain(d, r == -EPIPE && o->drain_ms > ORPHANED_MS ? ORPHANED_MS : o->drain_ms);
	if (*ret_left) {
		/* Their threads still use d: it ends with the process. */
		log_warn("%u requests were not finished; they can be asked again", *ret_left);
		return r;
	}
	(void)close(d->wake);
	(void)close(d->signals);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
	return r;
}

/* --- the socket of tests --------------------------------------------------------------------- */

static bool somebody_serves(const struct sockaddr_un *a)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 &&
	       (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN);
}

int arrayd_listen(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	mode_t old;
	int r;

	if (fd < 0)
		return err_set(e, -errno, "no socket: %s", strerror(errno));
	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path) >= sizeof(a.sun_path))
		return err_set(e, -ENAMETOOLONG, "%s: longer than %zu bytes, which no socket has",
			       path, sizeof(a.sun_path) - 1);
	if (somebody_serves(&a))
		return err_set(e, -EADDRINUSE, "%s: somebody serves there already", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	old = umask(0177);
	r = bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	(void)umask(old);
	if (!r && listen(fd, ARRAYD_BACKLOG) < 0)
		r = -errno;
	if (r)
		return err_set(e, r, "cannot listen at %s: %s", path, strerror(-r));
	return take_fd(&fd);
}
