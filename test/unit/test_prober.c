/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* A prober against guests of the test's own: real sockets, a real sandbox. */

#include "watch/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe_standin.h"
#include "util/clock.h"
#include "watch/probe_round.h"

/* A port of which nobody listens any more. */
static uint16_t closed_port(int family)
{
	uint16_t port;
	CLEANUP_FD int fd = standin_listen(family, 1, &port);

	assert_true(fd >= 0);
	return port;
}

static void tcp(void **state)
{
	struct probe_ask ask = ask_new(LONG_MS);
	struct probe_answer a;
	uint16_t port;
	CLEANUP_FD int fd = standin_listen(AF_INET, 8, &port);

	(void)state;
	ask_add(&ask, PROBE_TCP, port);
	ask_add(&ask, PROBE_TCP, closed_port(AF_INET));
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_GOOD, PROBE_WHY_NONE);
	assert_target(&a, 1, PROBE_BAD, PROBE_WHY_REFUSED);
	assert_int_equal(a.qmp, QMP_NOT_ASKED);
	assert_in_range(a.targets[0].us, 0, LONG_MS * 1000);
	ask.n_addresses = 0;
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET);
	assert_true(fd >= 0);
}

/* One address that answers is enough, whichever of them it is. */
static void two_addresses(void **state)
{
	struct probe_ask ask = ask_new(LONG_MS);
	struct probe_answer a;
	uint16_t four, six;
	CLEANUP_FD int fd4 = standin_listen(AF_INET, 8, &four);
	CLEANUP_FD int fd6 = standin_listen(AF_INET6, 8, &six);

	(void)state;
	ask.n_addresses = 2;
	ask_add(&ask, PROBE_TCP, four);
	ask_add(&ask, PROBE_TCP, six);
	ask_add(&ask, PROBE_TCP, closed_port(AF_INET6));
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_GOOD, PROBE_WHY_NONE);
	assert_target(&a, 1, PROBE_GOOD, PROBE_WHY_NONE);
	assert_target(&a, 2, PROBE_BAD, PROBE_WHY_REFUSED);
	assert_true(fd4 >= 0 && fd6 >= 0);
}

/* A listener that takes nobody: what comes after its queue is full gets no answer at all. */
static void no_answer(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct probe_ask ask = ask_new(300);
	struct probe_answer a;
	uint16_t port;
	CLEANUP_FD int fd = standin_listen(AF_INET, 0, &port);
	int64_t before;
	int fill[4];

	(void)state;
	to.sin_port = htons(port);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&to, sizeof(to));
	}
	ask_add(&ask, PROBE_TCP, port);
	ask_add(&ask, PROBE_HTTP, port);
	before = clock_boot_ms();
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_TIMEOUT);
	assert_target(&a, 1, PROBE_BAD, PROBE_WHY_TIMEOUT);
	assert_in_range(clock_boot_ms() - before, 300, LONG_MS);
	assert_in_range(a.targets[0].us, 300000, LONG_MS * 1000);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++)
		(void)close(fill[i]);
	assert_true(fd >= 0);
}

static void says_200(int fd)
{
	if (standin_expect(fd, "\r\n\r\n"))
		standin_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void says_503(int fd)
{
	if (standin_expect(fd, "GET /health HTTP/1.1\r\nHost: guest.example\r\n"))
		standin_say(fd, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
}

static void says_garbage(int fd)
{
	standin_say(fd, "220 mail.example ESMTP\r\n");
	(void)standin_expect(fd, "never");
}

static void says_slowly(int fd)
{
	if (standin_expect(fd, "\r\n\r\n"))
		standin_say_slowly(fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void says_endlessly(int fd)
{
	standin_say(fd, "HTTP/1.1 200 ");
	while (send(fd, "endless endless endless endless ", 32, MSG_NOSIGNAL) > 0)
		continue;
}

static void says_interim_endlessly(int fd)
{
	standin_say(fd, "HTTP/1.1 103 Early Hints\r\n");
	while (send(fd, "Link: </style.css>; rel=preload\r\n", 33, MSG_NOSIGNAL) > 0)
		continue;
}

static void says_half(int fd)
{
	if (standin_expect(fd, "\r\n\r\n"))
		standin_say(fd, "HTTP/1.1 20");
}

static void says_nothing(int fd)
{
	(void)standin_expect(fd, "never");
}

static void http(void **state)
{
	static const struct {
		standin_script script;
		enum probe_result result;
		enum probe_why why;
		uint16_t value;
	} rows[] = {
		{ says_200, PROBE_GOOD, PROBE_WHY_NONE, 200 },
		{ says_503, PROBE_BAD, PROBE_WHY_STATUS, 503 },
		{ says_garbage, PROBE_BAD, PROBE_WHY_NONSENSE, 0 },
		{ says_slowly, PROBE_GOOD, PROBE_WHY_NONE, 204 },
		{ says_endlessly, PROBE_BAD, PROBE_WHY_NONSENSE, 0 },
		{ says_interim_endlessly, PROBE_BAD, PROBE_WHY_NONSENSE, 0 },
		{ says_half, PROBE_BAD, PROBE_WHY_CLOSED, 0 },
	};
	struct probe_ask ask = ask_new(LONG_MS);
	struct probe_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ask_add(&ask, PROBE_HTTP, standin_tcp(rows[i].script));
	a = ask_once(&ask, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_target(&a, i, rows[i].result, rows[i].why);
		assert_int_equal(a.targets[i].value, rows[i].value);
	}
}

static void http_silent(void **state)
{
	struct probe_ask ask = ask_new(300);
	struct probe_answer a;

	(void)state;
	ask_add(&ask, PROBE_HTTP, standin_tcp(says_nothing));
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_TIMEOUT);
}

static void statuses_wanted(void **state)
{
	struct probe_ask ask = ask_new(LONG_MS);
	uint16_t port = standin_tcp(says_503);
	struct probe_answer a;

	(void)state;
	ask_add(&ask, PROBE_HTTP, port)->status_high = 599;
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_GOOD, PROBE_WHY_NONE);
	assert_int_equal(a.targets[0].value, 503);
	ask.targets[0].status_low = 504;
	a = ask_once(&ask, NULL, 0);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_STATUS);
}

/* What a prober may not be asked is refused before it is sent. */
static void wrong_asks(void **state)
{
	struct probe_ask good = ask_new(100), ask;
	struct prober p = prober_for(NULL, 0);
	int fds[3] = { 0, 1, 2 };

	(void)state;
	ask_add(&good, PROBE_HTTP, 80);
	ask = good;
	ask.n_targets = PROBE_TARGETS_MAX + 1;
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	ask.n_addresses = PROBE_ADDRESSES_MAX + 1;
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	ask.addresses[0].family = AF_UNIX;
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	ask.targets[0].port = 0;
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	strcpy(ask.targets[0].path, "/a b");
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	strcpy(ask.targets[0].host, "a\r\nX: y");
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	ask = good;
	memset(ask.targets[0].path, '/', sizeof(ask.targets[0].path));
	assert_int_equal(prober_ask(&p, &ask, NULL, 0), -EINVAL);
	assert_int_equal(prober_ask(&p, &good, fds, 1), -EINVAL);
	assert_int_equal(prober_ask(&p, &good, fds, 3), -EINVAL);
	prober_end(&p);
}

/* As many connections as an ask can have: its descriptors are enough for that. */
static void as_many_as_can_be(void **state)
{
	struct probe_ask ask = ask_new(LONG_MS);
	struct probe_answer a;
	uint16_t port;
	CLEANUP_FD int fd = standin_listen(AF_INET, 512, &port);
	int fds[2] = { standin_pair(says_nothing), standin_pair(says_nothing) };

	(void)state;
	ask.timeout_ms = 1000;
	ask.n_addresses = PROBE_ADDRESSES_MAX;
	for (size_t i = 1; i < PROBE_ADDRESSES_MAX; i++)
		ask.addresses[i] = ask.addresses[0];
	ask_add(&ask, PROBE_AGENT, 0);
	ask_add(&ask, PROBE_QMP, 0);
	while (ask.n_targets < PROBE_TARGETS_MAX)
		ask_add(&ask, PROBE_HTTP, port);
	a = ask_once(&ask, fds, 2);
	for (size_t i = 0; i < PROBE_TARGETS_MAX; i++)
		assert_target(&a, i, PROBE_BAD, PROBE_WHY_TIMEOUT);
	assert_int_equal(a.qmp, QMP_SILENT);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_true(fd >= 0);
}

/* Our own limits are no fault of the guest's, and hide what else is known of it. */
static void out_of_descriptors(void **state)
{
	struct rlimit before, none = {};
	struct probe_ask ask = ask_new(1000);
	int fds[PROBE_FDS_MAX] = { -1, -1 };
	struct probe_answer a;

	(void)state;
	ask_add(&ask, PROBE_TCP, closed_port(AF_INET));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	probe_round(&ask, fds, &a);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_target(&a, 0, PROBE_UNKNOWN, PROBE_WHY_OURS);
}

/* Last: it takes this process' network away. */
static void unreachable(void **state)
{
	struct probe_ask ask = ask_new(1000);
	int fds[PROBE_FDS_MAX] = { -1, -1 };
	struct probe_answer a;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		skip();
	ask_add(&ask, PROBE_TCP, 80);
	probe_round(&ask, fds, &a);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_UNREACHABLE);
	ask.addresses[0] = (struct probe_address){ .family = AF_INET6,
						   .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	probe_round(&ask, fds, &a);
	assert_target(&a, 0, PROBE_UNKNOWN, PROBE_WHY_NO_SOCKET);
	/* What this node does not speak says nothing about the other address. */
	ask.addresses[ask.n_addresses++] =
		(struct probe_address){ .family = AF_INET, .bytes = { 192, 0, 2, 1 } };
	probe_round(&ask, fds, &a);
	assert_target(&a, 0, PROBE_BAD, PROBE_WHY_UNREACHABLE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(two_addresses),
		cmocka_unit_test(no_answer),
		cmocka_unit_test_teardown(http, standin_teardown),
		cmocka_unit_test_teardown(http_silent, standin_teardown),
		cmocka_unit_test_teardown(statuses_wanted, standin_teardown),
		cmocka_unit_test(wrong_asks),
		cmocka_unit_test_teardown(as_many_as_can_be, standin_teardown),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
