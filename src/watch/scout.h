/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The scout: a process that looks at what may block a reader (a hanging pmxcfs, the command line of
 * a process in trouble) and tells the supervisor what has changed, once a second. If it falls
 * silent, the supervisor is blind and acts on nothing; it never waits. Both ends are root's and
 * this program's, so that messages are structs.
 */

#include "pve/guestconf.h"
#include "pve/root.h"
#include "watch/brake.h"
#include "watch/optin.h"
#include "watch/record.h"
#include "watch/role.h"

enum {
	SCOUT_PERIOD_MS = 900,	     /* each guest's file every second time: within two seconds */
	SCOUT_SILENT_MS = 10 * 1000, /* then what it said last is not true any more */
	SCOUT_CONF_MAX = 128 * 1024,
	SCOUT_GLOBAL = 0,	/* stands for mvmm.conf among the files */
	SCOUT_CLUSTER_CONF = 1, /* pvewarden.conf of the cluster */
	SCOUT_NODE_CONF = 2,	/* pvewarden.conf of the node */
};

enum scout_kind {
	SCOUT_ROUND, /* one look is complete: struct scout_round */
	SCOUT_CONF,  /* a file is new or changed: its text */
	SCOUT_CONF_GONE,
	SCOUT_CONF_BAD,	  /* a file could not be read: a sentence */
	SCOUT_GUEST,	  /* a guest of this node is new or changed: struct scout_guest */
	SCOUT_GUEST_GONE, /* its config is not on this node any more */
	SCOUT_RUNS,	  /* a guest runs on this node, or another process of it: scout_runs */
	SCOUT_RUNS_NOT,
	SCOUT_FACTS, /* the answer to a question: struct scout_facts */
	SCOUT_KIND_MAX,
};

struct scout_head {
	uint32_t kind; /* enum scout_kind */
	uint32_t vmid; /* or SCOUT_GLOBAL and its like */
	uint32_t serial;
};

struct scout_round {
	char node[64];
	bool readable; /* /etc/pve is there and answers */
	bool whole;    /* and every guest of this node could be told */
	char problem[200];
	enum tri quorate;
	bool mvmm;
	bool maintenance_cluster; /* of all guests */
	int64_t maintenance_until, maintenance_since;
	char maintenance_by[32];
};

struct scout_guest {
	char name[PROBE_HOST_MAX];
	struct watch_optin optin;
	bool coming; /* lock: migrate, seen from the node that has the config */
};

struct scout_runs {
	enum guest_type type;
	bool incoming;
	int64_t started; /* milliseconds of CLOCK_BOOTTIME; 0: not known */
};

/* Asked just before an action. */
struct scout_question {
	uint32_t serial, vmid;
	enum guest_type type;
	int64_t stops_since; /* Unix seconds; 0: do not count */
};

struct scout_facts {
	struct watch_facts facts;	 /* what the node and the guest's config say */
	uint64_t stops[WATCH_STOPS_MAX]; /* tasks that stop it, since then */
	size_t n_stops;
	uint64_t digest; /* of its config; 0 while changes are pending */
	enum tri runs;	 /* now, not at the last look */
	struct scout_runs run;
};

struct scout_message {
	struct scout_head head;
	union {
		struct scout_round round;
		struct scout_guest guest;
		struct scout_runs runs;
		struct scout_facts facts;
		char text[SCOUT_CONF_MAX];
	};
};

struct scout_options {
	const struct root *root;
	const char *tag; /* "" for none */
};

int scout_start(struct role *ret, const struct scout_options *o, struct err *e);
int scout_ask(const struct role *r, const struct scout_question *q);

/* One message into @ret; *ret_len is the length of a text. -EAGAIN: none; -EPIPE: it is gone;
 * -EPROTO: not a message. */
int scout_receive(const struct role *r, struct scout_message *ret, size_t *ret_len);

/* --- the scout's own side --- */

/* Everything that is asked before an action, read afresh. */
void scout_facts_read(struct scout_facts *ret, const struct root *root,
		      const struct scout_question *q, int64_t now);

/* An mvmm process, of the Perl program that this one replaces, lives here. */
bool scout_mvmm_lives(const struct root *root);
