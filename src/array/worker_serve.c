/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "array/worker_wire.h"
#include "util/clock.h"
#include "util/file.h"

/*
 * A call is a process group: the child and what it has forked itself. After its deadline, or when
 * the child has ended, all of the group is killed; what the kernel holds on to stays in the table,
 * and its serial is refused, until the group is gone. Orphans of a group come to us to be reaped.
 */

enum {
	CALLS_MAX = 256,
	STUCK_LISTS_MAX =
		4, /* calls on no volume in particular, which are asked for all the time */
	SOCKET = 3,
	GRACE_MS = 250,
	SWEEP_MS = 1000, /* how often those that are stuck are looked at */
};

struct running {
	pid_t group; /* 0: free place */
	char serial[ARRAY_SERIAL_LEN + 1];
	int64_t deadline;
	int64_t since;	/* Unix seconds */
	int64_t killed; /* when; 0: not yet */
};

struct server {
	int signals;
	struct running calls[CALLS_MAX];
};

/* stdio becomes /dev/null and @fd SOCKET; nothing else of the caller's stays open. */
static void keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR), high = fcntl(fd, F_DUPFD, 10);

	for (int i = 0; null >= 0 && i < SOCKET; i++)
		(void)dup2(null, i);
	(void)dup3(high, SOCKET, O_CLOEXEC);
	(void)close_range(SOCKET + 1, ~0U, 0);
}

static bool is_gone(pid_t group)
{
	return kill(-group, 0) < 0 && errno == ESRCH;
}

static void end_group(struct running *c)
{
	(void)kill(-c->group, SIGKILL);
	c->killed = c->killed ? c->killed : clock_boot_ms();
}

static void say(int reply, int code, const char *text, const void *payload, size_t size)
{
	struct worker_reply head = { .code = code, .size = size };

	(void)err_set(&head.e, code, "%s", text);
	(void)send(reply, &head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (size)
		(void)send(reply, payload, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_stuck(struct server *s, int reply)
{
	struct worker_stuck stuck[CALLS_MAX] = {};
	size_t n = 0;

	for (size_t i = 0; i < CALLS_MAX; i++) {
		const struct running *c = &s->calls[i];

		if (!c->group || !c->killed || clock_boot_ms() - c->killed < GRACE_MS)
			continue;
		memcpy(stuck[n].serial, c->serial, sizeof(c->serial));
		stuck[n].pid = c->group;
		stuck[n++].since = c->since;
	}
	say(reply, 0, "", stuck, n * sizeof(*stuck));
}

static struct running *call_of(struct server *s, pid_t group)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (s->calls[i].group == group)
			return &s->calls[i];
	return NULL;
}

/* A group is killed while its first process is still a zombie: its number cannot be anybody else's
 * then. */
static void reap(struct server *s)
{
	for (;;) {
		siginfo_t info = {};
		struct running *c;

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return;
		c = call_of(s, info.si_pid);
		if (c)
			end_group(c);
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

/* Reaps, ends what is late or has lost its first process, and forgets who is gone. */
static void sweep(struct server *s)
{
	int64_t now = clock_boot_ms();

	for (size_t i = 0; i < CALLS_MAX; i++) {
		struct running *c = &s->calls[i];

		if (c->group && !c->killed && now >= c->deadline)
			end_group(c);
	}
	reap(s);
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (s->calls[i].group && s->calls[i].killed && is_gone(s->calls[i].group))
			s->calls[i] = (struct running){};
}

static bool is_stuck(const struct server *s, const char *serial)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (s->calls[i].group && s->calls[i].killed && *serial &&
		    strcmp(s->calls[i].serial, serial) == 0)
			return true;
	return false;
}

/* Who was killed needs a moment to be gone; only then does a call count as stuck. */
static bool stays_stuck(struct server *s, const char *serial)
{
	int64_t until = clock_boot_ms() + GRACE_MS;

	while (is_stuck(s, serial)) {
		if (clock_boot_ms() >= until)
			return true;
		(void)poll(NULL, 0, 1);
		sweep(s);
	}
	return false;
}

static bool too_many_lists(const struct server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < CALLS_MAX; i++)
		n += s->calls[i].group && s->calls[i].killed && !*s->calls[i].serial;
	return n >= STUCK_LISTS_MAX;
}

static struct running *free_place(struct server *s)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (!s->calls[i].group)
			return &s->calls[i];
	return NULL;
}

static NORETURN void be_child(const struct worker_request *q, int reply, pid_t server)
{
	sigset_t none;

	/* Nobody else keeps its deadline. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != server)
		_exit(0);
	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	keep_only(reply);
	worker_perform(q, SOCKET);
	_exit(0);
}

static void begin(struct server *s, const struct worker_request *q, int reply)
{
	pid_t server = getpid(), pid;
	struct running *c;

	if (stays_stuck(s, q->serial)) {
		say(reply, -EALREADY,
		    "an earlier call on this volume still hangs in the kernel: nothing is done "
		    "with it until that is over",
		    NULL, 0);
		return;
	}
	if (!*q->serial && too_many_lists(s)) {
		say(reply, -EALREADY,
		    "earlier looks at all disks of this node still hang in the kernel", NULL, 0);
		return;
	}
	c = free_place(s);
	pid = c ? fork() : -1;
	if (pid == 0)
		be_child(q, reply, server);
	if (pid < 0) {
		say(reply, -EAGAIN, "too many calls on devices at once", NULL, 0);
		return;
	}
	(void)setpgid(pid, pid);
	*c = (struct running){ .group = pid,
			       .deadline = clock_boot_ms() + q->deadline_ms + GRACE_MS,
			       .since = clock_now() };
	memcpy(c->serial, q->serial, sizeof(c->serial));
}

/* One request. False: nobody is there any more who could ask. */
static bool take(struct server *s)
{
	static struct worker_request q;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec data = { .iov_base = &q, .iov_len = sizeof(q) };
	struct msghdr m = { .msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(SOCKET, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	CLEANUP_FD int reply = -1;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n < 0)
		return true;
	if (CMSG_FIRSTHDR(&m) && control.head.cmsg_type == SCM_RIGHTS)
		memcpy(&reply, CMSG_DATA(&control.head), sizeof(reply));
	if (n != sizeof(q) || reply < 0)
		return true;
	sweep(s);
	if (q.op == WORKER_STUCK)
		say_stuck(s, reply);
	else
		begin(s, &q, reply);
	return true;
}

/* Until the next deadline, or the next look at those that are stuck. */
static int patience(const struct server *s)
{
	int64_t now = clock_boot_ms(), next = INT32_MAX;

	for (size_t i = 0; i < CALLS_MAX; i++) {
		const struct running *c = &s->calls[i];
		int64_t left = c->killed ? SWEEP_MS : c->deadline - now;

		if (c->group && left < next)
			next = left > 0 ? left : 0;
	}
	return next == INT32_MAX ? -1 : (int)next;
}

static int watch_children(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void worker_serve(int fd)
{
	static struct server s;
	struct signalfd_siginfo info;

	/* A Ctrl-C at the terminal is the caller's to act on; we end with it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	keep_only(fd);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)prctl(PR_SET_NAME, "array-workers");
	s.signals = watch_children();
	for (bool on = s.signals >= 0; on;) {
		struct pollfd p[] = { { .fd = SOCKET, .events = POLLIN },
				      { .fd = s.signals, .events = POLLIN } };

		(void)poll(p, ARRAY_SIZE(p), patience(&s));
		if (p[1].revents)
			while (read(s.signals, &info, sizeof(info)) > 0)
				;
		sweep(&s);
		/* What is still queued nobody waits for: who asked may have let go of the volume.
		 */
		if (p[0].revents)
			on = !(p[0].revents & POLLHUP) && take(&s);
	}
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (s.calls[i].group)
			end_group(&s.calls[i]);
	_exit(0);
}
