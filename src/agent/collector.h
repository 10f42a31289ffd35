/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The process that reads: /etc/pve may hang, so everything that touches it is done in a child,
 * forked without exec, which keeps what it has parsed from one cycle to the next. It is asked over
 * a socket and answers with finished texts; the daemon never waits for it.
 */

#include <sys/types.h>

#include "pve/root.h"

enum { COLLECT_NODE_MAX = 64, COLLECT_UNHEARD_MAX = 64 };

/* What one cycle is to bring. Plain bytes: it crosses a socket. */
struct collect_ask {
	bool hub;	  /* the document for our hub is wanted */
	bool nanny;	  /* NannyAPI's objects are wanted */
	bool all_configs; /* not only those that changed since the last answer */
	uint32_t interval;
	uint64_t sequence;
	char instance[33];
	char cluster_uuid[COLLECT_NODE_MAX]; /* as it was last; "": never read */
	char reporter[COLLECT_NODE_MAX];     /* as the hub said last; "": it has not */
	char unheard[COLLECT_UNHEARD_MAX][COLLECT_NODE_MAX]; /* "" ends it */
};

struct collect_answer {
	int error; /* 0; -ENODEV: no Proxmox VE here (now); else nothing could be read */
	char why[512];
	bool clustered, quorate;
	char node[COLLECT_NODE_MAX], cluster[COLLECT_NODE_MAX]; /* names, for the log */
	char cluster_uuid[COLLECT_NODE_MAX]; /* "": there is none; for collect_without_pmxcfs() */
	uint32_t guests;		     /* of this node */
	uint32_t milliseconds;		     /* it took */
	uint32_t cpu_microseconds;
	struct buf document; /* docs/wire.md; empty if not asked for */
	struct buf posts;    /* {"posts": [{"path": "/api/proxmox/node", "body": {...}}, ...]}, in
				order */
};
void collect_answer_done(struct collect_answer *a);

struct collector {
	pid_t pid;		      /* 0: none runs */
	int fd;			      /* -1: none runs; readable when something came */
	bool asked;		      /* and it has not answered yet */
	struct buf incoming;	      /* the head of its answer, as far as it came */
	struct collect_answer coming; /* and the texts behind it */
};

/* Forks one. -errno with a sentence. */
int collector_start(struct collector *c, const struct root *r, struct err *e);

/* Asks; never blocks. -EPIPE: it has died, -EBUSY: it has not answered the last one. */
int collector_ask(struct collector *c, const struct collect_ask *ask);

/* Takes what came. 1: *ret is whole; 0: more is to come; -EPIPE: it has died. Never blocks. */
int collector_take(struct collector *c, struct collect_answer *ret);

/* Kills and forgets it; true if it is still there (stuck in the kernel): count these, and do not
 * fork more than two. @ret_pid says which. */
bool collector_stop(struct collector *c, pid_t *ret_pid);

/* The same cycle in this process, for `agent once` and tests: keeps nothing. */
void collect_once(const struct root *r, const struct collect_ask *ask, struct collect_answer *ret);

/* The document of a node whose /etc/pve hangs: what /proc alone says, and that it hangs. */
void collect_without_pmxcfs(const struct root *r, const struct collect_ask *ask, const char *node,
			    const char *cluster_uuid, struct collect_answer *ret);
