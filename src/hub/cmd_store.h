/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What the verbs that open the database share. Sentences go to stderr; statuses are enum cli_exit.
 */

#include "hub/conf.h"
#include "hub/store.h"

struct cmd_store {
	struct arena arena;
	struct hub_conf conf;
	struct store *store;
};

enum { CMD_STORE_THERE = 1 << 16 }; /* a database that is not there is a mistake */

/* CLI_OK with an open store of the newest schema (made when it is not there yet), or the status to
 * end with. @flags: STORE_ANY_VERSION leaves the schema as it is; CMD_STORE_THERE. */
int cmd_store_open(const struct cli *cli, unsigned int flags, struct cmd_store *ret);
void cmd_store_close(struct cmd_store *c);

/* Says what went wrong. */
int cmd_store_failed(const struct cli *cli, int r, const struct err *e);

/* The id of --org (default: "default"). With @make an unknown one is made, and a sentence says so.
 */
int cmd_store_org(const struct cli *cli, struct cmd_store *c, bool make, char ret[STORE_ORG_MAX],
		  const char **ret_name);

/* The rows of a list to stdout. */
int cmd_store_print(const struct buf *out);

#define CMD_STORE_DEFAULT_ORG "default"
