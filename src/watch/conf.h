/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What mvmm's users have written, read as mvmm reads it: /etc/pve/mvmm/mvmm.conf for all guests,
 * /etc/pve/mvmm/VMID.conf for one, in AppConfig's syntax with every key of the README and of the
 * code, and the keys that are new here. The node's own switches stand in [watch] of pvewarden.conf.
 * A value that is not understood is named with file and line and leaves what was there before.
 */

#include "util/diag.h"
#include "watch/probe.h"

enum {
	WATCH_PORTS_MAX = 16,
	WATCH_HTTP_MAX = 4,
	WATCH_HTTP_HOST_MAX = PROBE_HOST_MAX - 1 - 6, /* ":65535" goes behind it */
};

enum watch_ha {
	WATCH_HA_COMMANDS, /* restart guests that HA manages through HA */
	WATCH_HA_LEAVE,	   /* leave them alone */
};

struct watch_http {
	uint16_t port;
	uint16_t status_low, status_high;   /* 200 to 399 by default */
	char host[WATCH_HTTP_HOST_MAX + 1]; /* "": the guest's ip as it is written */
	char path[PROBE_PATH_MAX];
};

/* All times are milliseconds. */
struct watch_settings {
	enum tri enabled; /* TRI_UNKNOWN: nobody said; a guest with a file is enabled then */
	char name[PROBE_HOST_MAX]; /* for the log; "": Proxmox' own */
	char ip[256];		   /* literal or name; "": none */
	uint16_t ports_all[WATCH_PORTS_MAX], ports_any[WATCH_PORTS_MAX];
	size_t n_ports_all, n_ports_any;
	bool agent; /* ping the guest agent */
	struct watch_http http[WATCH_HTTP_MAX];
	size_t n_http;
	uint16_t status_low, status_high; /* http_status, for all of http */
	/* 0: all of portsall, agent and http, and one of portsany; M: any M of all of them */
	uint32_t need;
	uint32_t need_of;      /* N of "M of N", 0 if it was not said: checked against the probes */
	int64_t probe_timeout; /* 1000 */
	int64_t check_interval, fail_interval, fail_threshold, wait_interval;
	int64_t boot_time; /* recovery_time is its old name; boot_time wins wherever it stands */
	int64_t said_boot_time, said_recovery_time; /* what boot_time is made of; 0: nobody said */
	int64_t log_interval, disabled_log_interval;
	int restart_at;	       /* minute of the day, local time; -1: never */
	int64_t restart_after; /* age of QEMU; 0: never */
	uint32_t budget;       /* restarts ... */
	int64_t budget_window; /* ... in this time: "3/6h" */
	enum watch_ha ha;
};

/* Decisions 33 and 36. */
void watch_settings_default(struct watch_settings *s);

/* Reads one file's text over what @s holds. @file is its name in @diags. */
void watch_settings_read(struct watch_settings *s, struct slice text, const char *file,
			 struct diags *diags);

/* Why a guest with these settings cannot be watched ("no probe: ..."), NULL when it can. */
const char *watch_settings_problem(const struct watch_settings *s);

/* The targets of one round in their order: portsall, portsany, http, agent. Returns how many, at
 * most PROBE_TARGETS_MAX - 1: QMP goes behind them. A host is the whole Host header, with its port.
 */
size_t watch_settings_targets(const struct watch_settings *s,
			      struct probe_target targets[PROBE_TARGETS_MAX]);

/* What a round's answer means for the guest: the targets as watch_settings_targets() gave them.
 * GOOD only on evidence, BAD only if it would be bad whatever the unknown ones are. */
enum probe_result watch_settings_verdict(const struct watch_settings *s,
					 const struct probe_answer *answer);

/* [watch] of pvewarden.conf. */
struct watch_node {
	const char *tag;	    /* opt-in by this tag; "mon-restart", "" for none */
	uint32_t correlate;	    /* this many guests at once are the checker's problem: 3 */
	uint32_t correlate_percent; /* ... or this share of all: 30 */
	uint32_t actions;	    /* guests acted on at the same time: 3 */
	const char *gateway;	    /* "auto", "none" or a literal address */
	bool mvmm_names;	    /* log as mvmm, with the [name] prefix */
	bool notify;		    /* mail alerts: true */
};

void watch_node_default(struct watch_node *n);
void watch_node_read(struct watch_node *n, struct slice text, const char *file, struct arena *a,
		     struct diags *diags);
