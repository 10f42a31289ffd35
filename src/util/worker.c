/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/proc.h"

/* What the child says at its end, in one write. */
struct verdict {
	int code;
	struct err e;
};

/*
 * A worker may outlive its caller: it must keep neither locks nor the other end of anybody's pipe.
 * Returns the descriptor's new number.
 */
static int keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; null >= 0 && i < 3; i++)
		(void)dup2(null, i);
	if (fd != 3)
		(void)dup2(fd, 3);
	(void)close_range(4, ~0U, 0);
	return 3;
}

static NORETURN void work(int (*fn)(void *arg, void *answer, struct err *e), void *arg,
			  void *answer, int fd)
{
	struct verdict v = {};
	ssize_t n;

	(void)signal(SIGPIPE, SIG_IGN);
	fd = keep_only(fd);
	v.code = fn(arg, answer, &v.e);
	n = write(fd, &v, sizeof(v));
	_exit(n == (ssize_t)sizeof(v) ? 0 : 1);
}

/* One whole verdict before the deadline, or why not. */
static int await(int fd, int64_t deadline, struct verdict *ret)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_boot_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return read(fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret) ? 0 : -EPIPE;
		if (n == 0 && left <= 0)
			return -ETIMEDOUT;
	}
}

static bool is_gone(pid_t pid, int64_t until)
{
	for (;;) {
		pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (clock_boot_ms() >= until)
			return false;
		(void)poll(NULL, 0, 1);
	}
}

static void end(pid_t pid, int r, struct worker_left *left)
{
	if (r < 0)
		(void)kill(pid, SIGKILL);
	/* Who has answered is on its way out, however long a busy machine takes for that. */
	if (!is_gone(pid, clock_boot_ms() + WORKER_GRACE_MS) && left && r < 0)
		*left = (struct worker_left){ pid, proc_start_ticks(pid) };
}

/* A page that both processes see. */
static void *share(size_t size)
{
	void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int run(int (*fn)(void *arg, void *answer, struct err *e), void *arg, void *shared,
	       int deadline_ms, struct worker_left *left, struct err *e)
{
	int64_t deadline = clock_boot_ms() + deadline_ms;
	struct verdict v = {};
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, "no pipe could be made: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		work(fn, arg, shared, fds[1]);
	r = pid < 0 ? -errno : 0;
	base_close_fd(&fds[1]);
	if (r == 0) {
		r = await(fds[0], deadline, &v);
		end(pid, r, left);
	}
	base_close_fd(&fds[0]);
	if (r == -ETIMEDOUT)
		return err_set(e, r, "no answer from the kernel within %d ms", deadline_ms);
	if (r < 0)
		return err_set(e, r, "the worker process failed: %s", strerror(-r));
	if (e)
		*e = v.e;
	return v.code;
}

int worker_run(int (*fn)(void *arg, void *answer, struct err *e), void *arg, void *answer,
	       size_t size, int deadline_ms, struct worker_left *left, struct err *e)
{
	void *shared = share(size);
	int r;

	if (left)
		*left = (struct worker_left){};
	if (!shared)
		return err_set(e, -ENOMEM, "no memory could be shared with a worker process");
	if (size)
		memcpy(shared, answer, size);
	r = run(fn, arg, shared, deadline_ms, left, e);
	if (size)
		memcpy(answer, shared, size);
	(void)munmap(shared, size ? size : 1);
	return r;
}
