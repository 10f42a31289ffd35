/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The guests that the supervisor knows: what the scout said of each, the settings that follow, the
 * state machine, the prober, and the totals that people ask for.
 */

#include "watch/fsm.h"
#include "watch/prober.h"
#include "watch/record.h"
#include "watch/scout.h"

struct sd_event_source;
struct watchd;

struct watch_stats {
	int64_t since; /* Unix seconds */
	uint64_t checks, failed;
	uint64_t restarts, scheduled, alerts;
	int64_t up_ms, down_ms, longest_outage_ms;
};

struct watch_guest {
	struct watchd *owner;
	uint32_t vmid;
	/* what the scout says, and which scout said it */
	bool here, runs, touched, fresh_text;
	uint32_t heard_here, heard_runs, heard_text;
	struct scout_guest config;
	struct scout_runs run;
	char *text; /* of its own file, NULL without one */
	size_t text_len;
	/* what follows */
	bool watched; /* has settings: a file, or the tag */
	struct watch_settings settings;
	struct watch_fsm fsm;
	struct watch_record record;
	struct watch_stats stats;
	int64_t stats_at; /* boot time of the last addition to up_ms and down_ms */
	/* probing */
	struct prober prober;
	bool has_prober;
	uint64_t ports_digest; /* of the ports that the prober is bound to */
	struct sd_event_source *answers, *prober_ends, *timer;
	uint32_t serial;
	int64_t answer_by;	    /* 0: no round is under way */
	bool answered, qmp_awaited; /* of this round */
	enum probe_qmp qmp;
	enum probe_qmp qmp_said; /* in the last round that has ended */
	struct probe_answer answer;
	int64_t answered_at; /* Unix seconds */
	struct probe_address addresses[PROBE_ADDRESSES_MAX];
	uint8_t n_addresses;
	bool unresolved; /* and it was said */
	int64_t resolve_at;
	/* acting */
	uint32_t question; /* serial of the open one, 0 without */
	int64_t ask_at;	   /* the facts are asked for then: the others are being probed */
	int64_t asked_at;  /* Unix seconds */
	int64_t resume_at; /* asked again then */
	struct scout_facts facts;
	bool has_facts;
	int64_t done_by; /* the command has ended, its effect is awaited until then; 0: no */
	bool done_ok;
	bool recount;	    /* a command has ended since its tasks were counted */
	char held_by[200];  /* the brake of the last permit, in words */
	char error[160];    /* of the last command */
	int64_t due_at;	    /* Unix seconds of the next restart_at, 0 without */
	int64_t left_since; /* when the state before this one began */
	bool resuming;	    /* its record owes it something: being looked into */
	int64_t prober_since;
	unsigned int quick_deaths;
};

/* Sorted by vmid; the guests' addresses stay. */
struct watch_guests {
	struct watch_guest **items;
	size_t n, cap;
};

struct watch_guest *watch_guests_find(const struct watch_guests *g, uint32_t vmid);
struct watch_guest *watch_guests_get(struct watch_guests *g, uint32_t vmid); /* made if missing */
void watch_guests_remove(struct watch_guests *g, uint32_t vmid);	     /* frees it */

/* What holds it, in words; NULL when nothing does. */
const char *watch_guest_held(const struct watch_guest *g, char *buf, size_t n);

/* The name for the log: the file's, else Proxmox', else "VM". */
const char *watch_guest_name(const struct watch_guest *g);

/* Guests that fail and began to within @window of @g's first failure, @g among them. */
uint32_t watch_guests_failing_with(const struct watch_guests *all, const struct watch_guest *g,
				   int64_t window);

/* Guests being acted on, @but left out; watched guests that run. */
uint32_t watch_guests_acting(const struct watch_guests *all, const struct watch_guest *but);
uint32_t watch_guests_watched(const struct watch_guests *all);

/* Adds the time since the last call to what its state then was. */
void watch_guest_count_time(struct watch_guest *g, int64_t now);
