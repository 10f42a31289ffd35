/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The headers of Debian 12 end with ABI 2; what the running kernel knows is asked at run time. */
enum {
	ABI_NET = 4,
	ABI_SCOPE = 6,
	RULE_NET_PORT = 2,
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
};

struct ruleset {
	uint64_t access_fs;
	uint64_t access_net; /* ABI 4 */
	uint64_t scoped;     /* ABI 6 */
};

struct net_port {
	uint64_t access;
	uint64_t port;
};

int sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

/* Every right over files that this version knows: 13 at first, then rename, truncate, ioctl. */
static uint64_t all_of_files(int abi)
{
	int bits = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5);

	return (1ULL << bits) - 1;
}

static int make(int abi)
{
	struct ruleset r = {
		.access_fs = all_of_files(abi),
		.access_net = NET_BIND_TCP | NET_CONNECT_TCP,
		.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
	};
	size_t size = abi >= ABI_SCOPE ? sizeof(r)
		      : abi >= ABI_NET ? offsetof(struct ruleset, scoped)
				       : offsetof(struct ruleset, access_net);

	return (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
}

static int allow(int ruleset, const uint16_t *ports, size_t n_ports)
{
	for (size_t i = 0; i < n_ports; i++) {
		struct net_port rule = { NET_CONNECT_TCP, ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
			return -errno;
	}
	return 0;
}

static int restrict_to(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

int sandbox_landlock(const uint16_t *ports, size_t n_ports, struct err *e)
{
	int abi = sandbox_landlock_abi(), r;
	CLEANUP_FD int ruleset = -1;

	if (abi == -ENOSYS || abi == -EOPNOTSUPP)
		return 0;
	ruleset = abi < 0 ? abi : make(abi);
	r = abi < 0 ? abi : ruleset < 0 ? -errno : 0;
	if (r >= 0 && abi >= ABI_NET)
		r = allow(ruleset, ports, n_ports);
	if (r >= 0)
		r = restrict_to(ruleset);
	if (r < 0)
		return err_set(e, r, "the sandbox could not be made: Landlock: %s", strerror(-r));
	return 0;
}
