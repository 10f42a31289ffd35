/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_verdict.h"

#include <errno.h>

enum probe_why probe_verdict_errno(int code)
{
	switch (code) {
	case ECONNREFUSED:
		return PROBE_WHY_REFUSED;
	case ETIMEDOUT:
		return PROBE_WHY_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENONET:
		return PROBE_WHY_UNREACHABLE;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return PROBE_WHY_CLOSED;
	default: /* EMFILE, ENOBUFS, EADDRNOTAVAIL, a firewall of this node's, and what is unheard
		    of */
		return PROBE_WHY_OURS;
	}
}

enum probe_why probe_verdict_qmp(enum probe_qmp found)
{
	return found == QMP_RUNNING    ? PROBE_WHY_NONE
	       : found == QMP_SILENT   ? PROBE_WHY_TIMEOUT
	       : found == QMP_NONSENSE ? PROBE_WHY_NONSENSE
	       : found == QMP_CLOSED   ? PROBE_WHY_CLOSED
				       : PROBE_WHY_STATUS;
}

int probe_verdict_weight(enum probe_result result, enum probe_why why)
{
	/* Of two that are bad, the one that got further. */
	static const uint8_t bad[PROBE_WHY_MAX] = {
		[PROBE_WHY_UNREACHABLE] = 1, [PROBE_WHY_REFUSED] = 2,  [PROBE_WHY_TIMEOUT] = 3,
		[PROBE_WHY_CLOSED] = 4,	     [PROBE_WHY_NONSENSE] = 5, [PROBE_WHY_STATUS] = 6,
	};

	if (result == PROBE_GOOD)
		return 100;
	if (result == PROBE_BAD)
		return bad[why];
	return why == PROBE_WHY_OURS ? 50 : 0;
}

socklen_t probe_sockaddr(const struct probe_address *a, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_scope_id = a->scope };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (a->family == AF_INET) {
		memcpy(&four.sin_addr, a->bytes, sizeof(four.sin_addr));
		memcpy(ret, &four, sizeof(four));
		return sizeof(four);
	}
	memcpy(&six.sin6_addr, a->bytes, sizeof(six.sin6_addr));
	memcpy(ret, &six, sizeof(six));
	return sizeof(six);
}
