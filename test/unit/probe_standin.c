/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "probe_standin.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static pid_t standins[STANDINS_MAX];
static size_t n_standins;

int standin_listen(int family, int backlog, uint16_t *ret_port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool v6 = family == AF_INET6;
	struct sockaddr *a = v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t size = v6 ? sizeof(six) : sizeof(four);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, a, size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, a, &size), 0);
	*ret_port = ntohs(v6 ? six.sin6_port : four.sin_port);
	return fd;
}

static bool is_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0 && n_standins < STANDINS_MAX);
	if (pid)
		standins[n_standins++] = pid;
	else
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid == 0;
}

uint16_t standin_tcp(standin_script script)
{
	uint16_t port;
	CLEANUP_FD int listener = standin_listen(AF_INET, 8, &port);

	if (!is_child())
		return port;
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(0);
		script(fd);
		(void)close(fd);
	}
}

int standin_pair(standin_script script)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if (is_child()) {
		(void)close(fds[0]);
		script(fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	return fds[0];
}

int standin_teardown(void **state)
{
	(void)state;
	standin_end_all();
	return 0;
}

void standin_end_all(void)
{
	while (n_standins > 0) {
		pid_t pid = standins[--n_standins];

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
}

bool standin_expect(int fd, const char *needle)
{
	static char text[4096];
	static size_t n;

	n = 0;
	while (n < sizeof(text) && !memmem(text, n, needle, strlen(needle))) {
		ssize_t more = read(fd, text + n, sizeof(text) - n);

		if (more <= 0)
			return false;
		n += (size_t)more;
	}
	return true;
}

void standin_say(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

void standin_say_slowly(int fd, const char *text)
{
	for (; *text; text++) {
		(void)!send(fd, text, 1, MSG_NOSIGNAL);
		(void)usleep(100);
	}
}

void standin_proc(pid_t pid, const char *file, const char *name, char ret[256])
{
	char path[64], line[256];
	size_t n = strlen(name);
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	*ret = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, name, n) == 0 && strchr(": ", line[n]))
			(void)snprintf(ret, 256, "%s", line + n + strspn(line + n, ": \t"));
	}
	if (f)
		(void)fclose(f);
}

uint64_t standin_proc_number(pid_t pid, const char *file, const char *name)
{
	char text[256];

	standin_proc(pid, file, name, text);
	return strtoull(text, NULL, 10);
}

struct prober prober_for(const uint16_t *ports, size_t n_ports)
{
	struct prober_limits limits = {
		.vmid = 100, .uid = NOBODY, .gid = NOBODY, .ports = ports, .n_ports = n_ports
	};
	struct err e = {};
	struct prober p;

	if (prober_start(&p, &limits, &e) < 0)
		fail_msg("%s", e.text);
	return p;
}

/* An ask of @ms with the loopback of each family in it. */
struct probe_ask ask_new(uint32_t ms)
{
	struct probe_ask ask = { .serial = 7, .timeout_ms = ms, .n_addresses = 1 };

	ask.addresses[0] = (struct probe_address){ .family = AF_INET, .bytes = { 127, 0, 0, 1 } };
	ask.addresses[1] = (struct probe_address){ .family = AF_INET6, .bytes = { [15] = 1 } };
	return ask;
}

struct probe_target *ask_add(struct probe_ask *ask, enum probe_kind kind, uint16_t port)
{
	struct probe_target *t = &ask->targets[ask->n_targets++];

	*t = (struct probe_target){ .kind = (uint8_t)kind,
				    .port = port,
				    .status_low = 200,
				    .status_high = 399,
				    .host = "guest.example",
				    .path = "/health" };
	return t;
}

bool wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, LONG_MS) == 1;
}

struct probe_answer ask_prober(const struct prober *p, const struct probe_ask *ask, const int *fds,
			       size_t n_fds)
{
	struct probe_answer a = {};

	assert_int_equal(prober_answer(p, &a), -EAGAIN);
	assert_int_equal(prober_ask(p, ask, fds, n_fds), 0);
	assert_true(wait_for(p->fd));
	assert_int_equal(prober_answer(p, &a), 0);
	assert_int_equal(a.serial, ask->serial);
	assert_int_equal(a.n_targets, ask->n_targets);
	return a;
}

/* The same with a prober of its own that may connect where the ask wants to. */
struct probe_answer ask_once(const struct probe_ask *ask, const int *fds, size_t n_fds)
{
	uint16_t ports[PROBE_TARGETS_MAX];
	struct probe_answer a;
	struct prober p;

	for (size_t i = 0; i < ask->n_targets; i++)
		ports[i] = ask->targets[i].port;
	p = prober_for(ports, ask->n_targets);
	a = ask_prober(&p, ask, fds, n_fds);
	prober_end(&p);
	return a;
}

void assert_target(const struct probe_answer *a, size_t i, enum probe_result result,
		   enum probe_why why)
{
	if (a->targets[i].result != result || a->targets[i].why != why)
		fail_msg("target %zu: result %d, why %d", i, a->targets[i].result,
			 a->targets[i].why);
}
