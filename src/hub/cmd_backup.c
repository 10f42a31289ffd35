/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <sys/stat.h>

#include "hub/cmd_store.h"
#include "hub/cmds.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/str.h"

const struct cli_option hub_backup_options[] = { HUB_CONF_OPTIONS, { NULL } };

static void show(const struct cli *cli, int64_t took_ms, struct buf *out)
{
	const char *path = cli->operands[0];
	struct stat st = {};
	struct jsonw w;
	char size[24];

	(void)stat(path, &st);
	if (!cli->json) {
		buf_addf(out, "%s, %s, in %lld ms.\n", path,
			 str_human_size((uint64_t)st.st_size, size), (long long)took_ms);
		return;
	}
	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", "pvewarden.hub-backup/1");
	jsonw_str(&w, "file", path);
	jsonw_i64(&w, "bytes", st.st_size);
	jsonw_i64(&w, "milliseconds", took_ms);
	jsonw_end(&w);
}

int cmd_hub_backup(const struct cli *cli)
{
	CLEANUP(buf_done) struct buf out = {};
	int64_t began = clock_boot_ms();
	struct err e = {};
	struct cmd_store c;
	int r = cmd_store_open(cli, STORE_ANY_VERSION, &c);

	if (r != CLI_OK)
		return r;
	r = store_backup(c.store, cli->operands[0], &e);
	if (r < 0) {
		r = cmd_store_failed(cli, r, &e);
	} else {
		show(cli, clock_boot_ms() - began, &out);
		r = cmd_store_print(&out);
	}
	cmd_store_close(&c);
	return r;
}
