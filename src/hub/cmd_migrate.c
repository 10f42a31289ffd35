/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/cmd_store.h"
#include "hub/cmds.h"
#include "util/jsonw.h"

const struct cli_option hub_migrate_options[] = { HUB_CONF_OPTIONS, { NULL } };

static void show(const struct cli *cli, unsigned int from, unsigned int to, struct buf *out)
{
	struct jsonw w;

	if (cli->json) {
		jsonw_begin(&w, out);
		jsonw_str(&w, "schema", "pvewarden.hub-migrate/1");
		jsonw_u64(&w, "from", from);
		jsonw_u64(&w, "to", to);
		jsonw_end(&w);
	} else if (from == to) {
		buf_addf(out, "The database has the newest schema, %u.\n", to);
	} else if (from) {
		buf_addf(out, "The database went from schema %u to %u.\n", from, to);
	} else {
		buf_addf(out, "A new database with schema %u.\n", to);
	}
}

int cmd_hub_migrate(const struct cli *cli)
{
	CLEANUP(buf_done) struct buf out = {};
	unsigned int from = 0, to = 0;
	struct err e = {};
	struct cmd_store c;
	int r = cmd_store_open(cli, STORE_ANY_VERSION, &c);

	if (r != CLI_OK)
		return r;
	r = store_migrate(c.store, &from, &to, &e);
	if (r < 0) {
		r = cmd_store_failed(cli, r, &e);
	} else {
		show(cli, from, to, &out);
		r = cmd_store_print(&out);
	}
	cmd_store_close(&c);
	return r;
}
