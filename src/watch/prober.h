/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One small process per guest that speaks with it. Forked from the supervisor without exec, because
 * a fork shares its parent's pages (36 kB of its own against 1.5 MB); then it gives up everything:
 * its uid, its capabilities, all descriptors but one, all files and all ports but the guest's. It
 * keeps nothing between two asks.
 */

#include "util/err.h"
#include "watch/probe.h"

struct prober {
	pid_t pid;
	int pidfd; /* readable once it has ended */
	int fd;	   /* SOCK_SEQPACKET, non-blocking here */
};

struct prober_limits {
	uint32_t vmid; /* for its name in ps: "pvewarden: guest 100" */
	uid_t uid;     /* what it becomes; must not be 0 when the caller is root */
	gid_t gid;
	const uint16_t
		*ports; /* the only TCP ports it may connect to, where the kernel can say so */
	size_t n_ports;
};

/* Forks it. The caller must have no threads. -errno with a sentence; then nothing was started. */
int prober_start(struct prober *ret, const struct prober_limits *limits, struct err *e);

/* Hands over an ask and its descriptors, which stay the caller's. -EAGAIN: it has not yet taken the
 * last one. -EPIPE: it is gone. */
int prober_ask(const struct prober *p, const struct probe_ask *ask, const int *fds, size_t n_fds);

/* Takes one answer. -EAGAIN: none yet; -EPIPE: it is gone; -EPROTO: it sent what no prober sends
 * (it is to be killed and replaced). Every field of *ret is in its range. */
int prober_answer(const struct prober *p, struct probe_answer *ret);

/* Kills it, reaps it and closes the descriptors. Safe on a zeroed or ended one. */
void prober_end(struct prober *p);
