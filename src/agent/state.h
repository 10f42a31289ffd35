/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What `agent run` published in /run/pvewarden/agent/agent.json (schema pvewarden.agent/1), read
 * for people and for monitoring. */

#include "pve/root.h"
#include "util/arena.h"

#define AGENT_STATE_PATH   "run/pvewarden/agent/agent.json"
#define AGENT_STATE_SCHEMA "pvewarden.agent/1"

enum {
	AGENT_STATE_MAX_AGE = 60, /* seconds; it is written more often */
	AGENT_LATE_INTERVALS = 3,
	AGENT_SILENT_INTERVALS = 10,
	AGENT_STATE_SERVERS = 8,
	AGENT_STATE_REASONS = 40,
	AGENT_PARKED_S = 86400, /* what was put aside is a warning for so long */
};

/* Times are Unix seconds, 0 when there is none. */
struct agent_state_server {
	const char *name, *url, *problem; /* problem: NULL without */
	uint64_t interval, delivered, refused, waiting, failures;
	int64_t since, last_delivery, last_try, next_try;
	bool token, ready, given_up, revoked;
	int64_t got, expires, refresh_expires;
};

struct agent_state_reason {
	int64_t at;
	const char *why;
};

struct agent_state {
	const char *absent; /* why there is nothing to go by; NULL when the rest is current */
	int64_t age, time, started;
	const char *node, *cluster, *reporter;
	uint64_t pid;
	bool no_proxmox;
	struct {
		int64_t last;
		uint64_t count, unanswered, guests, ms, stuck;
		bool hangs;
		const char *problem;
	} collection;
	struct {
		uint64_t documents, bytes, max, dropped, parked, damaged, unkept;
		const char *problem;
	} spool;
	uint64_t parked_objects;
	struct agent_state_server servers[AGENT_STATE_SERVERS];
	size_t n_servers;
	struct agent_state_reason reasons[AGENT_STATE_REASONS]; /* why something was put aside */
	size_t n_reasons;
	struct buf text; /* the document as it stands */
	struct arena arena;
};

/* Never fails; what is not the agent's, not a regular file, too old or broken is absent. */
void agent_state_read(struct agent_state *ret, const struct root *root, int64_t now);
/* The same of a text. @text is copied. */
void agent_state_parse(struct agent_state *ret, struct slice text, int64_t now);
void agent_state_done(struct agent_state *s);

/* An exit status: 2 a server has had nothing for ten intervals or takes nothing more, 1 for three,
 * or something is wrong that loses nothing yet, 3 it cannot be told. */
int agent_state_exit(const struct agent_state *s, int64_t now);
int agent_state_server_exit(const struct agent_state_server *v, int64_t now);
