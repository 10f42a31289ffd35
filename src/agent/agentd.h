/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The agent's daemon: one loop that never waits. Who reads is the collector, who sends are the
 * senders; here is only what goes from the one to the other, and when.
 *
 * agentd.c begins, ticks and ends; agentd_collect.c asks the collector and keeps what it brings;
 * agentd_send.c is the way to one server; agentd_items.c says what is sent there next;
 * agentd_token.c has the tokens; agentd_publish.c tells how things are.
 */

#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "agent/collector.h"
#include "agent/conf.h"
#include "agent/posts.h"
#include "agent/sender.h"
#include "agent/session.h"
#include "agent/spool.h"
#include "util/log.h"

#define AGENT_SCHEMA	 "pvewarden.agent/1"
#define AGENT_STATE_FILE "agent.json"

enum {
	AGENT_COLLECT_MS = 10 * 1000, /* a collector that is silent for longer waits for pmxcfs */
	AGENT_STUCK_MAX = 2,	      /* so many may wait there at once */
	AGENT_REFUSED_MAX = 1024,     /* objects whose refusal is remembered */
	AGENT_PARK_BYTES = 16 * 1024 * 1024, /* of refused objects of NannyAPI */
};

enum agent_doing { AGENT_IDLE, AGENT_SENDING, AGENT_REFRESHING, AGENT_RENEWING };

/* The way to one server. Times are of clock_boot_ms(), those for people Unix seconds. */
struct agent_server {
	struct agentd *d;
	const char *name, *file; /* "hub" and its token's file */
	bool is_hub;
	char *url, *ca; /* NULL: there is no such server */
	struct sender sender;
	sd_event_source *io;
	struct session session;
	struct token token;
	struct timespec token_mtime;
	bool token_unsaved, token_told;
	enum agent_doing doing;
	int64_t answer_by, wait_until;
	unsigned int tries;
	bool revoked, told;
	char problem[512]; /* why nothing was delivered lately; "" when all is well */
	int64_t since;	   /* it is at work; Unix */
	int64_t delivered_at, tried_at;
	uint64_t delivered, refused;
};

struct agentd {
	struct root root;
	struct agent_conf conf;
	const struct cli *cli;
	sd_event *loop;
	gid_t group; /* of those who may read what is published */
	int state_fd, run_fd, lock_fd, spool_fd, parked_fd;
	char instance[TOKEN_INSTANCE_BYTES];
	struct agent_server hub, nanny;
	int64_t started, published_at, token_checked_at, conf_at;
	bool changed, unpublished;

	/* collecting */
	struct collector collector;
	sd_event_source *collector_io;
	struct collect_ask ask; /* reporter, unheard and all_configs stay from one to the next */
	int64_t collect_at, collect_by, asked_at, nanny_at;
	bool collecting, asked_all;
	pid_t stuck[AGENT_STUCK_MAX];
	size_t n_stuck;
	enum tri proxmox;
	char node[COLLECT_NODE_MAX], cluster[COLLECT_NODE_MAX], uuid[COLLECT_NODE_MAX];
	bool clustered, hangs;
	bool answered;	  /* by the collector, the last time */
	char unread[512]; /* why nothing could be read; "" when it could */
	int64_t collected_at;
	uint64_t collections, unanswered;
	uint32_t guests, took_ms, took_cpu_us;

	/* what goes to the hub */
	struct spool spool;
	struct buf memory; /* the newest document, when the disk takes none */
	uint64_t memory_sequence, sending, unkept;
	unsigned int duplicates; /* documents in a row that the hub had already */
	bool direct;		 /* the disk takes none */
	char full[512];

	/* what goes to NannyAPI */
	struct buf posts, newer; /* those that are being sent, those of a later round */
	size_t posts_at, posts_n, posts_done;
	bool has_posts, has_newer, behind; /* behind: a server was away; the newest is next */
	struct post post;
	size_t post_end;
	struct spool parked;
	VEC(uint64_t) refusals;
	int64_t parked_at; /* Unix; of either */
};

/* agentd.c */
int agentd_run(const struct cli *cli);
uint32_t agentd_random(void);
void agentd_schedule(struct agentd *d, int64_t now);

/* agentd_collect.c */
void agentd_collect_tick(struct agentd *d, int64_t now);
void agentd_collect_end(struct agentd *d);
void agentd_load_identity(struct agentd *d);

/* agentd_items.c */
bool agentd_next_item(struct agent_server *s, struct buf *body, char path[64]);
void agentd_item_done(struct agent_server *s, struct slice answer);
void agentd_item_refused(struct agent_server *s, const char *why);
void agentd_item_later(struct agent_server *s);
bool agentd_item_is_of_a_clock(struct agent_server *s, struct slice answer);
void agentd_keep_document(struct agentd *d, struct buf *document);
void agentd_keep_posts(struct agentd *d, struct buf *posts);

/* agentd_send.c */
void agentd_push(struct agent_server *s, int64_t now);
void agentd_server_set(struct agent_server *s, const char *url, const char *ca);
void agentd_server_end(struct agent_server *s);

/* agentd_token.c */
void agentd_token_tick(struct agent_server *s, int64_t now);
void agentd_token_save(struct agent_server *s);
void agentd_token_load(struct agent_server *s);

/* agentd_publish.c */
void agentd_publish(struct agentd *d, int64_t now);
