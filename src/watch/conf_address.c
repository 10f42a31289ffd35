/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>

#include "util/str.h"
#include "watch/conf_value.h"

#define IP_EXPECTED   "an IPv4 address, an IPv6 address (without brackets) or a host name"
#define HTTP_EXPECTED "PORT/path, /path or http://host[:port]/path (printable ASCII without blanks)"

/* Nothing of a guest answers there: the node itself would, or everybody. */
static bool is_for_one_host4(const struct in_addr *a)
{
	uint32_t host = ntohl(a->s_addr);

	return host >> 24 != 0 && !IN_MULTICAST(host) && host != INADDR_BROADCAST;
}

/* "fe80::1%vmbr0" as well: a link-local address means something on its interface only. */
static bool is_ipv6(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *scope = strchr(text, '%');
	size_t n = scope ? (size_t)(scope - text) : strlen(text);
	struct in6_addr a;

	if (n >= sizeof(address) || (scope && (!scope[1] || strlen(scope + 1) >= IF_NAMESIZE)))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	return inet_pton(AF_INET6, address, &a) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&a) &&
	       !IN6_IS_ADDR_MULTICAST(&a) && (!scope || IN6_IS_ADDR_LINKLOCAL(&a));
}

static bool is_label(struct slice s)
{
	if (slice_empty(s) || s.n > 63 || *s.p == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

/* A last label of digits makes it an IPv4 address, and a wrong one: no top-level domain is so. */
static bool is_host_name(struct slice s)
{
	struct slice label = {};
	uint64_t number;

	if (slice_ends(s, "."))
		s.n--;
	if (slice_empty(s) || s.n > 253 || slice_ends(s, "."))
		return false;
	while (slice_split(&s, '.', &label))
		if (!is_label(label))
			return false;
	return !str_to_u64(label, &number) && !slice_starts(label, "0x");
}

const char *conf_take_ip(struct slice v, char ret[256])
{
	char text[256] = "";
	struct in_addr a;

	if (slice_empty(v) || v.n >= sizeof(text) || memchr(v.p, '\0', v.n))
		return IP_EXPECTED;
	memcpy(text, v.p, v.n);
	if (inet_pton(AF_INET, text, &a) == 1) {
		if (!is_for_one_host4(&a))
			return "the address of one host";
	} else if (!is_ipv6(text) && !is_host_name(v)) {
		return IP_EXPECTED;
	}
	memcpy(ret, text, sizeof(text));
	return NULL;
}

static bool is_path(struct slice v)
{
	if (!slice_starts(v, "/") || v.n >= PROBE_PATH_MAX)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] == 0x7f || v.p[i] == '#')
			return false;
	return true;
}

static bool take_port(struct slice v, uint16_t *ret)
{
	uint16_t ports[WATCH_PORTS_MAX];
	size_t n = 0;

	if (v.n > 5 || conf_take_ports(v, ports, &n) || n != 1)
		return false;
	*ret = ports[0];
	return true;
}

/* "host", "host:80", "[::1]:80"; the brackets stay, since the Host header has them. */
static bool take_authority(struct slice v, struct watch_http *ret)
{
	size_t n = slice_find(v, slice_starts(v, "[") ? ']' : ':');
	struct slice host, port, bare;
	char checked[256];

	if (slice_starts(v, "["))
		n++;
	host = (struct slice){ v.p, n < v.n ? n : v.n };
	port = slice_from(v, n);
	bare = slice_starts(host, "[") && host.n > 2 ? (struct slice){ host.p + 1, host.n - 2 }
						     : host;
	if (host.n > WATCH_HTTP_HOST_MAX || conf_take_ip(bare, checked) ||
	    (memchr(bare.p, ':', bare.n) && bare.p == host.p) || memchr(bare.p, '%', bare.n))
		return false;
	if (!slice_empty(port) && (*port.p != ':' || !take_port(slice_from(port, 1), &ret->port)))
		return false;
	memcpy(ret->host, host.p, host.n);
	return true;
}

const char *conf_take_http(struct slice v, struct watch_http *ret)
{
	struct watch_http h = { .port = 80,
				.status_low = ret->status_low,
				.status_high = ret->status_high };
	struct slice authority, path;
	size_t slash;

	if (slice_starts(v, "https:"))
		return "http: the small process that speaks with the guest has no TLS (portsall=443 "
		       "checks the port, agent=yes the guest)";
	authority = slice_starts(v, "http://") ? slice_from(v, 7) : v;
	slash = slice_find(authority, '/');
	path = slash < authority.n ? slice_from(authority, slash) : SLICE("/");
	if (!is_path(path) || (slash == authority.n && authority.p == v.p))
		return HTTP_EXPECTED;
	authority.n = slash;
	if (authority.p != v.p ? !take_authority(authority, &h)
			       : authority.n && !take_port(authority, &h.port))
		return HTTP_EXPECTED;
	memcpy(h.path, path.p, path.n);
	*ret = h;
	return NULL;
}
