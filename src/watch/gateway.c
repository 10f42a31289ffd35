/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/gateway.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/file.h"
#include "util/str.h"
#include "watch/resolver.h"

uint32_t gateway_of_routes(struct slice text)
{
	struct slice line, field[3];

	(void)slice_split(&text, '\n', &line); /* the head */
	while (slice_split(&text, '\n', &line)) {
		uint64_t gateway;

		for (size_t i = 0; i < ARRAY_SIZE(field); i++)
			if (!slice_split(&line, '\t', &field[i]))
				field[i] = (struct slice){ "", 0 };
		if (slice_eq(field[1], "00000000") && str_hex_to_u64(field[2], &gateway) &&
		    gateway != 0 && gateway <= UINT32_MAX)
			return (uint32_t)gateway;
	}
	return 0;
}

static uint32_t default_route(void)
{
	CLEANUP(buf_done) struct buf text = {};

	if (file_read_at(-1, "/proc/net/route", 1024 * 1024, &text) < 0)
		return 0;
	return gateway_of_routes(buf_slice(&text));
}

static int open_socket(const struct probe_address *a)
{
	int protocol = a->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_scope_id = a->scope };
	struct sockaddr_in four = { .sin_family = AF_INET };
	int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int r;

	if (fd < 0)
		return -1;
	memcpy(&six.sin6_addr, a->bytes, sizeof(six.sin6_addr));
	memcpy(&four.sin_addr, a->bytes, sizeof(four.sin_addr));
	r = a->family == AF_INET ? connect(fd, (struct sockaddr *)&four, sizeof(four))
				 : connect(fd, (struct sockaddr *)&six, sizeof(six));
	if (r == 0)
		return fd;
	(void)close(fd);
	return -1;
}

void gateway_open(struct gateway *g, const char *which)
{
	struct probe_address a = { .family = AF_INET };

	*g = (struct gateway){ .fd = -1 };
	if (strcmp(which, "none") == 0)
		return;
	if (strcmp(which, "auto") == 0) {
		g->route = default_route();
		memcpy(a.bytes, &g->route, sizeof(g->route));
		if (g->route)
			g->fd = open_socket(&a);
	} else if (resolver_literal(which, &a)) {
		g->fd = open_socket(&a);
	}
}

bool gateway_has_moved(const struct gateway *g, const char *which)
{
	return strcmp(which, "auto") == 0 && default_route() != g->route;
}

void gateway_close(struct gateway *g)
{
	if (g->fd >= 0)
		(void)close(g->fd);
	g->fd = -1;
}

void gateway_ask(struct gateway *g, int64_t now)
{
	struct sockaddr_storage self;
	socklen_t n = sizeof(self);
	struct icmphdr echo = { .type = ICMP_ECHO };

	if (g->fd < 0)
		return;
	g->asked_at = now;
	if (getsockname(g->fd, (struct sockaddr *)&self, &n) == 0 && self.ss_family == AF_INET6)
		echo.type = ICMP6_ECHO_REQUEST;
	/* The kernel fills in the id and the checksum of such a socket. */
	(void)send(g->fd, &echo, sizeof(echo), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void gateway_receive(struct gateway *g, int64_t now)
{
	char byte;

	/* The kernel passes on only answers to our own requests. */
	while (recv(g->fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		g->answered_at = now;
}

enum tri gateway_answers(const struct gateway *g, int64_t now)
{
	if (g->fd < 0 || g->answered_at == 0 || g->asked_at == 0)
		return TRI_UNKNOWN;
	return now - g->answered_at <= GATEWAY_LOST_MS ? TRI_YES : TRI_NO;
}
