/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/fan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"

enum { TELL = 3, ROOT = 4 }; /* the descriptors that a child keeps */

struct fan {
	fan_fn *fn;
	void *ctx;
	const struct root *root;
	size_t n;
	struct fan_slot *shared;
	pid_t pids[FAN_MAX];
	int pipe[2]; /* a byte from each child that is done */
};

/* Moves @tell and @root to where close_range() leaves them; the rest is closed. */
static void keep(int tell, int root)
{
	int high_tell = fcntl(tell, F_DUPFD, 10), high_root = fcntl(root, F_DUPFD, 10);

	(void)dup3(high_tell, TELL, O_CLOEXEC);
	(void)dup3(high_root, ROOT, O_CLOEXEC);
	(void)close_range(ROOT + 1, ~0U, 0);
}

static NORETURN void child(struct fan *f, size_t i, pid_t parent)
{
	struct fan_slot *slot = &f->shared[i];
	struct root root = *f->root;

	/* Nobody else would end it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	(void)signal(SIGPIPE, SIG_IGN);
	keep(f->pipe[1], root.fd);
	root.fd = ROOT;
	slot->code = f->fn(f->ctx, &root, i, slot->answer, &slot->e);
	__atomic_store_n(&slot->done, true, __ATOMIC_RELEASE);
	_exit(write(TELL, "", 1) == 1 ? 0 : 1);
}

static bool is_over(const struct fan *f, size_t i)
{
	return __atomic_load_n(&f->shared[i].done, __ATOMIC_ACQUIRE) || f->pids[i] <= 0;
}

/* Until all have answered, or have ended without. */
static void await(struct fan *f, int64_t deadline)
{
	char bytes[FAN_MAX];

	for (;;) {
		struct pollfd p = { .fd = f->pipe[0], .events = POLLIN };
		int64_t left = deadline - clock_boot_ms();
		size_t over = 0;

		for (size_t i = 0; i < f->n; i++)
			over += is_over(f, i);
		if (over == f->n || left <= 0)
			return;
		/* End of file: every child has gone, some without an answer. */
		if (poll(&p, 1, (int)left) > 0 && read(f->pipe[0], bytes, sizeof(bytes)) == 0)
			return;
	}
}

/* Who has not answered is killed; nobody is waited for, not even on the way out. */
static int collect(struct fan *f, struct fan_slot *ret)
{
	int answered = 0;

	for (size_t i = 0; i < f->n; i++) {
		bool done = __atomic_load_n(&f->shared[i].done, __ATOMIC_ACQUIRE);

		if (f->pids[i] > 0 && !done)
			(void)kill(f->pids[i], SIGKILL);
		if (f->pids[i] > 0)
			(void)waitpid(f->pids[i], NULL, WNOHANG);
		if (done)
			ret[i] = f->shared[i];
		else
			ret[i] = (struct fan_slot){ .code = -ETIMEDOUT };
		if (!done)
			(void)err_set(&ret[i].e, -ETIMEDOUT, "no answer from the kernel in time");
		answered += done;
	}
	return answered;
}

static int start(struct fan *f, struct err *e)
{
	pid_t parent = getpid();
	int r = 0;

	for (size_t i = 0; i < f->n; i++) {
		f->pids[i] = fork();
		if (f->pids[i] == 0)
			child(f, i, parent);
		if (f->pids[i] < 0)
			r = err_set(e, -errno, "no process could be started: %s", strerror(errno));
	}
	base_close_fd(&f->pipe[1]);
	return f->n && f->pids[0] < 0 ? r : 0;
}

int fan_run(fan_fn *fn, void *ctx, const struct root *root, size_t n, int deadline_ms,
	    struct fan_slot *ret, struct err *e)
{
	struct fan f = { .fn = fn, .ctx = ctx, .root = root, .n = n < FAN_MAX ? n : FAN_MAX };
	int64_t deadline = clock_boot_ms() + deadline_ms;
	size_t size = (f.n ? f.n : 1) * sizeof(*f.shared);
	int r;

	f.shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f.shared == MAP_FAILED)
		return err_set(e, -ENOMEM, "no memory could be shared with a child");
	if (pipe2(f.pipe, O_CLOEXEC) < 0) {
		r = err_set(e, -errno, "no pipe could be made: %s", strerror(errno));
		(void)munmap(f.shared, size);
		return r;
	}
	r = start(&f, e);
	if (r == 0)
		await(&f, deadline);
	base_close_fd(&f.pipe[0]);
	if (r == 0)
		r = collect(&f, ret);
	(void)munmap(f.shared, size);
	return r;
}

int fan_one(fan_fn *fn, void *ctx, const struct root *root, int deadline_ms, struct err *e)
{
	struct fan_slot slot = {};
	int r = fan_run(fn, ctx, root, 1, deadline_ms, &slot, e);

	if (r < 0)
		return r;
	if (e)
		*e = slot.e;
	return slot.code;
}
