/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
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

/* A copy in the place of a file that running hubs have open would take their database away. */
static bool is_in_use(const char *db, const char *path)
{
	static const char *const files[] = { "", "-wal", "-shm" };
	CLEANUP(buf_done) struct buf file = {};
	struct stat to, st;

	if (stat(path, &to) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		buf_reset(&file);
		buf_addf(&file, "%s%s", db, files[i]);
		if (stat(buf_str(&file), &st) == 0 && st.st_dev == to.st_dev &&
		    st.st_ino == to.st_ino)
			return true;
	}
	return false;
}

int cmd_hub_backup(const struct cli *cli)
{
	CLEANUP(buf_done) struct buf out = {};
	int64_t began = clock_boot_ms();
	struct err e = {};
	struct cmd_store c;
	int r = cmd_store_open(cli, STORE_ANY_VERSION | CMD_STORE_THERE, &c);

	if (r != CLI_OK)
		return r;
	if (is_in_use(c.conf.db, cli->operands[0]))
		r = err_set(&e, -EEXIST, "%s is the database itself", cli->operands[0]);
	else
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
