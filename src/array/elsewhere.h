/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Whether anybody but this node may be using a volume, before it is destroyed or overwritten. Two
 * nodes with one volume are normal while a guest migrates (facts F3), and a connection that a node
 * forgot is normal too (facts I#16), so a connection alone proves nothing. What is taken for proof
 * that nobody uses it:
 *
 * - all who are connected are hosts of this cluster's nodes, by name and suffix, and
 * - no guest of another node refers to it, in any section of its config, and
 * - no guest that refers to it is being migrated: then it runs where its config is not yet.
 *
 * A host that is no node of the cluster (another cluster on the same array, a backup server) cannot
 * be asked: that is a refusal, with the command for who knows better.
 */

#include "array/conf.h"
#include "array/fa.h"
#include "array/pvefs.h"
#include "pve/cluster.h"

struct elsewhere {
	const struct array_conf *conf;
	const char *node, *volname;
	const char *const *nodes; /* names of /etc/pve/nodes */
	size_t n_nodes;
};

/* Pure. -EBUSY with a sentence. */
int elsewhere_hosts(const struct elsewhere *w, const struct cluster *cluster,
		    const struct fa_connection *items, size_t n, struct err *e);
int elsewhere_guests(const struct elsewhere *w, const struct cluster *cluster, struct err *e);

/*
 * Both, reading /etc/pve when somebody else is connected, or may be (@all_known false: an array did
 * not say). -EBUSY; -EAGAIN when /etc/pve could not be read whole, or not within @wait_ms.
 */
int elsewhere_idle(const struct array_conf *conf, struct pvefs *p, int wait_ms, const char *node,
		   const char *volname, const struct fa_connection *items, size_t n, bool all_known,
		   struct err *e);

/* 1: another guest than @vmid refers to @volname, in any section of its config. 0: none does.
 * -EAGAIN: not all of /etc/pve could be read, or not within @wait_ms. */
int elsewhere_shared(const struct array_conf *conf, struct pvefs *p, int wait_ms, const char *node,
		     const char *volname, uint32_t vmid, struct err *e);

/*
 * Adds the names of those that volumes of this storage are connected to and that are no nodes of
 * this cluster, "a, b": another cluster may have the same names for its guests' disks (facts F5).
 */
int elsewhere_strangers(const struct array_conf *conf, struct pvefs *p, int wait_ms,
			const char *node, const struct fa_connection *items, size_t n,
			struct buf *ret, struct err *e);
