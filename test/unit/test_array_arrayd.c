/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* The socket with a handler of the test's: order, limits, draining. */

#include "array/arrayd.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS = 40, AT_ONCE = 4 };

struct stage {
	char folder[64], path[96];
	struct arrayd_options o;
	atomic_int running, most, calls;
	unsigned int left;
	int result;
	pthread_t server;
};

/* Echoes, slowly, and notes how many run at once. */
static int echo(void *arg, struct slice request, struct buf *reply)
{
	struct stage *g = arg;
	int now = atomic_fetch_add(&g->running, 1) + 1, most = atomic_load(&g->most);

	while (now > most && !atomic_compare_exchange_weak(&g->most, &most, now))
		;
	(void)usleep(20000);
	atomic_fetch_add(&g->calls, 1);
	atomic_fetch_sub(&g->running, 1);
	buf_add(reply, request.p, request.n);
	buf_addc(reply, '\n');
	return 0;
}

static void *serve(void *arg)
{
	struct stage *g = arg;

	g->result = arrayd_serve(&g->o, &g->left, NULL);
	return NULL;
}

static void begin(struct stage *g)
{
	struct err e = {};

	*g = (struct stage){};
	(void)snprintf(g->folder, sizeof(g->folder), "/tmp/arrayd-XXXXXX");
	assert_non_null(mkdtemp(g->folder));
	(void)snprintf(g->path, sizeof(g->path), "%s/s", g->folder);
	g->o = (struct arrayd_options){ .listen_fd = arrayd_listen(g->path, &e),
					.workers_fd = -1,
					.connections = AT_ONCE,
					.request_ms = 300,
					.drain_ms = 5000,
					.call = echo,
					.arg = g };
	assert_true(g->o.listen_fd >= 0);
	assert_int_equal(pthread_create(&g->server, NULL, serve, g), 0);
}

static void end(struct stage *g)
{
	(void)kill(getpid(), SIGTERM); /* blocked: the server's signalfd reads it */
	(void)pthread_join(g->server, NULL);
	(void)close(g->o.listen_fd);
	(void)unlink(g->path);
	(void)rmdir(g->folder);
}

static int enter(const struct stage *g)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", g->path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void listen_to(int fd, char *ret, size_t size)
{
	size_t have = 0;
	ssize_t got;

	while (have < size - 1 && (got = recv(fd, ret + have, size - 1 - have, 0)) > 0)
		have += (size_t)got;
	ret[have] = '\0';
}

static void *client(void *arg)
{
	const struct stage *g = arg;
	CLEANUP_FD int fd = enter(g);
	char reply[64];

	if (send(fd, "hello\n", 6, MSG_NOSIGNAL) != 6)
		return NULL;
	listen_to(fd, reply, sizeof(reply));
	return strcmp(reply, "hello\n") == 0 ? arg : NULL;
}

static void all_are_served_a_few_at_once(void **state)
{
	pthread_t clients[CLIENTS];
	struct stage g;

	(void)state;
	begin(&g);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, client, &g), 0);
	for (size_t i = 0; i < CLIENTS; i++) {
		void *answered = NULL;

		(void)pthread_join(clients[i], &answered);
		assert_non_null(answered);
	}
	end(&g);
	assert_int_equal(g.result, 0);
	assert_int_equal(g.calls, CLIENTS);
	assert_int_equal(g.most, AT_ONCE);
}

static void what_is_cut_short_is_not_run(void **state)
{
	struct stage g;
	char reply[512];
	int fd;

	(void)state;
	begin(&g);
	fd = enter(&g);
	assert_int_equal(send(fd, "half a line", 11, MSG_NOSIGNAL), 11);
	(void)shutdown(fd, SHUT_WR);
	listen_to(fd, reply, sizeof(reply));
	(void)close(fd);
	assert_non_null(strstr(reply, "\"ok\": false"));
	fd = enter(&g);
	assert_int_equal(send(fd, "slow", 4, MSG_NOSIGNAL), 4);
	listen_to(fd, reply, sizeof(reply));
	(void)close(fd);
	assert_non_null(strstr(reply, "ETIMEDOUT"));
	end(&g);
	assert_int_equal(g.calls, 0);
}

static void who_has_left_is_not_served(void **state)
{
	int silent[AT_ONCE], fd;
	struct stage g;
	char reply[64];

	(void)state;
	begin(&g);
	for (size_t i = 0; i < AT_ONCE; i++)
		silent[i] = enter(&g);
	/* It waits for its turn, and its caller does not. */
	fd = enter(&g);
	assert_int_equal(send(fd, "gone\n", 5, MSG_NOSIGNAL), 5);
	(void)close(fd);
	/* Who has only said all that it has to say is there. */
	fd = enter(&g);
	assert_int_equal(send(fd, "here\n", 5, MSG_NOSIGNAL), 5);
	(void)shutdown(fd, SHUT_WR);
	listen_to(fd, reply, sizeof(reply));
	(void)close(fd);
	assert_string_equal(reply, "here\n");
	for (size_t i = 0; i < AT_ONCE; i++)
		(void)close(silent[i]);
	end(&g);
	assert_int_equal(g.calls, 1);
}

static void the_end_waits_for_what_is_under_way(void **state)
{
	struct stage g;
	char reply[64];
	int fd;

	(void)state;
	begin(&g);
	fd = enter(&g);
	assert_int_equal(send(fd, "last\n", 5, MSG_NOSIGNAL), 5);
	while (!atomic_load(&g.running))
		(void)usleep(1000);
	end(&g);
	listen_to(fd, reply, sizeof(reply));
	(void)close(fd);
	assert_string_equal(reply, "last\n");
	assert_int_equal(g.left, 0);
}

static void without_workers_it_ends(void **state)
{
	struct stage g;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	*(&g) = (struct stage){};
	g.o = (struct arrayd_options){ .listen_fd = -1,
				       .workers_fd = ends[0],
				       .connections = 1,
				       .drain_ms = 100,
				       .call = echo,
				       .arg = &g };
	(void)close(ends[1]);
	assert_int_equal(arrayd_serve(&g.o, &g.left, NULL), -EPIPE);
	(void)close(ends[0]);
}

static void a_socket_that_is_served_stays(void **state)
{
	struct err e = {};
	struct stage g;

	(void)state;
	begin(&g);
	assert_int_equal(arrayd_listen(g.path, &e), -EADDRINUSE);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_served_a_few_at_once),
		cmocka_unit_test(what_is_cut_short_is_not_run),
		cmocka_unit_test(who_has_left_is_not_served),
		cmocka_unit_test(the_end_waits_for_what_is_under_way),
		cmocka_unit_test(without_workers_it_ends),
		cmocka_unit_test(a_socket_that_is_served_stays),
	};

	arrayd_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
