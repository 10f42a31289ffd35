/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/prober_child.h"

enum {
	HELLO_MS = 2000, /* a sandbox takes one millisecond on a machine that is not busy */
	GONE_MS = 1000,
};

/* Blocked signals stay the parent's: none of its handlers runs in the child. */
static pid_t fork_child(const int fds[2], const struct prober_limits *limits)
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		prober_child(fds[1], parent, limits);
	pid = pid < 0 ? -errno : pid;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* Waits for one descriptor until @deadline. */
static bool is_ready(int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		int64_t left = deadline - clock_boot_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Until it has said that it stands in its sandbox, nobody may trust it with anything. */
static int await_hello(int fd, struct err *e)
{
	struct prober_hello hello;
	ssize_t n;

	if (!is_ready(fd, clock_boot_ms() + HELLO_MS))
		return err_set(e, -ETIMEDOUT, "the prober did not begin within %d ms", HELLO_MS);
	n = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT);
	if (n != (ssize_t)sizeof(hello))
		return err_set(e, -EPIPE, "the prober ended before it began");
	hello.e.text[sizeof(hello.e.text) - 1] = '\0';
	return hello.code == 0 ? 0 : err_set(e, hello.code, "%s", hello.e.text);
}

static int start(struct prober *p, int fds[2], const struct prober_limits *limits, struct err *e)
{
	p->pid = fork_child(fds, limits);
	if (p->pid < 0)
		return err_set(e, p->pid, "no prober could be forked: %s", strerror(-p->pid));
	base_close_fd(&fds[1]);
	fds[1] = -1;
	p->fd = take_fd(&fds[0]);
	p->pidfd = pidfd_open(p->pid, 0);
	if (p->pidfd < 0)
		return err_set(e, -errno, "no descriptor of the prober: %s", strerror(errno));
	if (fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, -errno, "the prober's socket: %s", strerror(errno));
	return await_hello(p->fd, e);
}

int prober_start(struct prober *ret, const struct prober_limits *limits, struct err *e)
{
	struct prober p = { .pidfd = -1, .fd = -1 };
	int fds[2], r;

	if (geteuid() == 0 && (limits->uid == 0 || limits->gid == 0))
		return err_set(e, -EINVAL, "a prober may not be root's");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "no sockets for a prober: %s", strerror(errno));
	r = start(&p, fds, limits, e);
	base_close_fd(&fds[0]);
	base_close_fd(&fds[1]);
	if (r < 0)
		prober_end(&p);
	else
		*ret = p;
	return r;
}

static int gone_or(int code)
{
	return code == ECONNRESET || code == EPIPE || code == ENOTCONN ? -EPIPE : -code;
}

/* What is written and was not read yet. */
static bool is_behind(const struct prober *p)
{
	int bytes = 0;

	return ioctl(p->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* Packs those that there are; the head says which they are. */
static void add_fds(struct msghdr *m, struct prober_head *head, const int *fds, size_t n_fds)
{
	struct cmsghdr *c = m->msg_control;
	size_t n = 0;

	for (size_t i = 0; i < n_fds; i++) {
		if (fds[i] < 0)
			continue;
		head->fds |= 1U << i;
		memcpy(CMSG_DATA(c) + n++ * sizeof(int), &fds[i], sizeof(int));
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	m->msg_controllen = n ? CMSG_SPACE(n * sizeof(int)) : 0;
}

static size_t talks(const struct probe_ask *ask)
{
	size_t n = 0;

	for (size_t i = 0; i < ask->n_targets; i++)
		n += ask->targets[i].kind == PROBE_AGENT || ask->targets[i].kind == PROBE_QMP;
	return n;
}

int prober_ask(const struct prober *p, const struct probe_ask *ask, const int *fds, size_t n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PROBE_FDS_MAX * sizeof(int))] = {};
	struct prober_head head = {};
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)ask, 0 } };
	struct msghdr m = { .msg_iov = parts,
			    .msg_iovlen = ARRAY_SIZE(parts),
			    .msg_control = control };

	if (n_fds > PROBE_FDS_MAX || !prober_ask_is_valid(ask) || n_fds > talks(ask))
		return -EINVAL;
	if (is_behind(p))
		return -EAGAIN;
	parts[1].iov_len = prober_ask_size(ask);
	add_fds(&m, &head, fds, n_fds);
	if (sendmsg(p->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return gone_or(errno);
	return 0;
}

int prober_answer(const struct prober *p, struct probe_answer *ret)
{
	struct probe_answer a = {};
	ssize_t n;

	/* Without room for them, the kernel drops descriptors that a broken one might send. */
	n = recv(p->fd, &a, sizeof(a), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return gone_or(errno);
	if (n == 0)
		return -EPIPE;
	if (n < (ssize_t)offsetof(struct probe_answer, targets) || n > (ssize_t)sizeof(a))
		return -EPROTO;
	if (!prober_answer_is_valid(&a) || (size_t)n != prober_answer_size(&a))
		return -EPROTO;
	*ret = a;
	return 0;
}

void prober_end(struct prober *p)
{
	if (p->pid > 0) {
		if (p->pidfd < 0)
			(void)kill(p->pid, SIGKILL);
		else
			(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
		/* A killed one is gone at once; whoever is not is left to the caller's own reaping.
		 */
		if (p->pidfd < 0 || is_ready(p->pidfd, clock_boot_ms() + GONE_MS))
			(void)waitpid(p->pid, NULL, p->pidfd < 0 ? 0 : WNOHANG);
		base_close_fd(&p->pidfd);
		base_close_fd(&p->fd);
	}
	*p = (struct prober){ .pidfd = -1, .fd = -1 };
}
