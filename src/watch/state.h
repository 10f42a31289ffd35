/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What `watch run` published in /run/pvewarden/watch/watch.json (schema pvewarden.watch/1), read
 * for people and for monitoring.
 */

#include "pve/root.h"
#include "util/arena.h"
#include "watch/phase.h"

#define WATCH_STATE_FILE   "run/pvewarden/watch/watch.json"
#define WATCH_STATE_SCHEMA "pvewarden.watch/1"

enum { WATCH_STATE_MAX_AGE = 30 }; /* seconds; it is written more often */

struct watch_state_switch {
	uint32_t vmid; /* 0: all */
	bool cluster;
	int64_t since, until;
	const char *by;
};

struct watch_state_probe {
	const char *kind, *result, *why; /* why may be NULL */
	uint32_t port;			 /* 0: none */
	double ms;
};

/* Times are Unix seconds, 0 when there is none; lengths are seconds. */
struct watch_state_guest {
	uint32_t vmid;
	const char *type, *name, *state; /* state as it stands, also if it is not known */
	enum watch_state phase;
	const char *held, *qmp; /* NULL without */
	int64_t since, uptime;	/* uptime -1: not known */
	int64_t last_probe, next_check;
	struct watch_state_probe *probes;
	size_t n_probes;
	struct {
		uint64_t left, of, window;
	} budget;
	struct {
		int64_t since;
		uint64_t checks, failed, restarts, scheduled_restarts, alerts;
		uint64_t up, down, longest_outage;
	} stats;
};

struct watch_document {
	const char *absent; /* why there is nothing to go by; NULL when the rest is current */
	int64_t age;	    /* of the document, seconds; -1: there is none */
	int64_t time, started;
	const char *node;
	uint64_t pid;
	bool dry_run, mvmm; /* an mvmm process lives: nothing is acted on */
	struct watch_state_switch *maintenance;
	size_t n_maintenance;
	struct watch_state_guest *guests; /* by vmid, each once */
	size_t n_guests;
	struct buf text; /* the document as it stands */
	struct arena arena;
};

/* Never fails; what is not root's, not a regular file, too old or broken is absent. */
void watch_state_read(struct watch_document *ret, const struct root *root, int64_t now);
/* The same of a text. @text is copied. */
void watch_state_parse(struct watch_document *ret, struct slice text, int64_t now);
void watch_state_done(struct watch_document *s);

/* The exit status of `watch status`: 0 all serve, 1 some do not or nothing may be done for them, 2
 * one was given up or is off because of us, 3 it cannot be told. */
int watch_state_exit(const struct watch_document *s);

/* Those that are watched: neither absent nor disabled. */
bool watch_state_counts(const struct watch_state_guest *g);
