/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * watch_guests FIRST COUNT PORT: as many guests as a supervisor could tell from QEMUs, for
 * bench/watch. Each is a process that does nothing, with a QEMU's command line and pid file; this
 * process has all of their ports, which take connections and answer HTTP, and their guest agents.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum kind { KIND_NONE, KIND_LISTEN_PORT, KIND_LISTEN_AGENT, KIND_PORT, KIND_AGENT };

enum { FDS_MAX = 65536 };

static unsigned char kinds[FDS_MAX];
static int epoll;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int fd, enum kind kind)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= FDS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll");
	kinds[fd] = (unsigned char)kind;
}

static void listen_port(unsigned int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, 64) < 0)
		die("port");
	watch(fd, KIND_LISTEN_PORT);
}

static void listen_agent(unsigned int id)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "/run/qemu-server/%u.qga", id);
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, 8) < 0)
		die(to.sun_path);
	watch(fd, KIND_LISTEN_AGENT);
}

static void start_guest(unsigned int id)
{
	char number[16], pidfile[64], path[64];
	char *argv[] = { "/usr/bin/kvm", "-id", number, "-pidfile", pidfile, "-daemonize", NULL };
	char *env[] = { NULL };
	FILE *file;
	pid_t pid;

	(void)snprintf(number, sizeof(number), "%u", id);
	(void)snprintf(pidfile, sizeof(pidfile), "/var/run/qemu-server/%u.pid", id);
	(void)snprintf(path, sizeof(path), "/run/qemu-server/%u.pid", id);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, env) != 0)
		die("guest");
	file = fopen(path, "we");
	if (!file || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file) != 0)
		die(path);
}

static void end(int fd)
{
	kinds[fd] = KIND_NONE;
	(void)close(fd);
}

static void answer_http(int fd)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

	(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
	end(fd);
}

static void answer_agent(int fd, const char *request)
{
	const char *id = strstr(request, "\"id\":");
	char text[80];
	int n;

	if (strstr(request, "guest-ping"))
		n = snprintf(text, sizeof(text), "{\"return\": {}}\n");
	else
		n = snprintf(text, sizeof(text), "\xff{\"return\": %lu}\n",
			     id ? strtoul(id + 5, NULL, 10) : 0);
	(void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static void serve(int fd)
{
	char data[1024];
	ssize_t n;
	int client;

	if (kinds[fd] == KIND_LISTEN_PORT || kinds[fd] == KIND_LISTEN_AGENT) {
		client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client >= 0)
			watch(client, kinds[fd] == KIND_LISTEN_PORT ? KIND_PORT : KIND_AGENT);
		return;
	}
	n = recv(fd, data, sizeof(data) - 1, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(fd);
		return;
	}
	data[n] = '\0';
	if (kinds[fd] == KIND_PORT)
		answer_http(fd);
	else
		answer_agent(fd, data);
}

int main(int argc, char *argv[])
{
	struct rlimit limit = { FDS_MAX, FDS_MAX };
	unsigned int first, count, port;

	if (argc > 1 && argv[1][0] == '-')
		for (;;)
			(void)pause();
	if (argc != 4)
		return 64;
	first = (unsigned int)strtoul(argv[1], NULL, 10);
	count = (unsigned int)strtoul(argv[2], NULL, 10);
	port = (unsigned int)strtoul(argv[3], NULL, 10);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; i < count; i++) {
		start_guest(first + i);
		listen_port(port + i);
		listen_agent(first + i);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event ev[64];
		int n = epoll_wait(epoll, ev, 64, -1);

		for (int i = 0; i < n; i++)
			serve(ev[i].data.fd);
	}
}
