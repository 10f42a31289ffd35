/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* The prober's own side: what it does after the fork, and what goes over its socket. */

#include "watch/prober.h"

/* The child's first message: 0, or why it gave up. */
struct prober_hello {
	int code;
	struct err e;
};

/* In front of each ask. Bit n: the descriptor for the n-th target of kind AGENT or QMP came along.
 */
struct prober_head {
	uint32_t fds;
};

/* Length of what is sent of each. */
size_t prober_ask_size(const struct probe_ask *ask);
size_t prober_answer_size(const struct probe_answer *answer);

/* Whether everything in @ask is in its range; each text of it terminated and printable. */
bool prober_ask_is_valid(const struct probe_ask *ask);
bool prober_answer_is_valid(const struct probe_answer *answer);

/* All signals are blocked. @parent forked it, @fd is the one descriptor that it keeps. */
NORETURN void prober_child(int fd, pid_t parent, const struct prober_limits *limits);
