/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One request on its way through the hub, without the HTTP library:
 *
 *   headers -> call_begin() -> [call_admit() -> body] -> call_run() [-> the writers] -> finished()
 *
 * call_begin() is for the thread of the server and never waits, and knows already how much a
 * stranger may send; call_admit() (who speaks, how much) and call_run() are for the pool. A reply
 * with a status ends the way wherever it comes up.
 */

#include <stdatomic.h>

#include "hub/auth.h"
#include "hub/budget.h"
#include "hub/check.h"
#include "hub/conf.h"
#include "hub/count.h"
#include "hub/pool.h"
#include "hub/route.h"
#include "hub/writer.h"

struct hub {
	/* Another one after SIGHUP; the old one stays, somebody may still read it. */
	_Atomic(const struct hub_conf *) conf;
	char base[300]; /* public_url, or what stands in for it */
	struct auth *auth;
	struct limit *limit;
	struct budget *budget;	  /* of orgs */
	struct budget *strangers; /* of addresses: who has no token takes nothing from the orgs */
	struct counts *counts;
	struct pool *pool;
	struct writers *writers;
	atomic_uint connections, requests; /* open now, on their way now */
	atomic_bool draining;
};

struct call {
	struct pool_job job;
	struct write_item item;
	struct hub *hub;
	struct request request;
	struct target target;
	struct route_match match;
	struct identity who;
	char stranger[LINE_NAME_MAX]; /* the name of who has none: the address */
	bool admitted;
	bool whole;	    /* the body is here, or there is none */
	struct reply reply; /* status 0: there is none yet */
	struct buf body;
	size_t charged; /* for body and reply */
	struct check_texts texts;
	int64_t began_us;
	void (*finished)(struct call *call); /* the pool or a writer is done with it */
};

/* What the headers announce: UINT64_MAX is a body of unknown length. */
#define CALL_CHUNKED UINT64_MAX

/* The route, the method, the body's length and coding. */
void call_begin(struct call *c, uint64_t announced, const char *content_encoding);

/* In the pool; finished() is called when it is done. */
void call_admit(struct call *c);
void call_run(struct call *c);

/* A piece of the body; false: too large now, and the reply says so. */
bool call_body(struct call *c, const char *data, size_t n);

/* Gives back what the call holds. */
void call_done(struct call *c);

/* Fills the reply for a negative errno of the store; returns 0. */
int call_store_error(struct call *c, int error, const struct err *e);
