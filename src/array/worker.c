/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "array/worker_wire.h"
#include "util/clock.h"
#include "util/file.h"

enum {
	GRACE_MS = 500,	  /* beyond its deadline, for a call that ends by itself */
	QUICK_MS = 15000, /* of calls that only look */
	STOP_MS = 2000,
	LIST_MAX = 65536,
};

struct workers {
	int fd; /* requests, one packet each; its end is the server's end */
	pid_t pid;
};

int workers_start(struct workers **ret, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "no socket pair could be made: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		worker_serve(fds[1]);
	base_close_fd(&fds[1]);
	if (pid < 0) {
		int r = -errno;

		base_close_fd(&fds[0]);
		return err_set(e, r, "the worker process could not be started: %s", strerror(-r));
	}
	*ret = xcalloc(1, sizeof(**ret));
	**ret = (struct workers){ .fd = fds[0], .pid = pid };
	return 0;
}

/* It ends when its socket does. One that hangs is not waited for. */
void workers_stop(struct workers *w)
{
	int64_t until = clock_boot_ms() + STOP_MS;

	if (!w)
		return;
	base_close_fd(&w->fd);
	while (waitpid(w->pid, NULL, WNOHANG) == 0 && clock_boot_ms() < until)
		(void)poll(NULL, 0, 2);
	free(w);
}

int workers_fd(const struct workers *w)
{
	return w->fd;
}

static int lost(int code, struct err *e)
{
	return err_set(e, code, "the process that works on devices has ended: %s", strerror(-code));
}

/* The request with the descriptor that the answer is to be written to. */
static int submit(struct workers *w, const struct worker_request *q, int reply, int64_t deadline,
		  struct err *e)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec data = { .iov_base = (void *)q, .iov_len = sizeof(*q) };
	struct msghdr m = { .msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control.space) };

	memcpy(CMSG_DATA(&control.head), &reply, sizeof(reply));
	for (;;) {
		struct pollfd p = { .fd = w->fd, .events = POLLOUT };
		int64_t left = deadline - clock_boot_ms();

		if (sendmsg(w->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
			return lost(-errno, e);
		if (left <= 0)
			return err_set(e, -ETIMEDOUT, "the process that works on devices is busy");
		(void)poll(&p, 1, (int)left);
	}
}

static int receive(int fd, void *data, size_t n, int64_t deadline)
{
	char *at = data;

	while (n) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_boot_ms();
		ssize_t got;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		got = recv(fd, at, n, MSG_DONTWAIT);
		if (got == 0)
			return -EPIPE;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
	return 0;
}

/* @ret is filled only when the call has succeeded and what it left has exactly that size; with @a
 * its size is whatever a list has. */
struct answer {
	void *ret;
	size_t size;
	struct arena *a;
	size_t n; /* bytes there are, with @a */
};

static int take_payload(int fd, const struct worker_reply *head, struct answer *ret,
			int64_t deadline)
{
	if (!ret->a && head->size != ret->size)
		return -EPROTO;
	if (ret->a && head->size > LIST_MAX * sizeof(struct map_found))
		return -EPROTO;
	if (ret->a)
		ret->ret = arena_alloc(ret->a, head->size);
	ret->n = head->size;
	return receive(fd, ret->ret, head->size, deadline);
}

static int await(int fd, struct answer *ret, int64_t deadline, struct err *e)
{
	struct worker_reply head = {};
	int r = receive(fd, &head, sizeof(head), deadline);

	if (r == 0 && head.code == 0)
		r = take_payload(fd, &head, ret, deadline);
	/* Its process is ended at the deadline, which may be seen first. */
	if (r == -EPIPE && clock_boot_ms() >= deadline - GRACE_MS)
		r = -ETIMEDOUT;
	if (r == -ETIMEDOUT)
		return err_set(e, r, "no answer from the kernel in time: a path or a disk hangs");
	if (r < 0)
		return err_set(e, r, "the process for this call ended without an answer");
	if (e)
		*e = head.e;
	return head.code;
}

static int call(struct workers *w, const struct worker_request *q, struct answer *ret,
		struct err *e)
{
	int64_t deadline = clock_boot_ms() + q->deadline_ms + GRACE_MS;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "no socket pair could be made: %s", strerror(errno));
	r = submit(w, q, fds[1], deadline, e);
	base_close_fd(&fds[1]);
	if (r == 0)
		r = await(fds[0], ret, deadline, e);
	base_close_fd(&fds[0]);
	return r;
}

static int prepare(struct worker_request *q, enum worker_op op, const char *serial,
		   enum array_protocol protocol, int deadline_ms, struct err *e)
{
	*q = (struct worker_request){ .op = op, .protocol = protocol, .deadline_ms = deadline_ms };
	if (!array_serial_ok(serial))
		return err_set(e, -EINVAL, "\"%.40s\" is no volume's serial", serial);
	memcpy(q->serial, serial, sizeof(q->serial));
	return 0;
}

int workers_look(struct workers *w, const char *serial, enum array_protocol protocol,
		 struct map_state *ret, struct err *e)
{
	struct answer answer = { .ret = ret, .size = sizeof(*ret) };
	struct worker_request q;
	int r = prepare(&q, WORKER_LOOK, serial, protocol, QUICK_MS, e);

	return r < 0 ? r : call(w, &q, &answer, e);
}

int workers_list(struct workers *w, struct map_list *ret, struct arena *a, struct err *e)
{
	struct worker_request q = { .op = WORKER_LIST, .deadline_ms = QUICK_MS };
	struct answer answer = { .a = a };
	int r = call(w, &q, &answer, e);

	if (r == 0)
		*ret = (struct map_list){ answer.ret, answer.n / sizeof(*ret->items) };
	return r;
}

int workers_attach(struct workers *w, const struct map_want *want, int deadline_ms,
		   struct map_state *ret, struct err *e)
{
	struct answer answer = { .ret = ret, .size = sizeof(*ret) };
	struct worker_request q;
	int r = prepare(&q, WORKER_ATTACH, want->serial, want->protocol, deadline_ms, e);

	if (r < 0)
		return r;
	q.want = *want;
	return call(w, &q, &answer, e);
}

int workers_prune(struct workers *w, const struct map_want *want, int deadline_ms, struct err *e)
{
	struct answer answer = {};
	struct worker_request q;
	int r = prepare(&q, WORKER_PRUNE, want->serial, want->protocol, deadline_ms, e);

	if (r < 0)
		return r;
	q.want = *want;
	return call(w, &q, &answer, e);
}

int workers_ask(struct workers *w, const char *serial, enum array_protocol protocol,
		int deadline_ms, struct err *e)
{
	struct answer answer = {};
	struct worker_request q;
	int r = prepare(&q, WORKER_ASK, serial, protocol, deadline_ms, e);

	return r < 0 ? r : call(w, &q, &answer, e);
}

int workers_detach(struct workers *w, const char *serial, enum array_protocol protocol,
		   int deadline_ms, struct map_left *left, struct err *e)
{
	struct answer answer = { .ret = left, .size = sizeof(*left) };
	struct worker_request q;
	int r = prepare(&q, WORKER_DETACH, serial, protocol, deadline_ms, e);

	return r < 0 ? r : call(w, &q, &answer, e);
}

int workers_forget(struct workers *w, const struct map_left *left, int deadline_ms, struct err *e)
{
	struct answer answer = {};
	struct worker_request q;
	int r = prepare(&q, WORKER_FORGET, left->serial, left->protocol, deadline_ms, e);

	if (r < 0)
		return r;
	q.left = *left;
	return call(w, &q, &answer, e);
}

int workers_resize(struct workers *w, const char *serial, enum array_protocol protocol,
		   uint64_t size, int deadline_ms, struct map_state *ret, struct err *e)
{
	struct answer answer = { .ret = ret, .size = sizeof(*ret) };
	struct worker_request q;
	int r = prepare(&q, WORKER_RESIZE, serial, protocol, deadline_ms, e);

	q.size = size;
	return r < 0 ? r : call(w, &q, &answer, e);
}

int workers_refresh(struct workers *w, const char *serial, enum array_protocol protocol,
		    uint64_t size, int deadline_ms, struct err *e)
{
	struct answer answer = {};
	struct worker_request q;
	int r = prepare(&q, WORKER_REFRESH, serial, protocol, deadline_ms, e);

	q.size = size;
	return r < 0 ? r : call(w, &q, &answer, e);
}

size_t workers_stuck(struct workers *w, struct worker_stuck *ret, size_t max)
{
	struct worker_request q = { .op = WORKER_STUCK, .deadline_ms = QUICK_MS };
	CLEANUP(arena_done) struct arena a = {};
	struct answer answer = { .a = &a };
	size_t n;

	if (call(w, &q, &answer, NULL) < 0)
		return 0;
	n = answer.n / sizeof(*ret);
	n = n < max ? n : max;
	if (n)
		memcpy(ret, answer.ret, n * sizeof(*ret));
	return n;
}
