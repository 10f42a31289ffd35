/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

void proc_result_done(struct proc_result *r)
{
	buf_done(&r->out);
	buf_done(&r->err);
}

uint64_t proc_start_ticks(pid_t pid)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, field = {};
	uint64_t ticks = 0;
	char path[40];
	size_t paren;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (file_read_at(AT_FDCWD, path, 4096, &text) < 0)
		return 0;
	/* The second field is the command in parentheses and may hold blanks and parentheses. */
	rest = buf_slice(&text);
	for (paren = rest.n; paren > 0 && rest.p[paren - 1] != ')'; paren--)
		;
	rest = slice_trim(slice_from(rest, paren));
	for (int i = 3; i <= 22; i++)
		if (!slice_split(&rest, ' ', &field))
			return 0;
	return str_to_u64(field, &ticks) ? ticks : 0;
}

static int spawn(const char *const argv[], const char *const env[], int in, int out, int err,
		 pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r;

	(void)posix_spawn_file_actions_init(&files);
	if (in >= 0)
		(void)posix_spawn_file_actions_adddup2(&files, in, 0);
	else
		(void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&files, out, 1);
	(void)posix_spawn_file_actions_adddup2(&files, err, 2);
	(void)posix_spawn_file_actions_addclosefrom_np(&files, 3);
	/* A group of its own: what a person types at the terminal is not for it, and what it has
	 * started itself ends with it. */
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	r = posix_spawn(ret, argv[0], &files, &attr, (char *const *)argv, (char *const *)env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* Takes what is there; returns false at the end of the stream. */
static bool drain(int fd, struct buf *into, size_t max, bool *overflow)
{
	ssize_t n = read(fd, buf_reserve(into, 65536), 65536);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	into->len += (size_t)n;
	if (into->len > max) {
		into->len = max;
		*overflow = true;
	}
	into->data[into->len] = '\0';
	return true;
}

static int collect(int out, int err, int64_t deadline, size_t max, struct proc_result *ret)
{
	struct pollfd fds[2] = { { .fd = out, .events = POLLIN }, { .fd = err, .events = POLLIN } };
	struct buf *bufs[2] = { &ret->out, &ret->err };
	bool overflow = false;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		int64_t left = deadline - clock_boot_ms();
		int n = left > 0 ? poll(fds, 2, (int)left) : 0;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && left <= 0)
			return -ETIMEDOUT;
		for (int i = 0; i < 2; i++)
			if (n > 0 && fds[i].revents && !drain(fds[i].fd, bufs[i], max, &overflow))
				fds[i].fd = -1;
		if (overflow)
			return -EFBIG;
	}
	return 0;
}

/* Waits for @pid until @deadline by polling: a child stuck in the kernel must not hold us. */
static int wait_until(pid_t pid, int64_t deadline, int *ret_status)
{
	for (;;) {
		int status;
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid) {
			*ret_status =
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			return 0;
		}
		if (got < 0 && errno != EINTR)
			return -errno;
		if (clock_boot_ms() >= deadline)
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 1);
	}
}

static int make_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
}

static int run(const char *const argv[], const char *const env[], int in, int deadline_ms,
	       size_t max_out, struct proc_result *ret, struct err *e)
{
	static const char *const fixed[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C" };
	const char *all[16] = { fixed[0], fixed[1] };
	int64_t deadline = clock_boot_ms() + deadline_ms;
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	pid_t pid = 0;
	int r, collected;

	for (size_t i = 0; env && env[i] && i + ARRAY_SIZE(fixed) + 1 < ARRAY_SIZE(all); i++)
		all[i + ARRAY_SIZE(fixed)] = env[i];
	*ret = (struct proc_result){ .status = -1 };

	r = make_pipe(out);
	if (r == 0)
		r = make_pipe(err);
	if (r == 0)
		r = spawn(argv, all, in, out[1], err[1], &pid);
	base_close_fd(&out[1]);
	base_close_fd(&err[1]);
	if (r < 0) {
		base_close_fd(&out[0]);
		base_close_fd(&err[0]);
		return err_set(e, r, "cannot start %s: %s", argv[0], strerror(-r));
	}

	collected = collect(out[0], err[0], deadline, max_out, ret);
	base_close_fd(&out[0]);
	base_close_fd(&err[0]);

	r = collected ? -ETIMEDOUT : wait_until(pid, deadline, &ret->status);
	if (r == -ETIMEDOUT) {
		(void)kill(-pid, SIGKILL);
		r = wait_until(pid, clock_boot_ms() + PROC_GRACE_MS, &ret->status);
		if (r == -ETIMEDOUT) {
			ret->pid = pid;
			ret->start_ticks = proc_start_ticks(pid);
		}
		if (collected == -EFBIG)
			return err_set(e, -EFBIG, "%s wrote more than %zu bytes", argv[0], max_out);
		return err_set(e, -ETIMEDOUT, "%s did not answer within %g s%s", argv[0],
			       deadline_ms / 1000.0,
			       ret->pid ? " and cannot be killed (it hangs in the kernel)" : "");
	}
	if (r < 0)
		return err_set(e, r, "%s: %s", argv[0], strerror(-r));
	return 0;
}

int proc_run(const char *const argv[], const char *const env[], int deadline_ms, size_t max_out,
	     struct proc_result *ret, struct err *e)
{
	return run(argv, env, -1, deadline_ms, max_out, ret, e);
}

int proc_run_input(const char *const argv[], const char *const env[], struct slice input,
		   int deadline_ms, size_t max_out, struct proc_result *ret, struct err *e)
{
	/* A file in memory: nothing to feed while the child may be waiting to be read. */
	CLEANUP_FD int in = memfd_create("input", MFD_CLOEXEC);
	int r = in < 0 ? -errno : file_write_all(in, input);

	*ret = (struct proc_result){ .status = -1 };
	if (r == 0 && lseek(in, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, r, "the input of %s: %s", argv[0], strerror(-r));
	return run(argv, env, in, deadline_ms, max_out, ret, e);
}
