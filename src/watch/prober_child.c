/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/prober_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/sandbox.h"
#include "watch/probe_round.h"
#include "watch/prober_self.h"

enum {
	OWN_FD = 3,
	/* Its own four, what comes along, and a socket for each address of each target. */
	FDS_MAX = OWN_FD + 1 + PROBE_FDS_MAX + PROBE_TARGETS_MAX * PROBE_ADDRESSES_MAX + 8,
};

/* Not on the stack, so that the stack stays at the pages that it has. */
static struct {
	struct prober_head head;
	struct probe_ask ask;
	struct probe_answer answer;
	struct prober_hello hello;
} my;

/* The supervisor takes its signals by descriptor, which the child does not have. */
static void reset_signals(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i <= SIGRTMAX; i++)
		(void)sigaction(i, &act, NULL); /* some cannot be changed, and need not */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* @fd as OWN_FD, /dev/null or nothing below it, and no other. */
static int keep_only(int fd)
{
	int safe = fcntl(fd, F_DUPFD, OWN_FD + 1), null;

	if (safe < 0)
		return -errno;
	null = open("/dev/null", O_RDWR);
	for (int i = 0; i < OWN_FD; i++)
		if (null < 0 || dup2(null, i) < 0)
			(void)close(i);
	if (dup2(safe, OWN_FD) < 0 || close_range(OWN_FD + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static int give_up_all(int fd, pid_t parent, const struct prober_limits *limits, struct err *e)
{
	struct sandbox s = { .uid = limits->uid,
			     .gid = limits->gid,
			     .parent = parent,
			     .ports = limits->ports,
			     .n_ports = limits->n_ports,
			     .n_fds = FDS_MAX };
	int r = keep_only(fd);

	if (r < 0)
		return err_set(e, r, "the prober's descriptors: %s", strerror(-r));
	return sandbox_enter(&s, e);
}

/* The descriptors of one message into their places. False if there are not as many as it says. */
static bool sort_fds(struct msghdr *m, int fds[PROBE_FDS_MAX])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	bool rights = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
	size_t n = rights ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0, used = 0;

	for (size_t i = 0; i < PROBE_FDS_MAX; i++) {
		fds[i] = -1;
		if (!(my.head.fds & 1U << i))
			continue;
		if (used == n)
			return false;
		memcpy(&fds[i], CMSG_DATA(c) + used++ * sizeof(int), sizeof(int));
	}
	return used == n;
}

/* Waits for the next ask. False: there will be none, or none that can be understood. */
static bool next(int fds[PROBE_FDS_MAX])
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PROBE_FDS_MAX * sizeof(int))];
	struct iovec parts[] = { { &my.head, sizeof(my.head) }, { &my.ask, sizeof(my.ask) } };
	struct msghdr m = { .msg_iov = parts,
			    .msg_iovlen = ARRAY_SIZE(parts),
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	memset(control, 0, sizeof(control));
	do
		n = recvmsg(OWN_FD, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)(sizeof(my.head) + offsetof(struct probe_ask, targets)))
		return false;
	return !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && prober_ask_is_valid(&my.ask) &&
	       (size_t)n == sizeof(my.head) + prober_ask_size(&my.ask) && sort_fds(&m, fds);
}

static bool tell(const void *data, size_t size)
{
	ssize_t n;

	do
		n = send(OWN_FD, data, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

void prober_child(int fd, pid_t parent, const struct prober_limits *limits)
{
	struct prober_self self = prober_self_find();
	int fds[PROBE_FDS_MAX];

	reset_signals();
	prober_self_rename(&self, limits->vmid);
	my.hello.code = give_up_all(fd, parent, limits, &my.hello.e);
	if (!tell(&my.hello, sizeof(my.hello)) || my.hello.code < 0)
		_exit(1);
	prober_self_drop_heap(&self);
	while (next(fds)) {
		probe_round(&my.ask, fds, &my.answer);
		if (!tell(&my.answer, prober_answer_size(&my.answer)))
			break;
	}
	_exit(0);
}
