/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * [hub] of /etc/pvewarden/pvewarden.conf and the options that go over it. All verbs of the hub ask
 * hub_conf_load() for the database; serve reads everything.
 */

#include "hub/limit.h"
#include "util/cli.h"
#include "util/diag.h"

#define HUB_CONF_FILE "/etc/pvewarden/pvewarden.conf"

struct hub_conf {
	const char *listen;		/* "127.0.0.1:8480", "[::]:8480" */
	const char *db;			/* a path, or postgresql://...; NULL: hub.db in state_dir */
	const char *tls_cert, *tls_key; /* PEM files; NULL: http */
	const char *public_url;		/* how people reach this hub; NULL: made of listen */
	const char *state_dir;
	const char *trusted_proxy; /* addresses whose forwarding headers are believed, or NULL */
	uint32_t connections;	   /* at the same time */
	uint32_t connections_per_address; /* 0: no limit of its own */
	uint32_t idle_timeout;		  /* seconds until a silent connection goes */
	uint32_t silent_timeout;	  /* the same of one that has not shown a token */
	uint32_t body_timeout;		  /* seconds for a body, */
	uint32_t body_rate;		  /* and one more for each so many bytes that came */
	uint32_t memory_mib;		  /* for bodies on their way to the disk */
	uint32_t workers;		  /* threads that look things up */
	uint32_t writers;		  /* threads that write; always one with SQLite */
	struct limit_rate token_rate;	  /* documents of one token */
	struct limit_rate org_rate;	  /* documents of one org */
	struct limit_rate address_rate;	  /* requests without a token from one address */
	struct limit_rate read_rate;	  /* questions of one reader */
	struct limit_rate org_read_rate;  /* questions of all readers of one org */
};

void hub_conf_default(struct hub_conf *c);

/* Reads one file's text over what @c holds; texts live in @a. */
void hub_conf_read(struct hub_conf *c, struct slice text, const char *file, struct arena *a,
		   struct diags *diags);

/*
 * Defaults, then the file (--config, or HUB_CONF_FILE if it is there), PVEWARDEN_DB, and the
 * options. What is wrong in the file is logged and passed over. 0, or CLI_USAGE with the sentence
 * printed. c->db is never NULL afterwards.
 */
int hub_conf_load(const struct cli *cli, struct hub_conf *c, struct arena *a);

/* Address and port of "ADDR:PORT" or "[ADDR6]:PORT"; false if it is none. */
bool hub_conf_split_listen(const char *listen, char address[64], uint16_t *ret_port);

/* @where without the password, for people. */
const char *hub_conf_db_shown(const char *where, char buf[256]);

/* Options that every verb has which opens the database. */
/* clang-format off */
#define HUB_CONF_OPTIONS                                                                         \
	{ "config", "FILE", "read FILE instead of " HUB_CONF_FILE },                             \
	{ "db", "WHERE", "the database: a file, or postgresql://... (password: in the file, or PVEWARDEN_DB)" }, \
	{ "state-dir", "DIR", "where hub.db is (/var/lib/pvewarden/hub)" }
/* clang-format on */
