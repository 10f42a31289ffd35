/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A prober as a process: what it has given up, what it costs, how it ends, what it may say. */

#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe_standin.h"
#include "util/clock.h"
#include "watch/prober_child.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static void assert_proc(pid_t pid, const char *name, const char *want)
{
	char text[256];

	standin_proc(pid, "status", name, text);
	if (strcmp(text, want) != 0)
		fail_msg("%s is %s", name, text);
}

static int count_fds(pid_t pid, char ret_3[64])
{
	char path[64];
	struct dirent *entry;
	ssize_t length;
	DIR *dir;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/3", pid);
	length = readlink(path, ret_3, 63);
	ret_3[length > 0 ? length : 0] = '\0';
	return n;
}

static void given_up(void **state)
{
	struct prober p = prober_for(NULL, 0);
	char text[256], third[64];

	(void)state;
	assert_proc(p.pid, "NoNewPrivs", "1");
	assert_proc(p.pid, "Seccomp", "2");
	assert_proc(p.pid, "CapEff", "0000000000000000");
	assert_proc(p.pid, "CapPrm", "0000000000000000");
	assert_proc(p.pid, "CapInh", "0000000000000000");
	assert_proc(p.pid, "CapAmb", "0000000000000000");
	assert_proc(p.pid, "Name", "guest 100");
	standin_proc(p.pid, "cmdline", "pvewarden: guest", text);
	assert_string_equal(text, "100");
	if (geteuid() == 0) {
		assert_proc(p.pid, "CapBnd", "0000000000000000");
		assert_proc(p.pid, "Uid", "65534\t65534\t65534\t65534");
		assert_proc(p.pid, "Gid", "65534\t65534\t65534\t65534");
		assert_proc(p.pid, "Groups", "");
		assert_int_equal(count_fds(p.pid, third), 4);
		assert_non_null(strstr(third, "socket:"));
		assert_int_equal(standin_proc_number(p.pid, "limits", "Max processes"), 0);
		assert_int_equal(standin_proc_number(p.pid, "limits", "Max core file size"), 0);
	}
	prober_end(&p);
	assert_int_equal(p.fd, -1);
	prober_end(&p);
	p = (struct prober){};
	prober_end(&p);
}

/* The caller's handlers and its blocked signals do not come along. */
static void signals_are_usual(void **state)
{
	sigset_t some, before;
	struct prober p;
	int status;

	(void)state;
	(void)sigemptyset(&some);
	(void)sigaddset(&some, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &some, &before);
	(void)signal(SIGUSR1, SIG_IGN);
	p = prober_for(NULL, 0);
	assert_proc(p.pid, "SigBlk", "0000000000000000");
	assert_proc(p.pid, "SigIgn", "0000000000000000");
	assert_int_equal(kill(p.pid, SIGTERM), 0);
	assert_true(wait_for(p.pidfd));
	assert_int_equal(waitpid(p.pid, &status, WNOHANG), p.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	p.pid = 0;
	(void)close(p.pidfd);
	(void)close(p.fd);
	(void)signal(SIGUSR1, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void killed(void **state)
{
	struct prober p = prober_for(NULL, 0);
	struct probe_ask ask = ask_new(100);
	struct probe_answer a;

	(void)state;
	assert_int_equal(kill(p.pid, SIGKILL), 0);
	assert_true(wait_for(p.pidfd));
	assert_int_equal(prober_answer(&p, &a), -EPIPE);
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EPIPE);
	prober_end(&p);
	p = prober_for(NULL, 0);
	a = ask_prober(&p, &ask, NULL, 0);
	assert_int_equal(a.n_targets, 0);
	prober_end(&p);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* No signal, nothing said: the other end is gone, so it goes. */
static void supervisor_closes(void **state)
{
	struct prober p = prober_for(NULL, 0);

	(void)state;
	(void)close(p.fd);
	assert_true(wait_for(p.pidfd));
	p.fd = -1;
	prober_end(&p);
}

static void supervisor_dies(void **state)
{
	int fds[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		struct prober p = prober_for(NULL, 0);

		assert_int_equal(kill(p.pid, SIGSTOP), 0); /* it cannot see its socket close */
		(void)!write(fds[1], &p.pid, sizeof(p.pid));
		(void)!read(fds[1], &c, 1);
		_exit(0);
	}
	assert_true(wait_for(fds[0]));
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	(void)!write(fds[0], "x", 1);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	assert_int_equal(kill(pid, 0), -1);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void one_ask_at_a_time(void **state)
{
	struct prober p = prober_for(NULL, 0);
	struct probe_ask ask = ask_new(100);
	struct probe_answer a;
	int r;

	(void)state;
	(void)kill(p.pid, SIGSTOP);
	assert_int_equal(waitpid(p.pid, &r, WUNTRACED), p.pid);
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), 0);
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EAGAIN);
	(void)kill(p.pid, SIGCONT);
	assert_true(wait_for(p.fd));
	assert_int_equal(prober_answer(&p, &a), 0);
	assert_int_equal(prober_answer(&p, &a), -EAGAIN);
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), 0);
	prober_end(&p);
}

static void may_not_start(void **state)
{
	struct prober_limits limits = { .vmid = 100 };
	struct err e = {};
	struct prober p;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(prober_start(&p, &limits, &e), -EINVAL);
	assert_true(*e.text);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* What a prober that is no longer ours might send. */
static void lies(void **state)
{
	const struct probe_answer good = { .n_targets = 1,
					   .targets[0] = { PROBE_BAD, PROBE_WHY_STATUS, 503, 1 } };
	size_t size = prober_answer_size(&good);
	struct probe_answer bad[8], got;
	struct prober p = {};
	char large[2000] = {};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	p.fd = fds[0];
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].n_targets = 2;
	bad[1].n_targets = 0;
	bad[2].n_targets = PROBE_TARGETS_MAX + 1;
	bad[3].qmp = QMP_STATE_MAX;
	bad[4].targets[0].result = PROBE_RESULT_MAX;
	bad[5].targets[0].why = PROBE_WHY_MAX;
	bad[6].targets[0].value = 1000;
	bad[7].targets[0].result = PROBE_GOOD;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(send(fds[1], &bad[i], size, 0), size);
		assert_int_equal(prober_answer(&p, &got), -EPROTO);
	}
	assert_int_equal(send(fds[1], &good, 3, 0), 3);
	assert_int_equal(prober_answer(&p, &got), -EPROTO);
	assert_int_equal(send(fds[1], large, sizeof(large), 0), sizeof(large));
	assert_int_equal(prober_answer(&p, &got), -EPROTO);
	assert_int_equal(send(fds[1], &good, size, 0), size);
	assert_int_equal(prober_answer(&p, &got), 0);
	assert_int_equal(got.targets[0].value, 503);
	(void)close(fds[1]);
	assert_int_equal(prober_answer(&p, &got), -EPIPE);
	(void)close(fds[0]);
}

static void answers_http(int fd)
{
	if (standin_expect(fd, "\r\n\r\n"))
		standin_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
}

static void answers_agent(int fd)
{
	char line[256] = "", answer[64];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n++] != '\n')
		continue;
	(void)snprintf(answer, sizeof(answer), "\xff{\"return\": %s}\n",
		       strtok(strstr(line, "\"id\":") + 5, "}"));
	standin_say(fd, answer);
	if (standin_expect(fd, "guest-ping"))
		standin_say(fd, "{\"return\": {}}\n");
}

/* A round with one of each, and what it costs the child. */
static void one_of_each(const struct prober *p, uint16_t tcp, uint16_t http)
{
	struct probe_ask ask = ask_new(LONG_MS);
	int fd = standin_pair(answers_agent);
	struct probe_answer a;

	ask_add(&ask, PROBE_TCP, tcp);
	ask_add(&ask, PROBE_HTTP, http);
	ask_add(&ask, PROBE_AGENT, 0);
	a = ask_prober(p, &ask, &fd, 1);
	for (size_t i = 0; i < ask.n_targets; i++)
		assert_target(&a, i, PROBE_GOOD, PROBE_WHY_NONE);
	(void)close(fd);
}

static uint64_t private_kb(pid_t pid)
{
	return standin_proc_number(pid, "smaps_rollup", "Private_Dirty") +
	       standin_proc_number(pid, "smaps_rollup", "Private_Clean");
}

/* A thousand guests are a thousand of these. The parent goes on writing to its own memory, which
 * must not leave the old pages to the child. */
static void costs_little(void **state)
{
	static const size_t size = 100 * 1000;
	CLEANUP_FREE char *memory = xmalloc(size);
	uint16_t ports[2];
	CLEANUP_FD int listener = standin_listen(AF_INET, 512, &ports[0]);
	struct prober p;

	(void)state;
	ports[1] = standin_tcp(answers_http);
	memset(memory, 'a', size);
	p = prober_for(ports, 2);
	memset(memory, 'b', size);
	for (int i = 0; i < 4; i++)
		one_of_each(&p, ports[0], ports[1]);
	print_message("private memory: %llu kB\n", (unsigned long long)private_kb(p.pid));
	if (!SANITIZED && geteuid() == 0)
		assert_in_range(private_kb(p.pid), 1, 64);
	prober_end(&p);
	assert_true(listener >= 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_up),
		cmocka_unit_test(signals_are_usual),
		cmocka_unit_test(killed),
		cmocka_unit_test(supervisor_closes),
		cmocka_unit_test(supervisor_dies),
		cmocka_unit_test(one_ask_at_a_time),
		cmocka_unit_test(may_not_start),
		cmocka_unit_test(lies),
		cmocka_unit_test_teardown(costs_little, standin_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
