/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hub/conf.h"
#include "util/str.h"

enum { BACKLOG = 4096 };

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static socklen_t to_address(const char *text, uint16_t port, union address *a)
{
	*a = (union address){};
	if (inet_pton(AF_INET, text, &a->four.sin_addr) == 1) {
		a->four.sin_family = AF_INET;
		a->four.sin_port = htons(port);
		return sizeof(a->four);
	}
	(void)inet_pton(AF_INET6, text, &a->six.sin6_addr);
	a->six.sin6_family = AF_INET6;
	a->six.sin6_port = htons(port);
	return sizeof(a->six);
}

int listen_open(const char *where, uint16_t *ret_port, struct err *e)
{
	static const int one = 1, zero = 0;
	union address a;
	char text[64];
	uint16_t port = 0;
	socklen_t len;
	CLEANUP_FD int fd = -1;

	if (!hub_conf_split_listen(where, text, &port))
		return err_set(e, -EINVAL, "%s is no ADDRESS:PORT", where);
	len = to_address(text, port, &a);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "no socket: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* "[::]" is everything, with IPv4. */
	if (a.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, &a.any, len) || listen(fd, BACKLOG))
		return err_set(e, -errno, "cannot listen on %s: %s", where, strerror(errno));
	len = sizeof(a);
	(void)getsockname(fd, &a.any, &len);
	*ret_port = ntohs(a.any.sa_family == AF_INET6 ? a.six.sin6_port : a.four.sin_port);
	return take_fd(&fd);
}

size_t listen_make_room(size_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	if (limit.rlim_cur < wanted) {
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}

static void address_text(const struct sockaddr *any, char text[64])
{
	union address a = {};

	text[0] = '\0';
	if (any->sa_family == AF_INET) {
		memcpy(&a.four, any, sizeof(a.four));
		(void)inet_ntop(AF_INET, &a.four.sin_addr, text, 64);
	} else if (any->sa_family == AF_INET6) {
		memcpy(&a.six, any, sizeof(a.six));
		(void)inet_ntop(AF_INET6, &a.six.sin6_addr, text, 64);
	}
	if (strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.'))
		memmove(text, text + 7, strlen(text + 7) + 1);
}

static bool is_loopback(const char *text)
{
	return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}

/* The last one of a list, if it is an address: the proxy itself has written it. */
static bool last_address(const char *list, char text[64])
{
	const char *comma = strrchr(list, ',');
	struct slice s = slice_trim(slice_of(comma ? comma + 1 : list));
	unsigned char raw[16];

	if (s.n >= 64)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

void listen_peer(const struct sockaddr *address, bool tls, const char *forwarded_for,
		 const char *forwarded_proto, struct request *r)
{
	address_text(address, r->peer);
	r->secure = tls || is_loopback(r->peer);
	if (!is_loopback(r->peer) || !forwarded_for)
		return;
	if (!last_address(forwarded_for, r->peer))
		(void)snprintf(r->peer, sizeof(r->peer), "unknown");
	r->secure = forwarded_proto && strcasecmp(forwarded_proto, "https") == 0;
}
