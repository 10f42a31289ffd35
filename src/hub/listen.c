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

void listen_network(const char *peer, char ret[64])
{
	union address a = {};

	(void)snprintf(ret, 64, "%s", peer);
	if (inet_pton(AF_INET6, peer, &a.six.sin6_addr) != 1)
		return;
	memset(&a.six.sin6_addr.s6_addr[8], 0, 8);
	(void)inet_ntop(AF_INET6, &a.six.sin6_addr, ret, 64);
}

void listen_network_of(const struct sockaddr *address, char ret[64])
{
	char peer[64];

	address_text(address, peer);
	listen_network(peer, ret);
}

static bool is_loopback(const char *text)
{
	return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}

void listen_header(struct listen_said *said, const char *name, const char *value)
{
	static const char *const others[] = { "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host" };

	value = value ? value : "";
	if (strcasecmp(name, "X-Forwarded-For") == 0)
		said->peer = value;
	else if (strcasecmp(name, "X-Forwarded-Proto") == 0)
		said->proto = value;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		said->forwarded = said->forwarded || strcasecmp(name, others[i]) == 0;
	said->forwarded = said->forwarded || said->peer || said->proto;
}

static struct slice last_of(const char *list)
{
	const char *comma = strrchr(list, ',');

	return slice_trim(slice_of(comma ? comma + 1 : list));
}

/* As the system writes it, so that one address has one text. */
static bool read_address(struct slice s, char text[64])
{
	union address a = {};
	char raw[64];

	if (s.n >= sizeof(raw))
		return false;
	memcpy(raw, s.p, s.n);
	raw[s.n] = '\0';
	if (inet_pton(AF_INET, raw, &a.four.sin_addr) == 1)
		a.any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, raw, &a.six.sin6_addr) == 1)
		a.any.sa_family = AF_INET6;
	else
		return false;
	address_text(&a.any, text);
	return true;
}

bool listen_are_addresses(const char *list)
{
	struct slice rest = slice_of(list), one;
	char text[64];

	while (slice_split(&rest, ' ', &one))
		if (!slice_empty(one) && !read_address(one, text))
			return false;
	return slice_empty(rest) || read_address(rest, text);
}

static bool is_in(const char *list, const char *peer)
{
	struct slice rest = slice_of(list), one;
	char text[64];

	while (slice_split(&rest, ' ', &one))
		if (read_address(one, text) && strcmp(text, peer) == 0)
			return true;
	return read_address(rest, text) && strcmp(text, peer) == 0;
}

static bool says_https(const char *proto)
{
	struct slice last = last_of(proto ? proto : "");

	return last.n == 5 && strncasecmp(last.p, "https", 5) == 0;
}

void listen_peer(const struct sockaddr *address, bool tls, const struct listen_said *said,
		 const char *trusted, struct request *r)
{
	bool loopback;

	address_text(address, r->peer);
	loopback = is_loopback(r->peer);
	r->secure = tls || loopback;
	r->local = loopback && !said->forwarded;
	if (!said->forwarded || (!loopback && !(trusted && is_in(trusted, r->peer))))
		return;
	r->forwarded = true;
	if (!said->peer || !read_address(last_of(said->peer), r->peer))
		(void)snprintf(r->peer, sizeof(r->peer), "unknown");
	r->secure = r->secure && says_https(said->proto);
}
