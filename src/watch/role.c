/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Large enough for the largest message: a config file of pmxcfs. */
enum { BUFFER_BYTES = 2 * 1024 * 1024 };

static void default_signals(void)
{
	sigset_t none;

	for (int n = 1; n < SIGRTMIN; n++)
		(void)signal(n, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* The supervisor ends us by closing the socket: a terminal's Ctrl-C is its business. */
	(void)signal(SIGINT, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static NORETURN void be(const char *name, pid_t parent, void (*main)(int fd, void *arg), void *arg,
			int fd)
{
	default_signals();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, name);
	if (getppid() != parent)
		_exit(0);
	if (fd != 3) {
		(void)dup2(fd, 3);
		fd = 3;
	}
	(void)close_range(4, ~0U, 0);
	(void)fcntl(fd, F_SETFL, 0);
	main(fd, arg);
	_exit(0);
}

int role_start(struct role *ret, const char *name, void (*main)(int fd, void *arg), void *arg,
	       struct err *e)
{
	const int size = BUFFER_BYTES;
	pid_t parent = getpid();
	int fds[2];

	*ret = (struct role){ .pidfd = -1, .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_set(e, -errno, "no socket for the %s: %s", name, strerror(errno));
	for (int i = 0; i < 2; i++)
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ret->pid = fork();
	if (ret->pid == 0)
		be(name, parent, main, arg, fds[1]);
	(void)close(fds[1]);
	if (ret->pid < 0) {
		int code = -errno;

		(void)close(fds[0]);
		return err_set(e, code, "the %s could not be started: %s", name, strerror(-code));
	}
	ret->fd = fds[0];
	ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
	return 0;
}

bool role_end(struct role *r)
{
	bool gone = r->pid <= 0;

	if (r->pid > 0)
		(void)kill(r->pid, SIGKILL);
	for (int i = 0; i < 50 && !gone; i++) {
		gone = waitpid(r->pid, NULL, WNOHANG) != 0;
		if (!gone)
			(void)poll(NULL, 0, 1);
	}
	if (r->pid > 0 && r->pidfd >= 0)
		(void)close(r->pidfd);
	if (r->pid > 0 && r->fd >= 0)
		(void)close(r->fd);
	*r = (struct role){ .pidfd = -1, .fd = -1 };
	return gone;
}
