/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/guard.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/clock.h"

static struct {
	pthread_t thread;
	int stop; /* eventfd */
	int64_t deadline;
	int (*late)(void *arg);
	void *arg;
	bool running;
} guard = { .stop = -1 };

static void *watch(void *unused)
{
	struct pollfd fd = { .fd = guard.stop, .events = POLLIN };

	(void)unused;
	for (;;) {
		int64_t left = guard.deadline - clock_boot_ms();

		if (left <= 0)
			_exit(guard.late(guard.arg));
		if (poll(&fd, 1, (int)left) > 0)
			return NULL;
	}
}

int guard_start(int deadline_ms, int (*late)(void *arg), void *arg)
{
	sigset_t all, before;
	int r;

	guard.stop = eventfd(0, EFD_CLOEXEC);
	if (guard.stop < 0)
		return -errno;
	guard.deadline = clock_boot_ms() + deadline_ms;
	guard.late = late;
	guard.arg = arg;

	/* Signals are the main thread's business. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&guard.thread, NULL, watch, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	guard.running = r == 0;
	return -r;
}

void guard_stop(void)
{
	if (!guard.running)
		return;
	(void)eventfd_write(guard.stop, 1);
	(void)pthread_join(guard.thread, NULL);
	base_close_fd(&guard.stop);
	guard.running = false;
	guard.stop = -1;
}
