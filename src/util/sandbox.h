/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What a forked child gives up before it speaks with somebody it does not trust: identity,
 * capabilities, files, new processes, and every socket but a TCP client's. There is no way back.
 */

#include "util/err.h"

struct sandbox {
	uid_t uid; /* what it becomes when it is root; must not be 0 then */
	gid_t gid;
	pid_t parent; /* the child dies with it */
	const uint16_t
		*ports; /* the only TCP ports it may connect to, where the kernel can say so */
	size_t n_ports;
	unsigned int n_fds; /* descriptors numbered below this are all that it may open */
};

/*
 * All of it, or -errno and a sentence: the caller must end then, what was given up stays given up.
 * Only Landlock may be missing from the kernel. In the order of what needs what: a new identity
 * undoes the signal of the parent's death, and a filter stops what comes before it.
 */
int sandbox_enter(const struct sandbox *s, struct err *e);

/* Landlock alone: no file, no TCP port but those listed (ABI 4), no abstract socket and no signal
 * to the outside (ABI 6). 0 as well when the kernel has no Landlock. Needs PR_SET_NO_NEW_PRIVS. */
int sandbox_landlock(const uint16_t *ports, size_t n_ports, struct err *e);

/* Landlock's version in this kernel, from 4 on it holds TCP ports; -ENOSYS or -EOPNOTSUPP: none. */
int sandbox_landlock_abi(void);

/* The system calls that go wrong from now on. Needs PR_SET_NO_NEW_PRIVS. */
int sandbox_filter(struct err *e);
