/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/power_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

struct power_runner {
	struct sd_event *loop;
	void (*done)(void *ctx, const char *unit, const char *error, enum bus_end end);
	void *ctx;
};

struct running_command {
	struct power_runner *runner;
	char unit[64];
	pid_t pid;
	int pidfd;
};

int power_runner_open(struct power_runner **ret, struct sd_event *loop,
		      void (*done)(void *ctx, const char *unit, const char *error,
				   enum bus_end end),
		      void *ctx, struct err *e)
{
	struct power_runner *p = xcalloc(1, sizeof(*p));

	(void)e;
	*p = (struct power_runner){ loop, done, ctx };
	*ret = p;
	return 0;
}

void power_runner_close(struct power_runner *p)
{
	free(p);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct running_command *c = ctx;
	char error[64];
	int status = 0;

	(void)events;
	(void)waitpid(c->pid, &status, 0);
	(void)sd_event_source_disable_unref(source);
	(void)close(fd);
	(void)snprintf(error, sizeof(error), "status %d",
		       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	c->runner->done(c->runner->ctx, c->unit, status == 0 ? NULL : error, BUS_ENDED);
	free(c);
	return 0;
}

/* Not a child of a process group that is killed with us, and nothing of ours open in it. */
static NORETURN void exec_detached(const char *const argv[])
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	(void)setsid();
	for (int n = 1; n < SIGRTMIN; n++)
		(void)signal(n, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; null >= 0 && i < 3; i++)
		(void)dup2(null, i);
	(void)close_range(3, ~0U, 0);
	(void)execv(argv[0], (char *const *)argv);
	_exit(127);
}

int power_runner_start(struct power_runner *p, const char *unit, const char *description,
		       const char *const argv[], int timeout_s, struct err *e)
{
	struct running_command *c = xcalloc(1, sizeof(*c));

	(void)description;
	(void)timeout_s;
	c->runner = p;
	(void)snprintf(c->unit, sizeof(c->unit), "%s", unit);
	c->pid = fork();
	if (c->pid == 0)
		exec_detached(argv);
	if (c->pid < 0) {
		free(c);
		return err_set(e, -errno, "%s could not be started: %s", argv[0], strerror(errno));
	}
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return sd_event_add_io(p->loop, NULL, c->pidfd, EPOLLIN, on_end, c) < 0 ? -EIO : 0;
}
