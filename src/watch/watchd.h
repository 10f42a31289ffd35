/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The supervisor: one process with one loop that never waits. The scout tells it what the node
 * shows, probers tell it how their guests do, the state machines decide, act.c has it done.
 */

#include <systemd/sd-event.h>

#include "util/arena.h"
#include "util/log.h"
#include "watch/gateway.h"
#include "watch/guests.h"
#include "watch/maintenance.h"

#define WATCH_STATE_DIR "/var/lib/pvewarden/watch"
#define WATCH_RUN_DIR	"/run/pvewarden/watch"

struct power;
struct power_runner;

struct watchd {
	struct sd_event *loop;
	struct root root;
	bool dry_run, ready;
	char boot_id[RECORD_BOOT_ID_MAX];
	int64_t started; /* Unix seconds */
	uid_t prober_uid;
	gid_t prober_gid;
	int lock_fd, state_fd, records_fd, run_fd;
	/* helpers */
	struct role scout, resolver;
	/* Asks every guest's QMP, one after the other: who speaks with guests must not hold it. */
	struct prober asker;
	struct sd_event_source *asker_io;
	uint32_t asking;	 /* the guest whose QMP is being asked, 0: none */
	struct record_ids queue; /* those who wait for it */
	int64_t asked_by;
	uint32_t scout_number;
	int64_t scout_started;
	pid_t stuck_scout;  /* killed and not yet gone, 0: none */
	int64_t helpers_at; /* when those that are missing were tried last */
	bool ending;
	int64_t end_by;
	struct sd_event_source *scout_io, *resolver_io, *gateway_io;
	struct scout_message *message;
	struct scout_round round; /* the last whole look */
	int64_t round_at;	  /* boot time; 0: none yet */
	bool blind;
	/* configuration */
	char *global_text, *conf_text[2]; /* mvmm.conf; pvewarden.conf of cluster and node */
	size_t global_len, conf_len[2];
	bool stale_conf;
	struct arena node_arena;
	struct watch_node node;
	struct maintenance maintenance; /* this node's */
	struct arena maintenance_arena;
	struct timespec maintenance_mtime;
	/* the guests */
	struct watch_guests guests;
	uint32_t serial;
	struct power *power;
	struct gateway gateway;
	char gateway_is[64]; /* the setting that it was opened with */
	int64_t gateway_at;  /* when the route was looked at last */
	char scout_tag[64];
	bool other_tag;
	int64_t swept_at;
	bool crowd_alerted;
	/* what is published */
	bool changed;
	int64_t published_at, saved_at;
	uint64_t alerts;
	struct json_t *old_stats; /* of earlier runs; guests take theirs when they appear */
	struct power_runner *mailer;
	bool mail_due, mailing;
	int64_t mail_at;
	unsigned int mail_tries, kept;
};

/* Runs until SIGTERM. An enum cli_exit. */
int watchd_run(bool dry_run);

/* --- watchd.c: what every file of the supervisor needs --- */

/* One step of a guest's state machine, and all that follows from it. */
void watchd_step(struct watchd *d, struct watch_guest *g, struct watch_event ev);
void watchd_event(struct watchd *d, struct watch_guest *g, enum watch_event_kind kind);

/* Sets the guest's timer to the next moment that anything of it waits for. */
void watchd_rearm(struct watchd *d, struct watch_guest *g);

/* A line about @g, or about the supervisor itself (NULL). */
void watchd_log(struct watchd *d, const struct watch_guest *g, enum log_level level,
		const char *fmt, ...) PRINTF_LIKE(4, 5);

/* A line that is also mailed. */
void watchd_alert(struct watchd *d, struct watch_guest *g, const char *text);

void watchd_open_gateway(struct watchd *d);

/* --- news.c: what the scout says --- */
int watchd_start_scout(struct watchd *d, struct err *e);
void watchd_check_scout(struct watchd *d, int64_t now);
void watchd_reload(struct watchd *d);
struct watch_guest *watchd_guest(struct watchd *d, uint32_t vmid); /* made if missing */
struct watch_event watchd_seen(const struct watch_guest *g, int64_t now);

/* --- rounds.c: probing --- */
void watchd_probe(struct watchd *d, struct watch_guest *g, bool with_qmp);
void watchd_fit_prober(struct watchd *d, struct watch_guest *g);
void watchd_end_prober(struct watch_guest *g);
void watchd_check_round(struct watchd *d, struct watch_guest *g, int64_t now);
int watchd_start_resolver(struct watchd *d, struct err *e);

/* --- asker.c: QMP --- */
int watchd_start_asker(struct watchd *d, struct err *e);
void watchd_ask_qmp(struct watchd *d, struct watch_guest *g);
void watchd_check_asker(struct watchd *d, int64_t now);
/* Both answers of a round, or one and the end of its time. */
void watchd_end_round(struct watchd *d, struct watch_guest *g);
/* All serving guests at once, to see whether one that fails is alone. */
void watchd_sweep(struct watchd *d, const struct watch_guest *but, int64_t now);

/* --- act.c: the only file here that may act --- */
int watchd_open_power(struct watchd *d, struct err *e);
void watchd_close_power(struct watchd *d);
void watchd_want(struct watchd *d, struct watch_guest *g, enum watch_op op, int64_t now);
void watchd_take_facts(struct watchd *d, struct watch_guest *g, const struct scout_facts *facts,
		       uint32_t serial);
void watchd_check_question(struct watchd *d, struct watch_guest *g, int64_t now);
/* Who would have answered is gone: nothing can be told. */
void watchd_lose_questions(struct watchd *d);
void watchd_check_permit(struct watchd *d, struct watch_guest *g, int64_t now);
void watchd_act(struct watchd *d, struct watch_guest *g, enum watch_op op, int64_t now);
void watchd_check_done(struct watchd *d, struct watch_guest *g, int64_t now);
void watchd_keep_intent(struct watchd *d, struct watch_guest *g);
void watchd_load_record(struct watchd *d, struct watch_guest *g);
void watchd_resume(struct watchd *d, struct watch_guest *g, int64_t now);

/* --- publish.c --- */
void watchd_publish(struct watchd *d, int64_t now);
void watchd_save_stats(struct watchd *d);
void watchd_load_stats(struct watchd *d);
void watchd_load_stats_of(struct watchd *d, struct watch_guest *g);

/* --- alerts.c: mails, through a unit of their own --- */
int watchd_queue_mail(struct watchd *d, const char *subject, const char *text, struct err *e);
void watchd_send_mails(struct watchd *d, int64_t now);
void watchd_find_mails(struct watchd *d); /* what an earlier run could not send */
