/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What the agent is to do: [agent] of /etc/pve/pvewarden/pvewarden.conf, then of
 * /etc/pvewarden/pvewarden.conf, over the old agent's config.yaml; over these the environment under
 * the old agent's names, over that the options. What is not understood is named and hinders
 * nothing else.
 */

#include "pve/root.h"
#include "util/cli.h"
#include "util/diag.h"

#define AGENT_STATE_DIR	   "/var/lib/pvewarden/agent"
#define AGENT_RUN_DIR	   "/run/pvewarden/agent"
#define AGENT_OLD_CONFIG   "etc/nannyagent/config.yaml"
#define AGENT_OLD_TOKEN	   "/var/lib/nannyagent/token.json"
#define AGENT_CLUSTER_CONF "etc/pve/pvewarden/pvewarden.conf"
#define AGENT_NODE_CONF	   "etc/pvewarden/pvewarden.conf"

enum {
	AGENT_INTERVAL_MAX = 3600,
	AGENT_NANNY_INTERVAL_MIN = 5,
	AGENT_NANNY_INTERVAL_MAX = 604800,
};

struct agent_conf {
	const char *hub_url, *nannyapi_url; /* NULL: nothing is sent there; no '/' at the end */
	const char *hub_ca, *nannyapi_ca;   /* NULL: the system's */
	const char *portal_url;		    /* the page for people, shown at registration */
	const char *hub_token_file, *static_token_file; /* a ready token for the one, the other */
	const char *static_token, *agent_id;
	const char *token_path; /* the old agent's token.json */
	const char *state_dir;
	uint32_t interval, proxmox_interval;
	uint32_t renew_days, renew_check, renew_retry;
	uint64_t spool_size;
	enum { AGENT_LOG_ERROR, AGENT_LOG_WARN, AGENT_LOG_INFO, AGENT_LOG_DEBUG } log;
	bool debug;
	bool imported; /* config.yaml was there and was read */
	bool unread; /* /etc/pve did not answer, or is not there yet: what it has may be missing */
	struct diags diags;
	struct arena arena;
};

extern const struct cli_option agent_conf_options[]; /* of all verbs that have to do with servers */

/* @env: getenv() or a test's. @cli may be NULL. Options that are wrong are in diags as well, as
 * "--name", line 0. Waits for /etc/pve for at most 5 s. *ret must not be moved afterwards. */
void agent_conf_read(struct agent_conf *ret, const struct root *root,
		     const char *(*env)(const char *name), const struct cli *cli);
/* Whoever gave an option that is wrong is there to put it right, unlike who wrote a file. */
bool agent_conf_wrong_option(const struct agent_conf *c);

void agent_conf_done(struct agent_conf *c);
