/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <unistd.h>

#include "cmd.h"
#include "util/log.h"
#include "watch/watchd.h"

const struct cli_option watch_run_options[] = {
	{ "dry-run", NULL, "decide and log as always, and never act" },
	{},
};

int cmd_watch_run(const struct cli *cli)
{
	const char *root = cli_value(cli, "root");

	/* No session: its guard is a thread, and probers are forked. */
	if (root && strcmp(root, "/") != 0)
		return cli_usage(cli, "a recorded node has no guests to watch: without --root");
	if (geteuid() != 0) {
		log_error("watch run needs root: it opens QEMU's sockets and restarts guests");
		return CLI_NOPERM;
	}
	return watchd_run(cli_has(cli, "dry-run"));
}
