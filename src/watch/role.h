/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A helper process of the supervisor for what may block: reading /etc/pve and /proc, resolving
 * names. Forked without exec, joined by a socket that keeps messages whole, and ended when the
 * supervisor is.
 */

#include "util/err.h"

struct role {
	pid_t pid;
	int pidfd; /* readable once it has ended */
	int fd;	   /* SOCK_SEQPACKET; non-blocking here, blocking there */
};

/* Runs @main(@fd, @arg) in the child, which has no other descriptors than the first three and @fd.
 * The caller must have no threads. */
int role_start(struct role *ret, const char *name, void (*main)(int fd, void *arg), void *arg,
	       struct err *e);

/* Kills it and closes its descriptors. False: it is not gone yet, the caller has to reap it. Safe
 * on a zeroed one. */
bool role_end(struct role *r);
