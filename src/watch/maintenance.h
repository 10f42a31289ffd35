/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Who asked that nothing be restarted. The node's switch and its guests' are kept in
 * /var/lib/pvewarden/watch/maintenance.json and survive everything; the cluster's is the file
 * /etc/pve/pvewarden/watch-maintenance.json. A switch may end by itself at a time.
 */

#include "pve/root.h"
#include "util/arena.h"

#define MAINTENANCE_FILE	 "var/lib/pvewarden/watch/maintenance.json"
#define MAINTENANCE_CLUSTER_FILE "etc/pve/pvewarden/watch-maintenance.json"

enum { MAINTENANCE_NODE = 0 }; /* the id that stands for all guests of the node */

struct maintenance {
	struct maintenance_switch {
		uint32_t vmid;	/* MAINTENANCE_NODE: all */
		int64_t since;	/* Unix seconds */
		int64_t until;	/* 0: until somebody says off */
		const char *by; /* "SIGUSR2", "root" */
	} * items;		/* sorted by vmid */
	size_t n, cap;
};

/* An unreadable or strange file means maintenance, never the opposite: -errno with a sentence, and
 * the switch of the whole node is in *ret (since 0: nobody knows). A missing one is no maintenance.
 * The texts live in @a. */
int maintenance_parse(struct maintenance *ret, struct slice text, struct arena *a, struct err *e);
int maintenance_read(struct maintenance *ret, const struct root *root, const char *file,
		     struct arena *a, struct err *e);

/* The switch that holds for that guest at @now, NULL when none does. */
const struct maintenance_switch *maintenance_find(const struct maintenance *m, uint32_t vmid,
						  int64_t now);

/* Turns one on (until 0: open end) or off in that file, atomically. The node's is durable and under
 * a lock beside it. pmxcfs has neither locks nor modes, and refuses without quorum: ask for that
 * first, its own word for it is "Permission denied". What was strange stays maintenance of the
 * whole node until that is turned off. */
int maintenance_set(const struct root *root, const char *file, uint32_t vmid, bool on, int64_t now,
		    int64_t until, const char *by, struct err *e);
void maintenance_done(struct maintenance *m);
